"""One stream of an HTTP/2 connection: what the Stream of its request takes for a connection."""

from __future__ import annotations

import threading
from typing import ClassVar, Final, Protocol

from skitaid.engine.channel import ChannelEngine
from skitaid.engine.errors import ClientGoneError
from skitaid.engine.file_piece import FilePiece
from skitaid.engine.file_segment import FileSegment
from skitaid.engine.listener import Listener
from skitaid.engine.secure import SecureSocket
from skitaid.engine.spool import SpoolFile
from skitaid.engine.stream import Stream, StreamEngine
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http2.errors import ErrorCode
from skitaid.protocols.http2.flow import Flow
from skitaid.protocols.http2.outflow import Outflow
from skitaid.protocols.http2.response import Http2Exchange

__all__ = ["HIGH_BYTES", "LOW_BYTES", "Http2Stream", "Http2StreamConnection"]

HIGH_BYTES: Final = 32768
"""A connection has many of them, so each gets less than a connection of HTTP/1."""
LOW_BYTES: Final = 16384


class Http2StreamEngine(StreamEngine, ChannelEngine, Protocol):
    """The engine, as a stream of HTTP/2 sees it."""


class Http2StreamConnection(Protocol):
    """The connection, as its streams see it. `lock` is for `out`, `slow` and the socket; `slow`: those that wait until
    less of theirs is waiting."""

    listener: Listener
    peer: str
    peer_port: str
    client_address: tuple[str, int] | None
    lock: threading.Lock
    out: Outflow
    slow: set[Http2Stream]

    @property
    def engine(self) -> Http2StreamEngine: ...
    @property
    def secure(self) -> SecureSocket | None: ...
    @property
    def is_broken(self) -> bool: ...
    @property
    def is_congested(self) -> bool: ...
    def advance(self, h2_stream: Http2Stream) -> list[Flow]: ...
    def settle(self, ended: list[Flow]) -> None: ...
    def done(self, h2_stream: Http2Stream, stream: Stream) -> None: ...
    def reset(self, h2_stream: Http2Stream, code: ErrorCode) -> None: ...
    def push_for(self, h2_stream: Http2Stream, target: bytes) -> bool: ...
    def resume_stream(self, h2_stream: Http2Stream) -> None: ...
    def go_on(self, h2_stream: Http2Stream) -> None: ...


class Http2Stream(Flow):
    """One stream of an HTTP/2 connection, as the connection of its request. `stream`: the request, as long as its
    response is neither complete nor given up; `is_lost`: nothing more can be sent for it; `is_finishing`: its end is
    queued; `noted`: how much of it was sent when its time-out was last looked at. The rest is as Connection has it."""

    DISCARD_BYTES: ClassVar[int] = 65536

    __slots__ = (
        "_aside",
        "_connection",
        "_drained",
        "client_address",
        "discarded",
        "engine",
        "exchange",
        "is_finishing",
        "is_lost",
        "is_tunnel",
        "listener",
        "noted",
        "peer",
        "peer_port",
        "stream",
        "touched",
    )

    def __init__(self, connection: Http2StreamConnection, stream_id: int, window: int, out_window: int) -> None:
        super().__init__(stream_id, window, out_window)
        self._connection = connection
        self.engine = engine = connection.engine
        self.listener = connection.listener
        self.peer = connection.peer
        self.peer_port = connection.peer_port
        self.client_address = connection.client_address
        self.touched = engine.now
        self.stream: Stream | None = None
        self.exchange: Http2Exchange
        self.is_lost = self.is_finishing = self.is_tunnel = False
        self.discarded = self.noted = 0
        self._drained: threading.Event | None = None
        self._aside: SpoolFile | None = None

    # ------------------------------------------------------------ what a stream asks (StreamConnection)

    @property
    def bytes_ahead(self) -> int:
        """Nobody knows: frames of other streams may be among them."""
        return 0

    @property
    def secure(self) -> SecureSocket | None:
        """What was agreed on, where TLS is spoken."""
        return self._connection.secure

    @property
    def is_broken(self) -> bool:
        """Whether nothing more can be sent."""
        return self.is_lost or self._connection.is_broken

    @property
    def is_congested(self) -> bool:
        """Whether more waits to be sent than should."""
        if self.waiting_bytes <= HIGH_BYTES and not self._connection.is_congested:
            return False
        if self.stream is not None and self.stream.is_on_loop:
            # To be told when that changes. A thread says so itself, in `wait_drained`.
            with self._connection.lock:
                self._connection.slow.add(self)
        return True

    @property
    def is_draining(self) -> bool:
        """The connection goes on, or ends, whatever becomes of one stream."""
        return False

    def can_go_on(self) -> bool:
        """Always: see `is_draining`."""
        return True

    @property
    def is_request_complete(self) -> bool:
        """Whether the request has been received to its end."""
        return self.is_in_ended

    def set_reading(self, is_on: bool) -> None:
        """Pause or resume the request's body. From any thread."""
        if is_on:
            self.engine.portal.call(self._resume)
        else:
            self.is_paused = True

    def _resume(self) -> None:
        self.touched = self.engine.now
        self._connection.resume_stream(self)

    def refuse_request(self, error: ProtocolError) -> None:
        """On the loop: the request can't be taken."""
        stream = self.stream
        if stream is None:
            return
        if stream.is_dispatched or stream.is_started:
            if stream.body is not None:
                stream.body.fail(error)
            return
        self.engine.respond_error(stream, error.status, error.reason)

    def hold(self, data: bytes) -> None:
        """Heads wait in the exchange; what else is to go out with the next piece waits with what can't be sent yet."""
        if data:
            with self._connection.lock:
                self._add_heads(self._checked_out())
                self._connection.out.data(self, data)

    def send(self, data: bytes) -> bool:
        """Send a piece of the body, and heads before it. True when it is sent. Raises ClientGoneError."""
        connection = self._connection
        with connection.lock:
            out = self._checked_out()
            self._add_heads(out)
            out.data(self, data)
            ended = connection.advance(self)
        connection.settle(ended)
        return not self.waiting

    def send_file(self, segment: FileSegment) -> bool:
        """Send a part of a file, which is ours from here on. Raises ClientGoneError."""
        connection = self._connection
        piece = FilePiece(segment, self.engine.disk, self.stream_id, self._go_on)
        with connection.lock:
            if self.is_broken:
                piece.close()
            out = self._checked_out()
            self._add_heads(out)
            out.file(self, piece)
            ended = connection.advance(self)
        connection.settle(ended)
        return not self.waiting

    def _go_on(self) -> None:
        self._connection.go_on(self)

    def put_aside(self, data: bytes) -> bool:
        """In an app thread: keep `data` on disk until the client takes it. False: there is no room. Raises
        ClientGoneError."""
        spool = self.engine.spool
        if spool is None or self.is_broken:
            return False
        if self._aside is None:
            self._aside = spool.make_file()
        segment = spool.add(self._aside, data)
        if segment is not None:
            self.send_file(segment)
        return segment is not None

    def wait_drained(self) -> None:
        """Wait, in an app thread, until the client took most of what waits. Raises ClientGoneError."""
        drained = self._drained
        if drained is None:
            drained = self._drained = threading.Event()
        connection = self._connection
        while True:
            with connection.lock:
                if self.is_broken:
                    raise ClientGoneError("the client gave the request up, or took nothing for too long")
                if self.waiting_bytes <= LOW_BYTES and not connection.is_congested:
                    return
                drained.clear()
                connection.slow.add(self)
            # Bounded by the time-out for a stalled transfer, which resets the stream and sets the event.
            drained.wait()

    def wake(self) -> None:
        """Whoever waits in `wait_drained` is to look again."""
        if self._drained is not None:
            self._drained.set()

    def push(self, target: bytes) -> bool:
        """Promise what GET `target` would get. False: nothing is promised."""
        return self._connection.push_for(self, target)

    def switch(self) -> None:
        """The stream is a tunnel: its pieces go through as they do, and both sides may be silent for long."""
        self.is_tunnel = True

    def end_output(self) -> bool:
        """On the loop: say that nothing more will come from us, and go on listening."""
        connection = self._connection
        with connection.lock:
            if not self.is_broken and not self.is_ending:
                connection.out.end(self, b"")
            ended = connection.advance(self)
        connection.settle(ended)
        return True

    def finish(self, stream: Stream, data: bytes) -> None:
        """The response of `stream` ends with `data`."""
        connection = self._connection
        with connection.lock:
            if self.is_broken:
                ended = None
            else:
                self.is_finishing = True
                if not self.is_ending:
                    self._end(connection.out, data)
                ended = connection.advance(self)
        if ended is None:
            self.abandon(stream)
        else:
            connection.settle(ended)

    def abandon(self, stream: Stream) -> None:
        """The response of `stream` can't be completed: the client sees a reset. Too late for one at its end."""
        if self.stream is not stream or (self.is_finishing and not self.is_broken):
            return
        self._connection.reset(self, ErrorCode.INTERNAL_ERROR)
        self._connection.done(self, stream)

    # ------------------------------------------------------------ inside, under the lock

    def _checked_out(self) -> Outflow:
        if self.is_broken:
            raise ClientGoneError("the client gave the request up, or closed the connection")
        return self._connection.out

    def _add_heads(self, out: Outflow) -> None:
        """What the exchange has for us, before a piece of the body."""
        exchange = self.exchange
        if exchange.interims:
            self._add_interims(out)
        if exchange.block:
            block, exchange.block = exchange.block, b""
            out.head(self, block)

    def _add_interims(self, out: Outflow) -> None:
        # Not on what is pushed, which some clients can't read then.
        for block in self.exchange.interims or () if self.stream_id & 1 else ():
            out.head(self, block)
        self.exchange.interims = None

    def _end(self, out: Outflow, data: bytes) -> None:
        """The last piece, whatever is still to go before it, and the end."""
        exchange = self.exchange
        if exchange.interims:
            self._add_interims(out)
        block = exchange.block
        if block and data and not exchange.left and not exchange.trailers:
            out.respond(self, block, data)
        elif block and not data and exchange.is_complete and not exchange.trailers:
            out.head(self, block, is_end=True)
        else:
            self._add_heads(out)
            if exchange.is_complete:
                out.end(self, data, exchange.trailers)
                return
            # Shorter than promised: what there is goes out, and its end is none.
            out.data(self, data)
            out.pump(len(data) + HIGH_BYTES)
            out.reset(self, ErrorCode.INTERNAL_ERROR)
