"""The server's side of a connection: bytes in, calls on a receiver out, one request at a time.

A request that is pipelined behind another stays in the buffer until `proceed` says that the response before it is
done; so responses can't come out of order, and a client that pipelines a lot costs nobody else.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, Protocol

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.http1.chunked import ChunkedDecoder
from skitaid.protocols.http1.head import MAX_LINE_BYTES, RequestHead, parse_head
from skitaid.protocols.http1.known import MAX_KNOWN_BYTES, known_head, note_head

__all__ = ["MAX_HEAD_BYTES", "Http1Server", "Receiver", "State", "Unread"]

MAX_HEAD_BYTES: Final = 65536
# A method's characters, or the first half of an empty line.
_BEGINNING: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]|\r\Z").match
_LF_LF: Final = re.compile(rb"\n\r?\n").search
_EMPTY_LINES: Final = re.compile(rb"\A(?:\r\n)+")


class Receiver(Protocol):
    """Who is told what came in."""

    def request(self, head: RequestHead) -> None:
        """A head is complete."""

    def body(self, data: bytes) -> None:
        """Some of the request's body, never empty."""

    def end(self, trailers: list[FieldLine]) -> None:
        """The request is complete. Also called, with no body before it, for a request without one."""


class State(Enum):
    """Where in the stream of bytes the reader stands."""

    HEAD = "head"
    BODY = "body"
    COMPLETE = "complete"  # the request is in, its response is not done
    UNREAD = "unread"  # the connection is HTTP's no more


# Looking a member up in its Enum costs 0.1 µs on 3.11, several times a request.
_HEAD: Final = State.HEAD
_BODY: Final = State.BODY
_COMPLETE: Final = State.COMPLETE


class Http1Server:
    """Feed it bytes; it calls the receiver. Raises ProtocolError out of `feed` and `proceed`; nothing may be fed
    after that. `held`: bytes held back, a part of a head or requests pipelined behind the one in flight."""

    __slots__ = ("_chunked", "_left", "_receiver", "held", "state")

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.held = b""
        self._left = 0
        self._chunked: ChunkedDecoder | None = None
        self.state = _HEAD

    def tell(self, receiver: Receiver) -> None:
        """Another is told from here on."""
        self._receiver = receiver

    @property
    def buffered(self) -> int:
        """Bytes held back: a part of a head, or requests pipelined behind the one in flight. While the receiver is told
        of a request: what follows its head."""
        return len(self.held)

    def feed(self, data: bytes) -> None:
        """Take what the peer sent, at least a byte."""
        state = self.state
        if state is _HEAD:
            known = len(self.held)
            if known:
                # What was searched before is not searched again, but for an end of which a part was there.
                self._head(self.held + data, max(0, known - 3))
                return
            head = known_head(data) if len(data) <= MAX_KNOWN_BYTES else None
            if head is None:
                self._head(data)
            else:
                self._begin(head, b"")
        elif state is _BODY:
            self._body(data)
        else:
            self.held += data

    def proceed(self) -> None:
        """The response is done: begin with the next request, if it is there already."""
        self.state = _HEAD
        data, self.held = self.held, b""
        if data:
            self._head(data)

    def _head(self, data: bytes, begin: int = 0) -> None:
        """`data` from the start of a head; its end is not before `begin`."""
        end = data.find(b"\r\n\r\n", begin)
        if end < 0 or end > MAX_HEAD_BYTES or data[:2] == b"\r\n":
            self._unusual_head(data, begin, end)
            return
        end += 4
        rest = data[end:]
        raw = data[:end] if rest else data
        # What came alone was looked up before.
        head = known_head(raw) if rest and end <= MAX_KNOWN_BYTES else None
        if head is None:
            head = parse_head(raw[:-4])
            if end <= MAX_KNOWN_BYTES:
                note_head(raw, head)
        self._begin(head, rest)

    def _begin(self, head: RequestHead, rest: bytes) -> None:
        """A head is complete, and `rest` came behind it."""
        if head.content_length == 0:
            self.state = _COMPLETE
            self.held = rest
            self._receiver.request(head)
            self._receiver.end([])
            return
        self.state = _BODY
        # So that the receiver can tell how much of the body is here already.
        self.held = rest
        self._left = head.content_length or 0
        self._chunked = ChunkedDecoder() if head.content_length is None else None
        self._receiver.request(head)
        self.held = b""
        if rest:
            self._body(rest)

    def _unusual_head(self, data: bytes, begin: int, end: int) -> None:
        """Empty lines before a request are skipped (RFC 9112 section 2.2); an incomplete head is kept, unless it can
        be refused already."""
        if data[:2] == b"\r\n":
            self.held = b""
            if data := _EMPTY_LINES.sub(b"", data, count=1):
                self._head(data)
            return
        if not _BEGINNING(data):
            raise ProtocolError(400, "this is not HTTP (TLS on a port without TLS, perhaps)")
        line_end = data.find(b"\n")
        if (len(data) if line_end < 0 else line_end) > MAX_LINE_BYTES + 1:
            raise ProtocolError(414, f"the request line is longer than {MAX_LINE_BYTES} bytes")
        # The first three bytes of the empty line may be there already.
        if end > MAX_HEAD_BYTES or len(data) > MAX_HEAD_BYTES + 3:
            raise ProtocolError(431, f"the head is longer than {MAX_HEAD_BYTES} bytes")
        if (line_end >= 0 and data[line_end - 1] != 13) or _LF_LF(data, begin):
            # Two ends of line that are not the empty line: its sender waits for an answer already.
            raise ProtocolError(400, "a line of the head does not end in CRLF")
        self.held = data

    def _body(self, data: bytes) -> None:
        if self._chunked is not None:
            self._chunked_body(self._chunked, data)
            return
        if len(data) < self._left:
            self._left -= len(data)
            self._receiver.body(data)
            return
        rest = data[self._left :]
        self._complete(data[: self._left] if rest else data, rest, [])

    def _chunked_body(self, decoder: ChunkedDecoder, data: bytes) -> None:
        pieces = decoder.feed(data)
        if decoder.is_complete:
            self._complete(b"".join(pieces), decoder.rest, decoder.trailers)
        elif pieces:
            self._receiver.body(b"".join(pieces))

    def _complete(self, data: bytes, rest: bytes, trailers: list[FieldLine]) -> None:
        self.state = _COMPLETE
        self._chunked = None
        self.held = rest
        if data:
            self._receiver.body(data)
        self._receiver.end(trailers)


class Unread(Http1Server):
    """In the place of the reader of a connection that speaks another protocol by now: all goes to the receiver's
    `body` as it is."""

    __slots__ = ()

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver)
        self.state = State.UNREAD

    def feed(self, data: bytes) -> None:
        self._receiver.body(data)
