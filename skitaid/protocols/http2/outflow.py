"""What goes out: heads and pieces of bodies to frames, in as far as the client's windows let them (RFC 9113 section
5.2). What they do not let through waits with its stream; streams that wait take turns, a frame each.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode, StreamFault
from skitaid.protocols.http2.flow import Flow, Piece, Readable
from skitaid.protocols.http2.frames import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    MAX_WINDOW,
    data_frame,
    head_frames,
    reset_frame,
    whole_frames,
)
from skitaid.protocols.http2.settings import INITIAL_WINDOW, PeerSettings

__all__ = ["Outflow"]

_FRAME_BYTES: Final = 65536
"""More in a frame would make the others wait, and saves nothing."""


class Outflow:
    """Frames what goes out on a connection, as far as windows allow. `frames` are to be sent, in this order; whoever
    sends them empties the list. Nothing here may be called by two threads at a time. `sent_frames`: DATA frames so far,
    `sent_bytes`: and what was in them."""

    __slots__ = ("_turns", "frames", "frames_bytes", "max_frame", "peer", "sent_bytes", "sent_frames", "window")

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.frames_bytes = 0
        self.peer = PeerSettings()
        self.window = INITIAL_WINDOW
        self.max_frame = MAX_FRAME_BYTES
        self.sent_frames = self.sent_bytes = 0
        # Streams that have something to send and may, as far as they go.
        self._turns: deque[Flow] = deque()

    @property
    def has_more(self) -> bool:
        """Whether `pump` would make more frames, given room."""
        return bool(self._turns) and self.window > 0

    def take(self) -> bytes:
        """All that is to be sent."""
        frames = self.frames
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        frames.clear()
        self.frames_bytes = 0
        return data

    def emit(self, frame: bytes) -> None:
        """A frame that no window holds back."""
        self.frames.append(frame)
        self.frames_bytes += len(frame)

    def head(self, flow: Flow, block: bytes, *, is_end: bool = False) -> None:
        """A head; with `is_end` nothing follows."""
        self.emit(head_frames(flow.stream_id, block, is_end=is_end))
        if is_end:
            flow.is_out_ended = True

    def data(self, flow: Flow, data: bytes) -> None:
        """A piece of the body, not the last."""
        if data:
            self._add(flow, memoryview(data), len(data))

    def file(self, flow: Flow, piece: Readable) -> None:
        """A piece of the body that takes no memory while it waits."""
        self._add(flow, piece, 0)

    def end(self, flow: Flow, data: bytes, trailers: bytes = b"") -> None:
        """The last piece, and the end; `trailers` is a header block, or nothing."""
        size = len(data)
        if not flow.waiting and not trailers and (not size or self._may_send(flow, size)):
            flow.out_window -= size
            self.window -= size
            flow.is_out_ended = True
            self.sent_frames += 1
            self.sent_bytes += size
            self.emit(data_frame(flow.stream_id, size, is_end=True) + data)
            return
        flow.is_ending = True
        flow.trailers = trailers
        self._add(flow, memoryview(data), size)

    def respond(self, flow: Flow, block: bytes, data: bytes) -> None:
        """Head and body, which is not empty, and the end."""
        size = len(data)
        if len(block) > MAX_FRAME_BYTES or not self._may_send(flow, size):
            self.head(flow, block)
            self.end(flow, data)
            return
        flow.out_window -= size
        self.window -= size
        flow.is_out_ended = True
        self.sent_frames += 1
        self.sent_bytes += size
        self.emit(whole_frames(flow.stream_id, block, data))

    def _may_send(self, flow: Flow, size: int) -> bool:
        """Whether so much fits into a frame and into both windows."""
        return size <= self.max_frame and size <= flow.out_window and size <= self.window

    def _add(self, flow: Flow, piece: Piece, size: int) -> None:
        if flow.waiting is None:
            flow.waiting = deque()
        flow.waiting.append(piece)
        flow.waiting_bytes += size
        self._queue(flow)

    def _queue(self, flow: Flow) -> None:
        if not flow.is_queued:
            flow.is_queued = True
            self._turns.append(flow)

    def pump(self, room: int) -> list[Flow]:
        """Make frames of what waits, of about `room` bytes. Gives the streams that have come to their end by it; one
        whose piece can't be read (it raises StreamFault) is reset."""
        ended: list[Flow] = []
        turns = self._turns
        # A stream that can't go on leaves the queue: what lets it go on puts it there again.
        while turns and room > 0:
            flow = turns[0]
            if self.window <= 0 and flow.waiting and len(flow.waiting[0]) and flow.out_window > 0:
                # None of them can go on; the one whose turn it is stays the first.
                break
            turns.popleft()
            flow.is_queued = False
            try:
                room -= self._next(flow)
            except StreamFault as fault:
                self.reset(flow, fault.code)
            if flow.is_out_ended:
                ended.append(flow)
        return ended

    def _next(self, flow: Flow) -> int:
        """A frame of what waits, and its size; the stream takes another turn if it can go on."""
        waiting = flow.waiting
        if not waiting:
            return 0
        piece = waiting[0]
        size = min(self.max_frame, flow.out_window, self.window, len(piece)) if len(piece) else 0
        if size <= 0 and len(piece):
            return 0
        data = self._cut(flow, piece, size)
        if data is None:
            return 0
        self._frame(flow, data)
        if flow.waiting:
            self._queue(flow)
        return size + HEADER_BYTES

    def _cut(self, flow: Flow, piece: Piece, size: int) -> bytes | memoryview | None:
        """So many bytes from what waits first; what is used up goes."""
        waiting = flow.waiting
        assert waiting is not None
        data: bytes | memoryview | None
        if isinstance(piece, memoryview):
            data = piece[:size]
            flow.waiting_bytes -= size
            if size < len(piece):
                waiting[0] = piece[size:]
                return data
        else:
            data = piece.read(size)
            if data is None or len(piece):
                return data
            piece.close()
        waiting.popleft()
        return data

    def _frame(self, flow: Flow, data: bytes | memoryview) -> None:
        size = len(data)
        flow.out_window -= size
        flow.sent += size
        self.window -= size
        is_last = flow.is_ending and not flow.waiting
        is_end = is_last and not flow.trailers
        if size or is_end:
            self.sent_frames += 1
            self.sent_bytes += size
            self.emit(b"".join((data_frame(flow.stream_id, size, is_end=is_end), data)))
        if is_last:
            if not is_end:
                self.emit(head_frames(flow.stream_id, flow.trailers, is_end=True))
            flow.is_out_ended = True

    def reset(self, flow: Flow, code: ErrorCode) -> None:
        """Nothing more of this stream goes out, and the client is told."""
        self.drop(flow)
        self.emit(reset_frame(flow.stream_id, code))

    def drop(self, flow: Flow) -> None:
        """Nothing more of this stream goes out."""
        flow.is_out_ended = True
        waiting, flow.waiting = flow.waiting, None
        flow.waiting_bytes = 0
        for piece in waiting or ():
            if not isinstance(piece, memoryview):
                piece.close()

    # ------------------------------------------------------------ what the client says

    def go_on(self, flow: Flow) -> None:
        """What could not be had of this stream can be had now."""
        if flow.waiting:
            self._queue(flow)

    def open_window(self, flow: Flow | None, increment: int) -> None:
        """WINDOW_UPDATE; None is the connection. Raises ConnectionFault, StreamFault (section 6.9.1)."""
        if flow is None:
            self.window += increment
            if self.window > MAX_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the window of the connection is above 2^31-1")
            return
        flow.out_window += increment
        if flow.out_window > MAX_WINDOW:
            raise StreamFault(flow.stream_id, ErrorCode.FLOW_CONTROL_ERROR, "the window is above 2^31-1")
        if flow.out_window > 0:
            self.go_on(flow)

    def set_peer(self, peer: PeerSettings, flows: list[Flow]) -> None:
        """New SETTINGS; the windows of open streams change with them, even below zero (section 6.9.2). Raises
        ConnectionFault."""
        change = peer.initial_window - self.peer.initial_window
        self.peer = peer
        self.max_frame = min(peer.max_frame, _FRAME_BYTES)
        if not change:
            return
        for flow in flows:
            flow.out_window += change
            if flow.out_window > MAX_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window is above 2^31-1 by INITIAL_WINDOW_SIZE")
            if flow.out_window > 0:
                self.go_on(flow)
