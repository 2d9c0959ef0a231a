"""Header blocks that touch no dynamic table (RFC 7541 section 6.2.2): the same bytes mean the same on every connection,
so they are made once and sent to many.

A response's fields come as the lines that HTTP/1 sends, checked where those are made.
"""

from __future__ import annotations

from typing import Final

from hpack.table import HeaderTable

from skitaid.protocols.kept import Kept

__all__ = ["block_of_fields", "block_of_lines", "length_field"]

_MAX_KEPT: Final = 1024
_MAX_KEPT_BYTES: Final = 262144

# An index in the static table is one byte with the bits of its representation, up to 14; two from there on.
_NAMES: Final[dict[bytes, int]] = {}
_WHOLE: Final[dict[tuple[bytes, bytes], int]] = {}
for _index, (_name, _value) in enumerate(HeaderTable.STATIC_TABLE, 1):
    _NAMES.setdefault(_name, _index)
    if _value:
        _WHOLE[_name, _value] = _index

_PLAIN: Final = 0x00
_NEVER: Final = 0x10
"""Nobody on the way may keep it in a table either (section 7.1.3)."""
_SECRET: Final = frozenset({b"set-cookie", b"authorization", b"proxy-authorization"})
# RFC 9113 section 8.2.2: they are about a connection of HTTP/1.
_DROPPED: Final = frozenset({b"connection", b"upgrade", b"keep-alive", b"proxy-connection", b"transfer-encoding"})
_LENGTH_NAME: Final = b"\x0f\x0d"


def _integer(value: int, bits: int, flags: int) -> bytes:
    """RFC 7541 section 5.1."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((flags | value,))
    value -= limit
    parts = bytearray((flags | limit,))
    while value >= 128:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _field(name: bytes, value: bytes) -> bytes:
    index = _WHOLE.get((name, value))
    if index is not None:
        return _integer(index, 7, 0x80)
    flags = _NEVER if name in _SECRET else _PLAIN
    index = _NAMES.get(name)
    if index is None:
        begin = bytes((flags,)) + _integer(len(name), 7, 0) + name
    else:
        begin = _integer(index, 4, flags)
    return begin + _integer(len(value), 7, 0) + value


def block_of_fields(fields: list[tuple[bytes, bytes]]) -> bytes:
    """Names are in lower case by now."""
    return b"".join(_field(name, value) for name, value in fields)


def length_field(length: int) -> bytes:
    """Content-Length, as a part of a block."""
    digits = b"%d" % length
    return b"%b%c%b" % (_LENGTH_NAME, len(digits), digits)


_BLOCKS: Final[Kept[bytes, bytes]] = Kept(_MAX_KEPT, _MAX_KEPT_BYTES)
_FOUND: Final = _BLOCKS.found


def block_of_lines(lines: bytes) -> bytes:
    """The block for lines of HTTP/1, each with its CRLF: a status line and fields, or fields alone. Kept for lines that
    come again."""
    block = _FOUND.get(lines)
    if block is None:
        block = _make(lines)
        _BLOCKS.offer(lines, block, len(lines) + len(block))
    return block


def _make(lines: bytes) -> bytes:
    parts = []
    for line in lines.split(b"\r\n"):
        if line.startswith(b"HTTP/1.1 "):
            parts.append(_field(b":status", line[9:12]))
        elif line:
            name, _, value = line.partition(b":")
            name = name.lower()
            if name not in _DROPPED:
                parts.append(_field(name, value.strip(b" \t")))
    return b"".join(parts)
