"""The server's side of a connection: bytes in, calls on a receiver out, many requests at a time.

States of streams follow RFC 9113 section 5.1. A stream's Flow is in `flows` until it is closed on both sides; of the
others nothing is kept but which numbers were left out (section 5.1.1), and which of those that we reset lately may
still have frames on their way to us.
"""

from __future__ import annotations

from collections import deque
from typing import Final, TypeVar

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.http2.blocks import BlockReader
from skitaid.protocols.http2.control import PRIORITY_BYTES, ControlFrames, depends_on
from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode, StreamFault
from skitaid.protocols.http2.flow import Flow
from skitaid.protocols.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    window_frame,
)
from skitaid.protocols.http2.head import MalformedError, trailer_lines
from skitaid.protocols.http2.limits import Http2Limits
from skitaid.protocols.http2.receiver import Receiver

__all__ = ["Http2Server", "Receiver"]

_MAX_GAPS: Final = 64

_Stream = TypeVar("_Stream", bound=Flow)


class _Block:
    """A header block of which more is to come."""

    __slots__ = ("count", "flags", "pieces", "size", "stream_id")

    def __init__(self, stream_id: int, flags: int, piece: bytes) -> None:
        self.stream_id = stream_id
        self.flags = flags
        self.pieces = [piece]
        self.size = len(piece)
        self.count = 0


class Http2Server(ControlFrames[_Stream]):
    """Feed it bytes; it calls the receiver. Raises ConnectionFault out of `feed`: GOAWAY is to be sent then, and
    nothing may be fed after that. `last_id`: the highest stream that was looked at; `accepts`: streams above it are not
    (after GOAWAY). `may_promise`: the client did not say GOAWAY, so something may be pushed. `awaits_settings`: those
    that a client begins with did not come. `refill` is to be called once a second."""

    def __init__(self, receiver: Receiver[_Stream], limits: Http2Limits) -> None:
        super().__init__(receiver, limits)
        self._blocks = BlockReader(limits.max_list_bytes, is_connect_enabled=limits.is_connect_enabled)
        self._block: _Block | None = None
        self._gaps: deque[tuple[int, int]] = deque(maxlen=_MAX_GAPS)

    @property
    def is_midway(self) -> bool:
        """Whether a frame or a header block is incomplete, or the preface is."""
        return bool(self.held) or self._block is not None or self.awaits_settings

    # ------------------------------------------------------------ frames

    def take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and (kind != CONTINUATION or stream_id != self._block.stream_id):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame comes in the midst of a header block")
        if self.awaits_settings:
            if kind != SETTINGS or flags & ACK:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            self.awaits_settings = False
        if kind == HEADERS:
            self._on_headers(flags, stream_id, payload)
        elif kind == DATA:
            self._on_data(flags, stream_id, payload)
        elif kind <= CONTINUATION:
            _OTHERS[kind](self, flags, stream_id, payload)
        else:
            # Section 4.1: what is unknown is ignored.
            self._frames.spend()

    # ------------------------------------------------------------ heads

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if flags & PADDED:
            payload = _unpadded(payload)
        is_own = False
        if flags & PRIORITY_FLAG:
            if len(payload) < PRIORITY_BYTES:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS is too short for its priority")
            is_own = depends_on(payload) == stream_id
            payload = payload[PRIORITY_BYTES:]
        if not flags & END_HEADERS:
            self._block = _Block(stream_id, flags, payload)
        else:
            self._on_block(stream_id, flags, payload)
        if is_own:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        block = self._block
        if block is None:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS before it")
        block.pieces.append(payload)
        block.size += len(payload)
        block.count += 1
        if block.count > self._limits.max_continuations or block.size > self._limits.max_list_bytes:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a header block is too long")
        if flags & END_HEADERS:
            self._block = None
            self._on_block(stream_id, block.flags, b"".join(block.pieces))

    def _on_block(self, stream_id: int, flags: int, block: bytes) -> None:
        is_end = bool(flags & END_STREAM)
        if stream_id > self.last_id:
            self._on_request(stream_id, block, is_end=is_end)
            return
        flow = self.flows.get(stream_id)
        if flow is None:
            self._on_late_block(stream_id, block)
        elif flow.is_in_ended:
            self._blocks.fields(block)
            raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "HEADERS after the end of the stream")
        else:
            self._on_trailers(flow, block, is_end=is_end)

    def _on_request(self, stream_id: int, block: bytes, *, is_end: bool) -> None:
        if not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a client opens streams with odd numbers")
        if stream_id > self.accepts:
            # Section 6.8: the client will send it elsewhere; its block counts for the table all the same.
            self._blocks.fields(block)
            return
        if stream_id > self.last_id + 2:
            self._gaps.append((self.last_id + 1, stream_id - 1))
        self.last_id = stream_id
        receiver = self._receiver
        try:
            head = self._blocks.head(block, is_ended=is_end)
        except MalformedError as error:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, error.reason) from error
        except ProtocolError as error:
            self._open(stream_id, is_end=is_end)
            receiver.refuse(self.flows[stream_id], error)
            return
        if not receiver.may_open():
            raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, "more streams than MAX_CONCURRENT_STREAMS")
        flow = self._open(stream_id, is_end=is_end)
        flow.expected = head.fields.content_length
        receiver.request(flow, head)

    def _open(self, stream_id: int, *, is_end: bool) -> _Stream:
        flow = self.flows[stream_id] = self._receiver.open(stream_id)
        flow.is_in_ended = is_end
        return flow

    def _on_late_block(self, stream_id: int, block: bytes) -> None:
        """For a stream that is closed, or was never opened."""
        if stream_id in self._reset:
            self._blocks.fields(block)
            raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "HEADERS for a stream that is closed")
        if not stream_id or self._was_left_out(stream_id) or not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a stream with this number can't be opened any more")
        raise ConnectionFault(ErrorCode.STREAM_CLOSED, "HEADERS for a stream that is closed")

    def _on_trailers(self, flow: _Stream, block: bytes, *, is_end: bool) -> None:
        fields = self._blocks.fields(block)
        if not is_end:
            raise StreamFault(flow.stream_id, ErrorCode.PROTOCOL_ERROR, "trailers are not the end of the stream")
        try:
            trailers = trailer_lines(fields)
        except ProtocolError as error:
            raise StreamFault(flow.stream_id, ErrorCode.PROTOCOL_ERROR, error.reason) from error
        self._end(flow, trailers)

    def _was_left_out(self, stream_id: int) -> bool:
        return any(first <= stream_id <= last for first, last in self._gaps)

    # ------------------------------------------------------------ bodies

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        data = _unpadded(payload) if flags & PADDED else payload
        self._take_in(size)
        flow = self.flows.get(stream_id)
        if flow is None:
            self._on_late_data(stream_id)
            return
        if flow.is_in_ended:
            raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "DATA after the end of the stream")
        flow.window -= size
        if flow.window < 0:
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the window of the stream allows")
        if flow.expected is not None:
            flow.expected -= len(data)
            if flow.expected < 0:
                raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "the body is longer than its Content-Length")
        is_end = flags & END_STREAM
        if data:
            self._receiver.body(flow, data)
        elif not is_end:
            self._frames.spend()
        if is_end:
            self._end(flow, [])
        else:
            self._owe(flow, size)

    def _end(self, flow: _Stream, trailers: list[FieldLine]) -> None:
        if flow.expected:
            raise StreamFault(flow.stream_id, ErrorCode.PROTOCOL_ERROR, "the body is shorter than its Content-Length")
        flow.is_in_ended = True
        if flow.is_out_ended:
            self.flows.pop(flow.stream_id, None)
        self._receiver.end(flow, trailers)

    def _take_in(self, size: int) -> None:
        """The window of the connection is for all streams, so it is given back at once: one that is slow must not stop
        the others. What may wait for it is bounded by its own window."""
        self._window -= size
        if self._window < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the window of the connection allows")
        self._owed += size
        if self._owed > self._limits.window >> 1:
            self._receiver.emit(window_frame(0, self._owed))
            self._window += self._owed
            self._owed = 0

    def _owe(self, flow: _Stream, size: int) -> None:
        flow.owed += size
        if not flow.is_paused and flow.owed > self._limits.stream_window >> 1:
            self._give_back(flow)

    def _give_back(self, flow: _Stream) -> None:
        self._receiver.emit(window_frame(flow.stream_id, flow.owed))
        flow.window += flow.owed
        flow.owed = 0

    def pause(self, flow: _Stream) -> None:
        """Give no window back for now: who takes the body is behind."""
        flow.is_paused = True

    def resume(self, flow: _Stream) -> None:
        """The body is wanted again."""
        flow.is_paused = False
        if flow.owed and not flow.is_in_ended:
            self._give_back(flow)

    def _on_late_data(self, stream_id: int) -> None:
        if stream_id > self.accepts:
            return
        self._check_not_idle(stream_id)
        if stream_id in self._reset:
            # On its way when we reset the stream, or more of what we reset it for.
            self._frames.spend()
            return
        raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "DATA for a stream that is closed")


def _unpadded(payload: bytes) -> bytes:
    """Sections 6.1 and 6.2."""
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the padding is longer than its frame")
    return payload[1 : len(payload) - payload[0]]


_OTHERS: Final = {
    PRIORITY: Http2Server._on_priority,
    RST_STREAM: Http2Server._on_reset,
    SETTINGS: Http2Server._on_settings,
    PUSH_PROMISE: Http2Server._on_promise,
    PING: Http2Server._on_ping,
    GOAWAY: Http2Server._on_goaway,
    WINDOW_UPDATE: Http2Server._on_window,
    CONTINUATION: Http2Server._on_continuation,
}
