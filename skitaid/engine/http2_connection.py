"""HTTP/2 on a connection: many requests at a time, each with an `Http2Stream` for its connection. What comes in, time,
and the end; all of it on the loop thread. `http2_output` says who sends.
"""

from __future__ import annotations

import socket
from typing import Final

from skitaid.engine.channel import LOW_BYTES
from skitaid.engine.connection import ConnectionEngine
from skitaid.engine.http2_output import Http2Output
from skitaid.engine.http2_prelude import Prelude
from skitaid.engine.http2_stream import Http2Stream
from skitaid.engine.listener import Listener, Peer
from skitaid.engine.phase import Phase
from skitaid.engine.poller import READ, WRITE
from skitaid.engine.secure import SecureSocket
from skitaid.engine.stream import Stream
from skitaid.engine.timeouts import Timeouts
from skitaid.exceptions import PeerError
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.server import Http1Server
from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode, StreamFault
from skitaid.protocols.http2.frames import MAX_WINDOW, goaway_frame
from skitaid.protocols.http2.limits import Http2Limits
from skitaid.protocols.http2.response import Http2Exchange
from skitaid.protocols.http2.server import Http2Server
from skitaid.protocols.http2.settings import PeerSettings

__all__ = ["Http2Connection"]

LEAVE_S: Final = 0.25
"""Between saying that we are about to go and going: requests that are on their way are still taken."""
_SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


class Http2Connection(Http2Output):
    """What comes in, and when it ends; what goes out is Http2Output's."""

    __slots__ = ("_limits", "_seen", "_swept")

    def __init__(
        self, engine: ConnectionEngine, listener: Listener, sock: socket.socket | SecureSocket, peer: Peer, *,
        limits: Http2Limits,
    ) -> None:  # fmt: skip
        super().__init__(engine, listener, sock, peer)
        self._limits = limits
        self.protocol = Http2Server(self, limits)
        self.flows = self.protocol.flows
        self._seen = self._swept = 0
        self.out.emit(self.protocol.begin())

    # ------------------------------------------------------------ input, on the loop thread

    def begin(self, data: bytes) -> None:
        self._feed(data)
        if self.is_closing:
            self._begin_close()

    def on_event(self, mask: int) -> None:
        if mask & WRITE and not self._outgoing:
            self._flush()
        super().on_event(mask)

    def upgrade(self, head: RequestHead, settings: bytes, prelude: Http1Server) -> None:
        """The client came by Upgrade, with these SETTINGS: its request is stream 1 (RFC 7540 section 3.2). Its body,
        which is here, comes by `prelude`."""
        self.out.frames.insert(0, _SWITCHING)
        h2_stream = self.open(1)
        prelude.tell(Prelude(self, h2_stream, prelude))
        self._is_feeding = True
        try:
            self.protocol.upgrade(settings, h2_stream)
            h2_stream.is_in_ended = head.content_length == 0
            self.request(h2_stream, head)
        except ConnectionFault as fault:
            self._fail(fault)
        finally:
            self._end_feed()
        if self.is_closing:
            self._begin_close()

    def leave_prelude(self, rest: bytes) -> None:
        """HTTP/1 is over, and `rest` came behind it."""
        if rest:
            self._feed(rest)

    def _feed(self, data: bytes) -> None:
        if self.is_closing:
            return
        protocol, out = self.protocol, self.out
        # A client has to say that it took what it got; some say it for each 4 KB, of the stream and of the connection.
        earned = 2 * out.sent_frames + (out.sent_bytes >> 11)
        protocol.earn(earned - self._seen)
        self._seen = earned
        self._is_feeding = True
        try:
            protocol.feed(data)
        except ConnectionFault as fault:
            self._fail(fault)
        finally:
            self._end_feed()
        if not protocol.is_midway:
            self.head_at = self.engine.now

    def _end_feed(self) -> None:
        with self.lock:
            self._is_feeding = False
            ended = self._pump()
            self._transmit()
        self.settle(ended)
        if self.is_congested and self._interest & READ:
            # It asks for more than it takes.
            self.set_reading(False)

    def _fail(self, fault: ConnectionFault) -> None:
        """Say why, and close."""
        self._say_goodbye(fault.code, fault.reason)
        self.is_closing = True

    def _say_goodbye(self, code: ErrorCode, reason: str = "") -> None:
        self.protocol.accepts = self.protocol.last_id
        self.emit(goaway_frame(self.protocol.last_id, code, reason))
        if code is not ErrorCode.NO_ERROR:
            self._lose_streams("the client broke the protocol")

    def _input_ended(self) -> None:
        self.input_ended = True
        self.set_reading(False)
        for h2_stream in list(self.flows.values()):
            if not h2_stream.is_in_ended:
                self.protocol.flows.pop(h2_stream.stream_id, None)
                reason = "the client closed the connection"
                self.lost(h2_stream, StreamFault(h2_stream.stream_id, ErrorCode.CANCEL, reason))
            elif h2_stream.stream is not None and h2_stream.stream.body is not None and h2_stream.stream.is_on_loop:
                # An app that waits for the client to go is told.
                h2_stream.stream.body.fail(PeerError("the client closed its side of the connection"))
        self._proceed()

    def _flush(self) -> None:
        self._send_queued()
        if self.is_broken:
            self._lose()
            return
        with self.lock:
            ended = self._pump()
            self._transmit()
        self.settle(ended)
        if self.outgoing_bytes <= LOW_BYTES and not self._interest & READ and not self.input_ended:
            self.set_reading(True)

    # ------------------------------------------------------------ the protocol's calls (Receiver)

    def open(self, stream_id: int) -> Http2Stream:
        return Http2Stream(self, stream_id, self._limits.stream_window, self.out.peer.initial_window)

    def may_open(self) -> bool:
        most = self._limits.max_streams
        count = len(self.flows) + len(self._lost)
        # What we push is not the client's.
        return count < most or count - sum(1 for each in list(self.flows) if not each & 1) < most

    def request(self, h2_stream: Http2Stream, head: RequestHead) -> None:
        exchange = h2_stream.exchange = Http2Exchange(head.line.method)
        stream = h2_stream.stream = Stream(h2_stream, head, exchange)
        self.served += 1
        try:
            self.engine.dispatch(stream)
        except ProtocolError as error:
            h2_stream.refuse_request(error)
        if h2_stream.is_in_ended and stream.body is not None:
            stream.body.end()

    def refuse(self, h2_stream: Http2Stream, error: ProtocolError) -> None:
        exchange = h2_stream.exchange = Http2Exchange("GET")
        body = exchange.respond(*self.engine.refuse(None, self.peer, error), self.engine.stamp)
        with self.lock:
            self.out.respond(h2_stream, exchange.block, body)
        self._release(h2_stream)

    def body(self, h2_stream: Http2Stream, data: bytes) -> None:
        h2_stream.touched = self.engine.now
        stream = h2_stream.stream
        if stream is not None and stream.body is not None:
            try:
                stream.body.feed(data)
            except ProtocolError as error:
                h2_stream.refuse_request(error)
            return
        h2_stream.discarded += len(data)
        if h2_stream.discarded > h2_stream.DISCARD_BYTES and stream is None:
            # The response is out (RFC 9113 section 8.1).
            self.reset(h2_stream, ErrorCode.NO_ERROR)

    def end(self, h2_stream: Http2Stream, trailers: list[FieldLine]) -> None:
        stream = h2_stream.stream
        if stream is not None and stream.body is not None:
            stream.body.end()
        if stream is None:
            self._release(h2_stream)

    def lost(self, h2_stream: Http2Stream, fault: StreamFault) -> None:
        with self.lock:
            self._drop(h2_stream)
            stream = h2_stream.stream
            # If nobody is at work for it, it is over here and now.
            is_over = stream is not None and (h2_stream.is_finishing or not stream.is_dispatched)
            if stream is not None and not is_over:
                self._lost.add(h2_stream)
        h2_stream.wake()
        if stream is None:
            return
        if is_over:
            self.done(h2_stream, stream)
            return
        if stream.body is not None:
            stream.body.fail(PeerError(fault.reason))
        if stream.is_on_loop:
            stream.resume()

    def open_window(self, h2_stream: Http2Stream | None, increment: int) -> None:
        with self.lock:
            self.out.open_window(h2_stream, increment)

    def set_peer(self, peer: PeerSettings) -> None:
        with self.lock:
            self.out.set_peer(peer, list(self.flows.values()))

    # ------------------------------------------------------------ time

    @property
    def is_busy(self) -> bool:
        return bool(self.flows)

    def _phase_of_requests(self) -> Phase:
        if self.flows:
            return Phase.APP
        return Phase.HEAD if self.protocol.is_midway else Phase.IDLE

    def sweep(self, timeouts: Timeouts) -> None:
        """Once a second: give back what budgets get by time, and give up streams whose client keeps us waiting."""
        now = self.engine.now
        self.protocol.refill()
        if self.protocol.is_midway and now - self.head_at > timeouts.head_s and not self.is_closing:
            self.time_out(Phase.HEAD)
            return
        is_moving = self.out.sent_bytes != self._swept
        self._swept = self.out.sent_bytes
        for h2_stream in list(self.flows.values()):
            # Whose turn did not come, though the client takes what others send, is not kept waiting by it.
            if h2_stream.sent != h2_stream.noted or (is_moving and h2_stream.out_window > 0):
                h2_stream.noted = h2_stream.sent
                h2_stream.touched = now
            if now - h2_stream.touched > timeouts.stall_s:
                self._look_at(h2_stream)

    def _look_at(self, h2_stream: Http2Stream) -> None:
        """Nothing went on with this stream for long."""
        stream = h2_stream.stream
        if h2_stream.waiting or h2_stream.is_finishing:
            self._give_up(h2_stream, "the client took nothing for too long")
        elif not h2_stream.is_in_ended and not h2_stream.is_paused and not h2_stream.is_tunnel:
            if stream is None:
                self.reset(h2_stream, ErrorCode.NO_ERROR)
            elif stream.body is None or stream.body.before_read is None:
                h2_stream.refuse_request(ProtocolError(408, "the body of the request did not arrive in time"))

    def _give_up(self, h2_stream: Http2Stream, reason: str) -> None:
        fault = StreamFault(h2_stream.stream_id, ErrorCode.CANCEL, reason)
        self.reset(h2_stream, ErrorCode.CANCEL)
        self.lost(h2_stream, fault)

    def time_out(self, phase: Phase) -> None:
        if phase is Phase.SENDING:
            self.on_failure()
        elif phase is Phase.LINGERING:
            self._close()
        else:
            code = ErrorCode.NO_ERROR if phase is Phase.IDLE else ErrorCode.SETTINGS_TIMEOUT
            self._say_goodbye(code)
            self.is_closing = True
            self.go_out()
            self._begin_close()

    # ------------------------------------------------------------ ends

    def close_idle(self) -> None:
        """Section 6.8: first that we are about to go, then what we have looked at."""
        now = self.engine.loop.time()
        if self._leave_at is None:
            self._leave_at = now + LEAVE_S
            self.emit(goaway_frame(MAX_WINDOW, ErrorCode.NO_ERROR))
            self.go_out()
        elif now >= self._leave_at and not self.is_closing:
            self._leave_at = float("inf")
            if self.protocol.accepts == MAX_WINDOW:
                self._say_goodbye(ErrorCode.NO_ERROR)
                self.go_out()
            self._proceed()

    def _proceed(self) -> None:
        """On the loop: close, if that is what is left to do."""
        if self._is_closed or self.flows:
            return
        is_leaving = self.protocol.accepts != MAX_WINDOW
        if self.is_closing or self.input_ended or is_leaving:
            self.is_closing = True
            self._begin_close()

    def _lose_streams(self, reason: str) -> None:
        """Nothing more can be sent for any of them."""
        streams = list(self.flows.values())
        self.flows.clear()
        for h2_stream in streams:
            h2_stream.is_in_ended = True
            self.lost(h2_stream, StreamFault(h2_stream.stream_id, ErrorCode.CANCEL, reason))

    def _lose(self) -> None:
        self.is_broken = True
        self.input_ended = True
        self._close_when_free()

    def _close_when_free(self) -> None:
        self.is_closing = True
        with self.lock:
            # From here on nobody touches the socket.
            self.is_broken = True
        self._lose_streams("the client closed the connection")
        self._close()

    def stop_waiting(self) -> None:
        if self._outgoing:
            self.is_broken = True
        for h2_stream in list(self.flows.values()):
            h2_stream.wake()
            body = None if h2_stream.stream is None else h2_stream.stream.body
            if body is not None and not body.is_complete:
                body.fail(PeerError("the server stops"))
