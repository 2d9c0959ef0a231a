"""Requests on the wire (RFC 9112 sections 3, 6 and 7.1): a call's parts to bytes.

What a caller gives is checked before it is sent: a CR, LF or NUL in a field would let it write the next request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from skitaid.exceptions import SkitaidError

__all__ = ["BodyWriter", "RequestError", "field_lines", "framing_line", "replaced_line", "request_line"]

_METHOD: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_TARGET: Final = re.compile(rb"[^\x00-\x20\x7f]+").fullmatch
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_VALUE: Final = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*").fullmatch
_MAX_KEPT: Final = 1024
_MAX_KEPT_BYTES: Final = 128
_MAX_KEPT_LINE: Final = 256
_DROPPED: Final = frozenset({
    # Whoever sends a request sees to these itself (RFC 9110 section 7.6.1).
    b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection", b"te",
    b"trailer", b"upgrade",
})  # fmt: skip
_WITH_CONTENT: Final = frozenset({"POST", "PUT", "PATCH"})


class RequestError(SkitaidError):
    """A caller asked for a request that can't be put on the wire; the caller's author must act."""


def request_line(method: str, target: bytes) -> bytes:
    """Without its CRLF. Raises RequestError."""
    line = _LINES.get((method, target))
    return _request_line(method, target) if line is None else line


_LINES: Final[dict[tuple[str, bytes], bytes]] = {}


def _request_line(method: str, target: bytes) -> bytes:
    if not _METHOD(method):
        raise RequestError(f"the method is {method!r}, expected a word such as GET")
    if not _TARGET(target):
        raise RequestError(f"the target is {target!r}, expected a path without blanks and control characters")
    line = b"%b %b HTTP/1.1" % (method.encode("ascii"), target)
    if len(line) <= _MAX_KEPT_LINE:
        if len(_LINES) >= _MAX_KEPT:
            _LINES.clear()
        _LINES[method, target] = line
    return line


def field_lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The fields as lines, each with its CRLF; without those that whoever sends a request makes. Raises RequestError
    for one that can't be sent."""
    lines = []
    for field in fields:
        line = _KEPT.get(field)
        lines.append(_field_line(field) if line is None else line)
    return b"".join(lines)


_KEPT: Final[dict[tuple[bytes, bytes], bytes]] = {}


def _field_line(field: tuple[bytes, bytes]) -> bytes:
    name, value = field
    if not _NAME(name) or not _VALUE(value):
        raise RequestError(f"the header field {name!r}: {value!r} holds a character that can't be sent")
    line = b"" if name.lower() in _DROPPED else b"%b: %b\r\n" % (name, value)
    if len(value) <= _MAX_KEPT_BYTES and type(value) is bytes and type(name) is bytes:
        if len(_KEPT) >= _MAX_KEPT:
            _KEPT.clear()
        _KEPT[name, value] = line
    return line


def replaced_line(lines: bytes, name: bytes, value: bytes) -> bytes:
    """The lines, with one field `name` (lower case) in place of all that there are of that name."""
    kept = [line for line in lines.split(b"\r\n")[:-1] if line.partition(b":")[0].lower() != name]
    return b"\r\n".join([*kept, b"%b: %b\r\n" % (name, value)])


def framing_line(method: str, length: int | None) -> bytes:
    """The field that says how long the body is: `length` in bytes, None when it is not known before its end."""
    if length is None:
        return b"Transfer-Encoding: chunked\r\n"
    if length or method in _WITH_CONTENT:
        return b"Content-Length: %d\r\n" % length
    # RFC 9110 section 8.6: a server that meets neither field knows that there is no body.
    return b""


class BodyWriter:
    """A body that goes out in pieces: `length` bytes, or chunked when that is None."""

    __slots__ = ("_left",)

    def __init__(self, length: int | None) -> None:
        self._left = length

    def data(self, piece: bytes) -> bytes:
        """A piece as it is sent. Raises RequestError when there is more than was promised."""
        if self._left is None:
            return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        if len(piece) > self._left:
            raise RequestError("the body of the request is longer than was promised")
        self._left -= len(piece)
        return piece

    def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
        """The end of the body. Raises RequestError when there is less than was promised."""
        if self._left is None:
            return b"0\r\n%b\r\n" % field_lines(trailers)
        if self._left:
            raise RequestError(f"the body of the request is {self._left} bytes shorter than was promised")
        return b""
