"""One call on an HTTP/2 connection: the carrier of its exchange.

What the peer sent while nobody reads is held, and its credit (RFC 9113 section 5.2) with it: the window of a stream
bounds what can be held.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.request import RequestError, field_lines
from skitaid.protocols.response_head import ResponseHead
from skitaid.upstream.call import Fields, Tunnel
from skitaid.upstream.carrier import Carried
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.transport import HIGH_BYTES, LOW_BYTES

__all__ = ["Http2Stream", "StreamConnection"]

MAX_INTERIM: Final = 64


class StreamConnection(Protocol):
    """The connection, as its streams see it."""

    member: str

    def pump(self, stream: Http2Stream) -> None:
        """Send of its request what may be sent."""

    def credit(self, stream: Http2Stream, count: int) -> None:
        """So many bytes of its response were consumed."""

    def leave(self, stream: Http2Stream, *, is_reset: bool) -> None:
        """It carries nothing any more. `is_reset`: the peer does not know yet."""


class Http2Stream:
    """One call on a connection of HTTP/2. `pieces`: of the request's body, not sent yet. `is_ended`: the caller has
    given all of it; `is_sent`: it has gone out, and its end too. `has_begun`: something of the response came.
    `uncredited`: bytes of the response that were consumed, and the peer does not know yet. `started` by the engine's
    clock."""

    __slots__ = (
        "_connection", "_held", "_interim", "_is_complete", "_is_giving", "_is_paused",
        "_is_refused", "_left", "_promised", "_trailers", "exchange", "has_begun", "id", "is_ended", "is_sent",
        "pending_bytes", "pieces", "request_trailers", "started", "uncredited",
    )  # fmt: skip

    def __init__(self, connection: StreamConnection, exchange: Carried, stream_id: int, started: float) -> None:
        self._connection = connection
        self.exchange: Carried | None = exchange
        self.id = stream_id
        self.started = started
        self.pieces: deque[memoryview] = deque()
        self.pending_bytes = self.uncredited = 0
        self.request_trailers: list[tuple[bytes, bytes]] = []
        self.is_ended = self.is_sent = self.has_begun = False
        self._promised: int | None = None
        self._is_refused = self._is_paused = self._is_giving = self._is_complete = False
        self._held: deque[tuple[bytes, int]] = deque()
        self._trailers: Fields = ()
        self._left: int | None = None
        self._interim = 0

    # ------------------------------------------------------------ for the exchange

    def begin_body(self, exchange: Carried) -> None:
        """Take what there is of the request's body."""
        call = exchange.call
        if call.body is not None:
            self._queue(call.body)
            self.is_ended = True
            return
        self._promised = call.content_length
        pieces, ending = exchange.body_so_far
        for piece in pieces:
            self._queue(self._counted(piece))
        if ending is not None:
            self._end_body(ending)

    def send(self, data: bytes) -> bool:
        """See Carrier."""
        self._queue(self._counted(data))
        self._connection.pump(self)
        self._is_refused = self.pending_bytes > HIGH_BYTES
        return not self._is_refused

    def end(self, trailers: Fields = ()) -> None:
        """See Carrier."""
        self._end_body(trailers)
        self._connection.pump(self)

    def _end_body(self, trailers: Fields) -> None:
        if self._promised:
            raise RequestError(f"the body of the request is {self._promised} bytes shorter than was promised")
        field_lines(trailers)  # refuses what can't be sent
        self.request_trailers = [(name.lower(), value) for name, value in trailers]
        self.is_ended = True

    def _counted(self, data: bytes) -> bytes:
        if self._promised is not None:
            if len(data) > self._promised:
                raise RequestError("the body of the request is longer than was promised")
            self._promised -= len(data)
        return data

    def _queue(self, data: bytes) -> None:
        if data:
            self.pieces.append(memoryview(data))
            self.pending_bytes += len(data)

    def set_reading(self, is_on: bool) -> None:
        """See Carrier."""
        self._is_paused = not is_on
        if is_on and not self._is_giving:
            self._give()

    @property
    def is_members_turn(self) -> bool:
        """See Carrier."""
        return self.is_ended or bool(self.pieces)

    def release(self) -> None:
        """Of the carrier. A response that is complete makes the rest of the request pointless."""
        self.exchange = None
        self._connection.leave(self, is_reset=not self.is_sent)

    def abort(self) -> None:
        """See Carrier."""
        if self.exchange is not None:
            self.exchange = None
            self._held.clear()
            self._connection.leave(self, is_reset=True)

    def detach(self) -> Tunnel:
        """Of the carrier. There is nothing to switch to: see `request_head`."""
        raise NotImplementedError

    # ------------------------------------------------------------ for the connection

    def take(self, most: int) -> memoryview:
        """Up to `most` bytes of what is to be sent; they are gone from `pieces`."""
        piece = self.pieces[0]
        if len(piece) <= most:
            self.pieces.popleft()
        else:
            self.pieces[0] = piece[most:]
            piece = piece[:most]
        self.pending_bytes -= len(piece)
        return piece

    def sent_some(self, now: float) -> None:
        """The peer, or the network, took of the request."""
        exchange = self.exchange
        if exchange is not None:
            exchange.touched = now
            if self._is_refused and self.pending_bytes <= LOW_BYTES:
                self._is_refused = False
                exchange.on_writable()

    def heard_information(self, head: ResponseHead) -> None:
        """A response before the final one. Raises ProtocolError for too many."""
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise ProtocolError(502, f"more than {MAX_INTERIM} responses before the final one")
        if self.exchange is not None:
            self.exchange.on_information(head)

    def heard_head(self, head: ResponseHead) -> None:
        """The final response's head. Raises ProtocolError for a body where there is none."""
        exchange = self.exchange
        if exchange is not None:
            is_bodiless = exchange.call.method == "HEAD" or head.status in (204, 304)
            self._left = 0 if is_bodiless else head.content_length
            exchange.on_response(head)

    def heard_data(self, data: bytes, flow: int) -> None:
        """A piece of the body, which took `flow` bytes of the window. Raises ProtocolError for more than was said."""
        if self._left is not None:
            if len(data) > self._left:
                raise ProtocolError(502, "the body is longer than Content-Length says")
            self._left -= len(data)
        self._held.append((data, flow))
        self._give()

    def heard_trailers(self, fields: Fields) -> None:
        """The fields behind the body."""
        self._trailers = fields

    def heard_end(self) -> None:
        """The end of the response. Raises ProtocolError for less than was said."""
        if self._left:
            raise ProtocolError(502, f"the body is {self._left} bytes shorter than Content-Length says")
        self._is_complete = True
        self._give()

    def flush(self) -> None:
        """Nothing more came for now."""
        if self.exchange is not None and not self._held:
            self.exchange.on_flush()

    def fail(self, failure: Failure, detail: str, *, is_unsent: bool = False, is_stale: bool = False) -> None:
        """There will be no complete response. What is held can't be given any more."""
        exchange, self.exchange = self.exchange, None
        self._held.clear()
        if exchange is not None:
            error = UpstreamError(failure, detail, member=self._connection.member, is_unsent=is_unsent)
            exchange.failed(error, is_stale=is_stale)

    # ------------------------------------------------------------ what is held

    def _give(self) -> None:
        """Tell the exchange what it has not heard, as far as it reads. It may pause, resume or end from inside."""
        held = self._held
        self._is_giving = True
        while held and not self._is_paused and self.exchange is not None:
            data, flow = held.popleft()
            self._connection.credit(self, flow)
            if data:
                self.exchange.on_data(data)
        self._is_giving = False
        if self._is_complete and not held and not self._is_paused and self.exchange is not None:
            self.exchange.on_end(self._trailers)
