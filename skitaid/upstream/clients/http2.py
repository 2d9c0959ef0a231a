"""HTTP/2 with a member (RFC 9113): many calls on one connection. The h2 package does the protocol; it is loaded with
this module, by those alone who speak HTTP/2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import H2Error, StreamClosedError
from hyperframe.exceptions import HyperframeError

from skitaid.protocols.errors import ProtocolError
from skitaid.upstream.carrier import Carried, Peer
from skitaid.upstream.clients.http2_frames import Frames, GoAway, goaway_of
from skitaid.upstream.clients.http2_head import request_head, response_head, trailers
from skitaid.upstream.clients.http2_protocol import (
    CONNECTION_WINDOW,
    MAX_STREAMS,
    STREAM_WINDOW,
    begin_connection,
    leave_length,
)
from skitaid.upstream.clients.http2_stream import Http2Stream
from skitaid.upstream.context import UpstreamEngine
from skitaid.upstream.errors import Failure
from skitaid.upstream.transport import HIGH_BYTES, StreamSocket, Transport

__all__ = ["Http2Connection", "Http2Owner"]

MAX_STREAM_ID: Final = 1 << 30
MAX_CONTROL_BYTES: Final = 1 << 20
"""Of answers to what the member says; a member that asks without reading gets no more."""
SILENCE_S: Final = 1.0
"""A call that is given up after so long, without a word of the member on any stream, makes the connection suspect."""
_TURN_BYTES: Final = 65536
_CODES: Final = {code.value: code.name for code in ErrorCodes}


class Http2Owner(Protocol):
    """A pool, as its connections see it."""

    def released(self, connection: Http2Connection) -> None:
        """It may have room for another call."""

    def closed(self, connection: Http2Connection) -> None:
        """It is gone, whatever for."""


class Http2Connection(Transport):
    """A connection of HTTP/2 to a member. It carries many calls. `born` and `idle_since` by the engine's clock.
    `is_retired`: it takes no more calls, and is closed after the last. `is_settled`: the member's settings came; before
    that one call is carried at a time, as a server that allows few would refuse others.
    """

    __slots__ = (
        "_blocked", "_frames", "_h2", "_heard_at", "_is_hearing", "_limit", "_owner", "_peer", "_streams", "_touched",
        "_uncredited", "born", "calls", "idle_since", "is_retired", "is_settled", "member",
    )  # fmt: skip

    def __init__(self, engine: UpstreamEngine, sock: StreamSocket, owner: Http2Owner, peer: Peer) -> None:
        super().__init__(engine, sock)
        self._owner = owner
        self._frames = Frames()
        self._streams: dict[int, Http2Stream] = {}
        self._blocked: dict[int, Http2Stream] = {}
        self._touched: dict[int, Http2Stream] = {}
        self._limit = 1
        self._uncredited = 0
        self._peer = peer
        self.member = peer.member
        self.calls = 0
        self.is_retired = self.is_settled = self._is_hearing = False
        self.born = self.idle_since = self._heard_at = engine.now
        self._h2 = begin_connection()
        self._flush()

    # ------------------------------------------------------------ for the pool

    @property
    def in_flight(self) -> int:
        """Calls that it carries."""
        return len(self._streams)

    @property
    def has_room(self) -> bool:
        """Whether another call may be started."""
        return len(self._streams) < self._limit and not self.is_retired and not self.is_closed and not self.is_deaf

    def start(self, exchange: Carried) -> Http2Stream | None:
        """Carry a call, when there is room. None: it heard of a failure already. Raises RequestError."""
        head = request_head(exchange, self._peer)
        stream_id = self._h2.get_next_available_stream_id()
        stream = Http2Stream(self, exchange, stream_id, self.engine.now)
        stream.begin_body(exchange)
        self.calls += 1
        self.is_retired = self.is_retired or stream_id >= MAX_STREAM_ID
        is_all = stream.is_ended and not stream.pieces and not stream.request_trailers
        self._h2.send_headers(stream_id, head, end_stream=is_all)
        leave_length(self._h2, stream_id)
        self._streams[stream_id] = stream
        stream.is_sent = is_all
        self.has_sent = False
        self.pump(stream)
        if self.is_deaf and not self.has_sent:
            del self._streams[stream_id]
            stream.fail(Failure.RESET, "not a byte of the request was taken", is_unsent=True, is_stale=self.calls > 1)
            return None
        return stream

    def retire(self) -> None:
        """No more calls; closed when those in flight are done."""
        self.is_retired = True
        if not self._streams:
            self.close()

    def is_still_open(self) -> bool:
        """Whether the member has not closed it, as far as can be seen without reading."""
        return True

    def close(self) -> None:
        """What is in flight is lost, and not told."""
        if not self.is_closed:
            super().close()
            self._owner.closed(self)

    # ------------------------------------------------------------ for streams

    def pump(self, stream: Http2Stream) -> None:
        """Of the stream's connection. What is said while we listen goes out together: answers lead to new calls."""
        self._send_some(stream)
        if not self._is_hearing:
            self._flush()

    def credit(self, stream: Http2Stream, count: int) -> None:
        """Of the stream's connection."""
        stream.uncredited += count
        if stream.uncredited >= STREAM_WINDOW // 2 and stream.id in self._streams and not self.is_closed:
            self._increment(stream.uncredited, stream.id)
            stream.uncredited = 0
            self._flush()

    def leave(self, stream: Http2Stream, *, is_reset: bool) -> None:
        """Of the stream's connection."""
        if self._streams.pop(stream.id, None) is None or self.is_closed:
            return
        self._blocked.pop(stream.id, None)
        if is_reset:
            self._reset(stream.id, ErrorCodes.CANCEL)
            now = self.engine.now
            if now - max(self._heard_at, stream.started) >= SILENCE_S:
                self.is_retired = True
        self._left()

    def _left(self) -> None:
        """A place is free."""
        if not self._streams:
            self.idle_since = self.engine.now
            if self.is_retired:
                self.close()
                return
        if not self.is_retired:
            self._owner.released(self)

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        try:
            self._h2.reset_stream(stream_id, code)
        except StreamClosedError:
            return  # the member was quicker
        self._flush()

    def _increment(self, count: int, stream_id: int | None) -> None:
        try:
            self._h2.increment_flow_control_window(count, stream_id)
        except StreamClosedError:
            return  # nothing more comes there

    # ------------------------------------------------------------ what goes out

    def _send_some(self, stream: Http2Stream) -> bool:
        """Some of a request's body, as far as windows go; whether anything went."""
        h2, budget = self._h2, _TURN_BYTES
        while stream.pieces and budget > 0 and self.outgoing_bytes <= HIGH_BYTES:
            room = min(h2.local_flow_control_window(stream.id), h2.max_outbound_frame_size)
            if room <= 0:
                break
            piece = stream.take(room)
            budget -= len(piece)
            is_last = stream.is_ended and not stream.pieces and not stream.request_trailers
            h2.send_data(stream.id, bytes(piece), end_stream=is_last)
            stream.is_sent = is_last
            self._flush()
        self._blocked.pop(stream.id, None)
        if stream.pieces:
            self._blocked[stream.id] = stream  # behind the others
        else:
            self._send_end(stream)
        return budget < _TURN_BYTES

    def _send_end(self, stream: Http2Stream) -> None:
        if not stream.is_ended or stream.is_sent:
            return
        stream.is_sent = True
        if stream.request_trailers:
            self._h2.send_headers(stream.id, stream.request_trailers, end_stream=True)
        else:
            self._h2.end_stream(stream.id)

    def _pump_all(self) -> None:
        """Each in turn, so that a long body does not hold up the others."""
        is_moving = True
        while is_moving and self._blocked and self.outgoing_bytes <= HIGH_BYTES:
            is_moving = False
            for stream in list(self._blocked.values()):
                if self._streams.get(stream.id) is stream and self._send_some(stream):
                    is_moving = True
                    stream.sent_some(self.engine.now)
        self._flush()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self.is_closed:
            self.transmit(data)

    def drained(self) -> None:
        self._pump_all()

    # ------------------------------------------------------------ what comes in

    def received(self, data: bytes) -> None:
        self._heard_at = self.engine.now
        self._is_hearing = True
        try:
            self._feed(data)
        except ProtocolError as error:
            self._break(Failure.INVALID, error.reason)
        except (H2Error, HyperframeError) as error:
            self._break(Failure.INVALID, str(error) or type(error).__name__)
        finally:
            self._is_hearing = False
        self._flush()
        if self.outgoing_bytes > HIGH_BYTES + MAX_CONTROL_BYTES:
            self._break(Failure.INVALID, "the member asks for answers and does not read them")
        touched, self._touched = self._touched, {}
        for stream in touched.values():
            stream.flush()

    def _feed(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            going = goaway_of(frame)
            if going is not None:
                self._go_away(going)
            else:
                for event in self._h2.receive_data(frame):
                    handler = _HANDLERS.get(type(event))
                    if handler is not None:
                        handler(self, event)
            if self.is_closed:
                return

    def _on_stream_event(self, event: Any) -> None:
        """An event of a stream: what is wrong with it ends that stream alone."""
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        try:
            _STREAM_HANDLERS[type(event)](stream, event)
        except ProtocolError as error:
            self._drop(stream, ErrorCodes.PROTOCOL_ERROR)
            stream.fail(Failure.INVALID, error.reason)
            return
        stream.has_begun = True
        self._touched[stream.id] = stream
        if stream.exchange is not None and (not isinstance(event, DataReceived) or event.data):
            stream.exchange.touched = self.engine.now

    def _on_data(self, event: DataReceived) -> None:
        """The connection's credit is given back at once: one slow reader must not hold up the others."""
        self._uncredited += event.flow_controlled_length or 0
        if self._uncredited >= CONNECTION_WINDOW // 2:
            self._increment(self._uncredited, None)
            self._uncredited = 0
        self._on_stream_event(event)

    def _on_reset(self, event: StreamReset) -> None:
        stream = self._streams.pop(event.stream_id, None)
        if stream is None:
            return
        self._blocked.pop(stream.id, None)
        code = int(event.error_code or 0)
        if code == ErrorCodes.REFUSED_STREAM:
            # RFC 9113 section 8.7: nobody looked at it
            stream.fail(Failure.RESET, "the member refused the stream", is_unsent=True, is_stale=True)
        else:
            failure = Failure.TRUNCATED if stream.has_begun else Failure.RESET
            stream.fail(failure, f"the member reset the stream: {_CODES.get(code, hex(code))}")
        self._left()

    def _on_settings(self, event: RemoteSettingsChanged) -> None:
        self.is_settled = True
        self._limit = min(self._h2.remote_settings.max_concurrent_streams, MAX_STREAMS)
        self._pump_all()
        self._owner.released(self)

    def _on_window(self, event: WindowUpdated) -> None:
        stream = self._blocked.get(event.stream_id or 0)
        if stream is None:
            self._pump_all()
        elif self._send_some(stream):
            stream.sent_some(self.engine.now)

    # ------------------------------------------------------------ ends

    def _go_away(self, going: GoAway) -> None:
        """RFC 9113 section 6.8: streams above the last one were not looked at, the others go on."""
        self.is_retired = True
        unseen = [stream for stream in self._streams.values() if stream.id > going.last_stream]
        for stream in unseen:
            self._streams.pop(stream.id, None)
            self._blocked.pop(stream.id, None)
        reason = _CODES.get(going.code, hex(going.code))
        for stream in unseen:
            stream.fail(Failure.RESET, f"the member goes away: {reason}", is_unsent=True, is_stale=True)
        if not self._streams:
            self.close()

    def input_ended(self) -> None:
        self._cut("the member closed the connection")

    def lost(self, error: OSError | None) -> None:
        self._cut((error and error.strerror) or "the connection broke")

    def _cut(self, detail: str) -> None:
        streams = self._take_all()
        for stream in streams:
            if stream.has_begun:
                stream.fail(Failure.TRUNCATED, detail)
            else:
                is_stale = self.calls > 1 and self._heard_at <= stream.started
                stream.fail(Failure.RESET, detail, is_stale=is_stale)

    def _break(self, failure: Failure, detail: str) -> None:
        """What the member says can't be understood: h2 has a word of goodbye for it."""
        self._flush()
        for stream in self._take_all():
            stream.fail(failure, detail)

    def _take_all(self) -> list[Http2Stream]:
        """Everything in flight, of a connection that is closed from here on."""
        streams = list(self._streams.values())
        self._streams.clear()
        self._blocked.clear()
        self.is_retired = True
        self.close()
        return streams

    def _drop(self, stream: Http2Stream, code: ErrorCodes) -> None:
        self._streams.pop(stream.id, None)
        self._blocked.pop(stream.id, None)
        self._reset(stream.id, code)
        self._left()


_HANDLERS: Final[Mapping[type[Event], Callable[[Http2Connection, Any], None]]] = {
    InformationalResponseReceived: Http2Connection._on_stream_event,
    ResponseReceived: Http2Connection._on_stream_event,
    TrailersReceived: Http2Connection._on_stream_event,
    StreamEnded: Http2Connection._on_stream_event,
    DataReceived: Http2Connection._on_data,
    StreamReset: Http2Connection._on_reset,
    RemoteSettingsChanged: Http2Connection._on_settings,
    WindowUpdated: Http2Connection._on_window,
}

_STREAM_HANDLERS: Final[Mapping[type[Event], Callable[[Http2Stream, Any], None]]] = {
    InformationalResponseReceived: lambda stream, event: stream.heard_information(response_head(event.headers)),
    ResponseReceived: lambda stream, event: stream.heard_head(response_head(event.headers)),
    DataReceived: lambda stream, event: stream.heard_data(event.data or b"", event.flow_controlled_length or 0),
    TrailersReceived: lambda stream, event: stream.heard_trailers(trailers(event.headers)),
    StreamEnded: lambda stream, event: stream.heard_end(),
}
