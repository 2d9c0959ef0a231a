"""Header blocks: raw lines to checked fields, with every view of them a handler needs, made once.

Clients repeat themselves, so the work is kept: `_LINES` maps a raw line to its checked form and `_BLOCKS` a raw block
to its `HeaderBlock`. Both are bounded. A block enters on second sight only, so that a flood of blocks that never
come back does not push the useful ones out. Cost on one core: a block met before 0.1 µs; a new block 0.15 µs a line,
and 1 µs more for each line never met.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from skitaid.protocols.errors import ProtocolError

__all__ = ["MAX_FIELDS", "FieldLine", "HeaderBlock", "is_host", "parse_block", "parse_field_line", "tokens"]

MAX_FIELDS: Final = 256
_MAX_LINES: Final = 4096
_MAX_BLOCKS: Final = 512
_MAX_SEEN: Final = 8192
# Longer lines and blocks are parsed afresh, so that the tables stay under some 3 MB whatever clients send.
_MAX_LINE_BYTES: Final = 400
_MAX_BLOCK_BYTES: Final = 2048

# RFC 9110 section 5.6.2 (token), section 5.5 (field content: no control characters but tab), RFC 9112 section 5.1 (no
# white space before the colon). Possessive: a long run of blanks before a bad byte must not cost its square.
_FIELD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)").fullmatch
# RFC 3986 section 3.2: reg-name, IPv4 or [IPv6], and a port.
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+(?:%25[\w.~-]+)?\]|[\w.~!$&'()*+,;=%-]*)(?::\d{0,5})?").fullmatch
_LENGTH: Final = re.compile(rb"\d{1,18}").fullmatch

# Fields that change from request to request: their lines are not kept.
_VOLATILE: Final = frozenset({
    b"cookie", b"authorization", b"content-length", b"if-none-match", b"if-modified-since", b"range", b"referer",
    b"x-gtxn-id", b"x-ltxn-id", b"x-request-id", b"traceparent", b"sec-websocket-key",
})

# RFC 7239, what proxies said before it, and the ids that parts of one installation give each other's requests.
_HEARSAY: Final = frozenset({b"forwarded", b"x-real-ip", b"x-gtxn-id", b"x-ltxn-id"})


class FieldLine:
    """One checked line: lower-case name and value as bytes, and the same for a WSGI environ.

    `environ_key` is None for a field that must not reach an environ: a name with an underscore would be taken for
    another field (Content_Length), and Proxy for a setting of HTTP clients (CVE-2016-5385). `is_hearsay`: the field
    says what only a proxy in front of us can know, and anybody can write it; apps see it when it is known to come
    from a peer that is believed (`is_believed`). `note` is what the field means to a block it stands in.
    """

    __slots__ = ("environ_key", "environ_value", "is_hearsay", "name", "note", "value")

    def __init__(self, name: bytes, value: bytes, *, is_believed: bool = False) -> None:
        self.name = name
        self.value = value
        self.environ_value = value.decode("latin-1")
        self.note: Callable[[HeaderBlock, bytes], None] | None
        if name[0] in b"xf" and not is_believed and _is_hearsay(name):
            self.is_hearsay, self.environ_key, self.note = True, None, _note_hearsay
        else:
            self.is_hearsay, self.environ_key, self.note = False, _environ_key(name), _NOTES.get(name)


class HeaderBlock:
    """A checked header block. Immutable by convention: blocks are shared between requests.

    `host` is the Host field (None when absent), `content_length` in bytes (None when absent), `upgrade` the
    lower-case Upgrade field when Connection names it. `has_hearsay`: a field is hearsay (see FieldLine). `heard` is
    for who makes something of that, and keeps it here, as `log_texts` is for the request log. `forwarded_for`:
    X-Forwarded-For as it came, for a block whose `lines` have another.
    """

    __slots__ = (
        "_environ", "_forwarded_for", "_log", "_pairs", "content_length", "expects_continue", "fields", "has_hearsay",
        "heard", "host", "is_chunked", "log_texts", "transfer_encoding", "upgrade", "wants_close", "wants_keep_alive",
    )

    def __init__(self, lines: list[FieldLine], *, forwarded_for: bytes | None = None) -> None:
        self.fields = lines
        self._forwarded_for = forwarded_for
        self.has_hearsay = False
        self.heard: object = None
        self.log_texts: tuple[str, str] | None = None
        self.content_length: int | None = None
        self.transfer_encoding: bytes | None = None
        self.is_chunked = False
        self.host: bytes | None = None
        self.wants_close = self.wants_keep_alive = self.expects_continue = False
        self.upgrade: bytes | None = None
        self._environ: dict[str, str] | None = None
        self._log: tuple[str | None, ...] | None = None
        self._pairs: tuple[tuple[bytes, bytes], ...] | None = None
        for line in lines:
            if line.note is not None:
                line.note(self, line.value)
        if self.upgrade is not None and b"upgrade" not in tokens(self.get(b"connection") or b""):
            # RFC 9110 section 7.8: without the connection option, the field was meant for a hop before us.
            self.upgrade = None

    def get(self, name: bytes) -> bytes | None:
        """The value of field `name` (lower case); repeated fields are joined with a comma (RFC 9110 section 5.3)."""
        found = [line.value for line in self.fields if line.name == name]
        return b", ".join(found) if found else None

    @property
    def environ(self) -> dict[str, str]:
        """The fields as a WSGI environ names them (PEP 3333)."""
        if self._environ is None:
            self._environ = _environ(self.fields)
        return self._environ

    @property
    def pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        """The fields as an ASGI scope has them, name and value, without hearsay."""
        if self._pairs is None:
            self._pairs = tuple((line.name, line.value) for line in self.fields if not line.is_hearsay)
        return self._pairs

    @property
    def log_fields(self) -> tuple[str | None, ...]:
        """What a request log shows of a request's fields: (host, authorization, referer, user agent,
        x-forwarded-for); the last as it came, whoever it came from."""
        if self._log is None:
            get = self.environ.get
            forwarded = self._forwarded_for or self.get(b"x-forwarded-for")
            self._log = (
                get("HTTP_HOST"), get("HTTP_AUTHORIZATION"), get("HTTP_REFERER"), get("HTTP_USER_AGENT"),
                None if forwarded is None else forwarded.decode("latin-1"),
            )
        return self._log


def parse_block(raw: bytes) -> HeaderBlock:
    """The fields of `raw`: lines between CRLF pairs, without the empty line at the end.

    Raises ProtocolError: 400 for a line that breaks RFC 9112 section 5, 431 for too many of them.
    """
    try:
        return _BLOCKS[raw]
    except KeyError:
        pass
    raw_lines = raw.split(b"\r\n") if raw else []
    if len(raw_lines) > MAX_FIELDS:
        raise ProtocolError(431, f"more than {MAX_FIELDS} header fields")
    lines = []
    for line in raw_lines:
        try:
            lines.append(_LINES[line])
        except KeyError:
            lines.append(parse_field_line(line))
    block = HeaderBlock(lines)
    if len(raw) <= _MAX_BLOCK_BYTES:
        _remember(raw, block)
    return block


def parse_field_line(raw: bytes) -> FieldLine:
    """One line without its CRLF. Raises ProtocolError 400."""
    match = _FIELD(raw)
    if match is None:
        raise ProtocolError(400, "a header line is not 'name: value'")
    name, value = match.groups()
    line = FieldLine(name.lower(), value.rstrip(b" \t"))
    if len(raw) <= _MAX_LINE_BYTES and line.name not in _VOLATILE:
        if len(_LINES) >= _MAX_LINES:
            _LINES.clear()
        _LINES[raw] = line
    return line


def is_host(value: bytes) -> bool:
    """Whether `value` is a host, perhaps an empty one, with an optional port (RFC 3986 section 3.2)."""
    return _HOST(value) is not None


def tokens(value: bytes) -> list[bytes]:
    """The lower-case elements of a comma-separated list (RFC 9110 section 5.6.1), empty ones left out."""
    return [element for part in value.lower().split(b",") if (element := part.strip(b" \t"))]


_LINES: Final[dict[bytes, FieldLine]] = {}
_BLOCKS: Final[dict[bytes, HeaderBlock]] = {}
_SEEN: Final[set[int]] = set()


def _remember(raw: bytes, block: HeaderBlock) -> None:
    sight = hash(raw)
    if sight in _SEEN:
        if len(_BLOCKS) >= _MAX_BLOCKS:
            _BLOCKS.clear()
        _BLOCKS[raw] = block
        return
    if len(_SEEN) >= _MAX_SEEN:
        _SEEN.clear()
    _SEEN.add(sight)


def _is_hearsay(name: bytes) -> bool:
    # Some frameworks read an underscore as a hyphen, so what is withheld is withheld in both spellings.
    plain = name.replace(b"_", b"-")
    return plain in _HEARSAY or plain.startswith(b"x-forwarded-")


def _environ_key(name: bytes) -> str | None:
    if b"_" in name or name == b"proxy":
        return None
    key = name.decode("ascii").upper().replace("-", "_")
    return key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else "HTTP_" + key


def _environ(lines: list[FieldLine]) -> dict[str, str]:
    environ: dict[str, str] = {}
    for line in lines:
        key = line.environ_key
        if key is None:
            continue
        if key in environ:
            # RFC 9110 section 5.3; Cookie is the exception that HTTP/2 makes common (RFC 9113 section 8.2.3).
            glue = "; " if key == "HTTP_COOKIE" else ", "
            environ[key] += glue + line.environ_value
        else:
            environ[key] = line.environ_value
    return environ


def _note_content_length(block: HeaderBlock, value: bytes) -> None:
    # Two lengths, even equal ones, are how requests are smuggled (RFC 9112 section 6.3 lets a server refuse them).
    if block.content_length is not None or not _LENGTH(value):
        raise ProtocolError(400, "Content-Length is not one decimal number")
    block.content_length = int(value)


def _note_transfer_encoding(block: HeaderBlock, value: bytes) -> None:
    if block.transfer_encoding is not None:
        raise ProtocolError(400, "Transfer-Encoding is given twice")
    block.transfer_encoding = value
    block.is_chunked = value.lower() == b"chunked"


def _note_host(block: HeaderBlock, value: bytes) -> None:
    # RFC 9112 section 3.2 has a server refuse both.
    if block.host is not None or not is_host(value):
        raise ProtocolError(400, "Host is not one host name with an optional port")
    block.host = value


def _note_connection(block: HeaderBlock, value: bytes) -> None:
    options = tokens(value)
    block.wants_close = block.wants_close or b"close" in options
    block.wants_keep_alive = block.wants_keep_alive or b"keep-alive" in options


def _note_expect(block: HeaderBlock, value: bytes) -> None:
    block.expects_continue = block.expects_continue or b"100-continue" in tokens(value)


def _note_upgrade(block: HeaderBlock, value: bytes) -> None:
    block.upgrade = value.lower()


def _note_hearsay(block: HeaderBlock, value: bytes) -> None:
    block.has_hearsay = True


_NOTES: Final = {
    b"content-length": _note_content_length,
    b"transfer-encoding": _note_transfer_encoding,
    b"host": _note_host,
    b"connection": _note_connection,
    b"expect": _note_expect,
    b"upgrade": _note_upgrade,
}
