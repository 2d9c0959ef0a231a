"""Bytes to frames (RFC 9113 sections 3.4 and 4.1)."""

from __future__ import annotations

from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode, StreamFault
from skitaid.protocols.http2.frames import HEADER_BYTES, MAX_FRAME_BYTES, MAX_WINDOW, PREFACE, frame_header

__all__ = ["FrameReader"]


class FrameReader:
    """Calls `take_frame` for each frame, and `fail` if that says that a stream is at fault. `held`: bytes held back, a
    part of a frame or of the preface."""

    def __init__(self) -> None:
        self.held = b""
        self._awaits_preface = True

    def take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """A frame. May raise ConnectionFault, StreamFault."""
        raise NotImplementedError

    def fail(self, fault: StreamFault) -> None:
        """End a stream. May raise ConnectionFault."""
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Take what the peer sent. Raises ConnectionFault."""
        if self.held:
            data = self.held + data
            self.held = b""
        at = self._preface(data) if self._awaits_preface else 0
        size = len(data)
        while size - at >= HEADER_BYTES:
            high, low, kind, flags, stream_id = frame_header(data, at)
            if high or low > MAX_FRAME_BYTES:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame is longer than {MAX_FRAME_BYTES} bytes")
            begin = at + HEADER_BYTES
            end = begin + low
            if end > size:
                break
            at = end
            try:
                self.take_frame(kind, flags, stream_id & MAX_WINDOW, data[begin:end])
            except StreamFault as fault:
                self.fail(fault)
        if at < size:
            self.held = data[at:]

    def _preface(self, data: bytes) -> int:
        """Where the first frame begins."""
        if not PREFACE.startswith(data[: len(PREFACE)]):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the connection preface is another")
        if len(data) < len(PREFACE):
            self.held = data
            return len(data)
        self._awaits_preface = False
        return len(PREFACE)
