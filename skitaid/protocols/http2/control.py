"""What a connection of HTTP/2 knows of itself and of its streams, and the frames that are about that: settings,
windows, resets, signs of life (RFC 9113 sections 6.3 to 6.9).
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode, StreamFault
from skitaid.protocols.http2.flow import Flow
from skitaid.protocols.http2.frames import (
    ACK,
    MAX_WINDOW,
    PING,
    SETTINGS,
    frame,
    reset_frame,
    window_frame,
)
from skitaid.protocols.http2.limits import Budget, Http2Limits
from skitaid.protocols.http2.reader import FrameReader
from skitaid.protocols.http2.receiver import Receiver
from skitaid.protocols.http2.settings import (
    ENABLE_CONNECT_PROTOCOL,
    INITIAL_WINDOW,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_HEADER_LIST_SIZE,
    PeerSettings,
    parse_settings,
    settings_frame,
)

__all__ = ["PRIORITY_BYTES", "ControlFrames", "depends_on"]

_MAX_RESET: Final = 256
PRIORITY_BYTES: Final = 5
_PING_BYTES: Final = 8
_SETTINGS_COST: Final = 5

_Stream = TypeVar("_Stream", bound=Flow)


class ControlFrames(FrameReader, Generic[_Stream]):
    """The base of `Http2Server`, which says what the names mean."""

    def __init__(self, receiver: Receiver[_Stream], limits: Http2Limits) -> None:
        super().__init__()
        self._receiver = receiver
        self._limits = limits
        self.flows: dict[int, _Stream] = {}
        self.last_id = 0
        self.accepts = MAX_WINDOW
        self.may_promise = True
        self._promised = 0
        self.peer = PeerSettings()
        self._window = limits.window
        self._owed = 0
        self.awaits_settings = True
        self._reset: dict[int, None] = {}
        self._resets = Budget("streams that failed or were given up", limits.max_resets)
        self._frames = Budget("frames that carry nothing", limits.max_frames)

    def begin(self) -> bytes:
        """What we send first (section 3.4)."""
        limits = self._limits
        pairs = {
            MAX_CONCURRENT_STREAMS: limits.max_streams, INITIAL_WINDOW_SIZE: limits.stream_window,
            MAX_HEADER_LIST_SIZE: limits.max_list_bytes,
        }  # fmt: skip
        if limits.is_connect_enabled:
            pairs[ENABLE_CONNECT_PROTOCOL] = 1
        more = limits.window - INITIAL_WINDOW
        return settings_frame(pairs) + (window_frame(0, more) if more > 0 else b"")

    def upgrade(self, settings: bytes, stream: _Stream) -> None:
        """The client came by Upgrade, with this payload in HTTP2-Settings; its request is stream 1 (RFC 7540 section
        3.2). Raises ConnectionFault."""
        self.last_id = 1
        self.flows[1] = stream
        self._take_settings(settings)

    def promise(self) -> int:
        """The number of a stream that is pushed."""
        self._promised += 2
        return self._promised

    def refill(self) -> None:
        """A second went by."""
        self._resets.refill()
        self._frames.refill()

    def earn(self, gain: int) -> None:
        """A response, or some of it, went out: a client that takes it needs frames for that."""
        self._frames.earn(gain)

    def fail(self, fault: StreamFault) -> None:
        """A stream ends by the client's fault. Counted, as it costs us what a request costs (CVE-2025-8671)."""
        self._resets.spend()
        flow = self.flows.pop(fault.stream_id, None)
        self.note_reset(fault.stream_id)
        self._receiver.emit(reset_frame(fault.stream_id, fault.code))
        if flow is not None:
            flow.is_in_ended = True
            self._receiver.lost(flow, fault)

    def note_reset(self, stream_id: int) -> None:
        """We send RST_STREAM: what is on its way to us is ignored (section 5.4.2). By the thread that feeds."""
        reset = self._reset
        if len(reset) >= _MAX_RESET:
            del reset[next(iter(reset))]
        reset[stream_id] = None

    def _check_not_idle(self, stream_id: int) -> None:
        if not stream_id or stream_id > (self.last_id if stream_id & 1 else self._promised):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame for a stream that was never opened")

    # ------------------------------------------------------------ frames

    def _on_priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Checked and not heeded (section 5.3.2)."""
        self._frames.spend()
        if not stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY for the connection")
        if len(payload) != PRIORITY_BYTES:
            raise self._fault(stream_id, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY is not 5 bytes long")
        if depends_on(payload) == stream_id:
            raise self._fault(stream_id, ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")

    def _fault(self, stream_id: int, code: ErrorCode, reason: str) -> StreamFault | ConnectionFault:
        """Of a stream if it is open; there is nothing else to reset."""
        return StreamFault(stream_id, code, reason) if stream_id in self.flows else ConnectionFault(code, reason)

    def _on_reset(self, flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM is not 4 bytes long")
        self._check_not_idle(stream_id)
        flow = self.flows.pop(stream_id, None)
        self._reset.pop(stream_id, None)
        if flow is None:
            self._frames.spend()
            return
        flow.is_in_ended = True
        # CVE-2023-44487: a request that is given up has cost us nearly as much as one that is answered.
        self._resets.spend()
        self._receiver.lost(flow, StreamFault(stream_id, ErrorCode.CANCEL, "the client gave the request up"))

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS for a stream")
        if flags & ACK:
            self._frames.spend()
            if payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS with ACK is not empty")
            return
        self._frames.spend(_SETTINGS_COST)
        self._take_settings(payload)
        self._receiver.emit(frame(SETTINGS, ACK, 0))

    def _take_settings(self, payload: bytes) -> None:
        self.peer = parse_settings(payload, self.peer)
        self._receiver.set_peer(self.peer)

    def _on_promise(self, flags: int, stream_id: int, payload: bytes) -> None:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a client can't push")

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PING for a stream")
        if len(payload) != _PING_BYTES:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PING is not 8 bytes long")
        self._frames.spend()
        if not flags & ACK:
            self._receiver.emit(frame(PING, ACK, 0, payload))

    def _on_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        """The client wants nothing pushed any more; what it asked for is answered."""
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "GOAWAY for a stream")
        if len(payload) < 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY is shorter than 8 bytes")
        self._frames.spend(_SETTINGS_COST)
        self.may_promise = False

    def _on_window(self, flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE is not 4 bytes long")
        self._frames.spend()
        increment = int.from_bytes(payload, "big") & MAX_WINDOW
        if not stream_id:
            if not increment:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
            self._receiver.open_window(None, increment)
            return
        self._check_not_idle(stream_id)
        flow = self.flows.get(stream_id)
        if flow is None:
            return
        if not increment:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        self._receiver.open_window(flow, increment)


def depends_on(payload: bytes) -> int:
    """The stream of which another is said to depend (section 5.3.2)."""
    return int.from_bytes(payload[:4], "big") & MAX_WINDOW
