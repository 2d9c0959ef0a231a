"""One response over HTTP/2, in the calls of `Http1Exchange`: what an app gives is checked by the same code, its fields
come out as a header block, and its body as it is. Framing it is for whoever knows the windows.
"""

from __future__ import annotations

from typing import Final

from skitaid.protocols.errors import ResponseError
from skitaid.protocols.http1.response import (
    FLAG_BODILESS,
    FLAG_DATE,
    FLAG_SERVER,
    Fields,
    Stamp,
    checked_head,
    plain_lines,
)
from skitaid.protocols.http2.encoding import block_of_lines, length_field

__all__ = ["Http2Exchange"]

_NOT_MODIFIED: Final = "304"


class Http2Exchange:
    """`interims`, `block` and `trailers` are header blocks that are to be sent and were not taken yet; `is_bodiless`:
    nothing follows the head. The rest is as Http1Exchange has it; `is_persistent` is about the stream alone, and False
    says that it is to be reset."""

    __slots__ = ("block", "interims", "is_bodiless", "is_persistent", "is_started", "left", "trailers")

    def __init__(self, method: str) -> None:
        self.is_bodiless = method == "HEAD"
        self.block = b""
        self.interims: list[bytes] | None = None
        self.trailers = b""
        self.left: int | None = None
        self.is_persistent = True
        self.is_started = False

    def respond(self, status: str, fields: Fields, body: bytes, stamp: Stamp) -> bytes:
        """A whole response. Raises ResponseError for a status or a field that can't be sent."""
        head, flags, length, whole = checked_head(status, fields)
        self.is_started = True
        if whole and length == len(body) and not self.is_bodiless:
            self.block = block_of_lines(whole) + block_of_lines(stamp.both)
            return body
        block = block_of_lines(head)
        stamp_block = _stamp(flags, stamp)
        if flags & FLAG_BODILESS:
            self.block = block + _length_of_none(status, length) + stamp_block
            self.is_bodiless = True
            return b""
        if length is None:
            length = len(body) if body or not self.is_bodiless else None
        elif length != len(body) and not self.is_bodiless:
            self.left = length - len(body)
            body = body[:length]
        self.block = block + (b"" if length is None else length_field(length)) + stamp_block
        return b"" if self.is_bodiless else body

    def respond_prepared(self, head: bytes, body: bytes, stamp: Stamp) -> bytes:
        """A whole response whose head `prepare_head` made for this very body."""
        self.is_started = True
        self.block = block_of_lines(head) + block_of_lines(stamp.both)
        return b"" if self.is_bodiless else body

    def respond_rendered(self, head: bytes, body: bytes) -> bytes:
        """A whole response whose head `render_head` made for a body of this length."""
        self.is_started = True
        self.block = block_of_lines(head)
        return b"" if self.is_bodiless else body

    def start(self, status: str, fields: Fields, stamp: Stamp) -> bytes:
        """The head of a response whose body comes in pieces. Raises ResponseError as `respond` does."""
        head, flags, length, _ = checked_head(status, fields)
        self.is_started = True
        block = block_of_lines(head)
        if flags & FLAG_BODILESS:
            block += _length_of_none(status, length)
            self.is_bodiless = True
        elif length is not None:
            self.left = length
            block += length_field(length)
        self.block = block + _stamp(flags, stamp)
        return b""

    def data(self, piece: bytes) -> bytes:
        """A piece of the body. What goes beyond the promised length is cut off."""
        if self.is_bodiless:
            return b""
        left = self.left
        if left is not None:
            self.left = left - len(piece)
            if self.left < 0:
                piece = piece[: max(0, left)]
        return piece

    def pass_over(self, length: int) -> bool:
        """Account for a piece of the body that is sent without passing through here. False when it must not be sent.
        Raises ResponseError for a body that is longer than promised."""
        if self.is_bodiless:
            return False
        if self.left is not None:
            if length > self.left:
                raise ResponseError("a file is sent only as a part of a body whose length was promised")
            self.left -= length
        return True

    def end(self, trailers: Fields = ()) -> bytes:
        """The end of the body. Raises ResponseError."""
        if trailers and not self.is_bodiless:
            self.trailers = block_of_lines(plain_lines(trailers))
        return b""

    def interim(self, status: str, fields: Fields) -> bytes:
        """An informational response (RFC 9113 section 8.1). Raises ResponseError."""
        block = block_of_lines(b"HTTP/1.1 %b\r\n%b" % (status.encode("latin-1"), plain_lines(fields)))
        self.interims = [*(self.interims or ()), block]
        return b""

    def switch(self, status: str, fields: Fields, protocol: bytes | None) -> bytes:
        """The head after which the stream is a tunnel: 200 to CONNECT, also where HTTP/1 says 101 (RFC 8441 section 5).
        Raises ResponseError."""
        self.is_started = True
        self.is_bodiless = False
        line = status if protocol is None else "200 OK"
        self.block = block_of_lines(b"HTTP/1.1 %b\r\n%b" % (line.encode("latin-1"), plain_lines(fields)))
        return b""

    @property
    def is_complete(self) -> bool:
        """Whether the body is as long as promised."""
        return self.is_bodiless or self.left is None or self.left <= 0


def _stamp(flags: int, stamp: Stamp) -> bytes:
    """The fields that the server adds to those of the app."""
    if flags & FLAG_DATE:
        return b"" if flags & FLAG_SERVER else block_of_lines(stamp.server)
    return block_of_lines(stamp.date if flags & FLAG_SERVER else stamp.both)


def _length_of_none(status: str, length: int | None) -> bytes:
    # RFC 9110 section 8.6: none with 204; with 304 that of the 200 it stands for.
    if length is None or status[:3] != _NOT_MODIFIED:
        return b""
    return length_field(length)
