"""A message's bytes and what becomes of them on the wire (RFC 5321, sections 2.3.8, 4.5.2 and 4.5.3.1.6). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Traits", "inspect", "stuffed"]

LINE_MAX = 998
"""Octets of a line without its CRLF."""
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
END = b".\r\n"


@dataclass(frozen=True, slots=True)
class Traits:
    """What matters of a message. `fault` "": it may be sent. `is_8bit`: it has octets above 127."""

    size: int
    is_8bit: bool = False
    fault: str = ""


def inspect(message: Iterable[bytes]) -> Traits:
    """Look a message over, in pieces. A bare CR or LF is a fault: servers that take it for the end of a line could be
    made to see the end of the message in the middle of it, and commands behind (SMTP smuggling)."""
    size, is_8bit, rest = 0, False, b""
    for piece in message:
        size += len(piece)
        is_8bit = is_8bit or _NOT_ASCII.search(piece) is not None
        text = rest + piece
        lines, newline, rest = text.rpartition(b"\n")
        if fault := _fault(lines + newline) or ("" if len(rest) <= LINE_MAX + 1 else _too_long()):
            return Traits(size, is_8bit, fault)
    if rest or not size:
        return Traits(size, is_8bit, "its last line does not end with CRLF")
    return Traits(size, is_8bit)


def _fault(lines: bytes) -> str:
    """Of whole lines. Counted, as expressions that look around take ten times as long."""
    if not lines.count(b"\r\n") == lines.count(b"\n") == lines.count(b"\r") or b"\0" in lines:
        return "a line ends with CR or LF alone, or has a NUL: lines end with CRLF"
    return _too_long() if max(map(len, lines.split(b"\n"))) > LINE_MAX + 1 else ""


def _too_long() -> str:
    return f"a line is longer than {LINE_MAX} octets"


def stuffed(message: Iterable[bytes]) -> Iterator[bytes]:
    """The message as it follows DATA: a dot before each line that begins with one, and the final dot. Lines end with
    CRLF (see `inspect`), unless the file was cut short since."""
    is_line_start = True
    for piece in message:
        out = piece.replace(b"\n.", b"\n..")
        yield b"." + out if is_line_start and piece.startswith(b".") else out
        is_line_start = piece.endswith(b"\n") if piece else is_line_start
    yield END if is_line_start else b"\r\n" + END
