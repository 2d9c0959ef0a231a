"""The bytes of an HTTP/2 connection, cut into frames (RFC 9113 section 4.1).

Frames go to the h2 package one by one: what came before a bad frame is heard. GOAWAY is kept from it: to h2 it is the
end of the connection, while by RFC 9113 section 6.8 the streams that the peer has accepted go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from skitaid.protocols.errors import ProtocolError

__all__ = ["Frames", "GoAway", "goaway_of"]

MAX_FRAME_BYTES: Final = 16384
"""SETTINGS_MAX_FRAME_SIZE that we never raise."""
_HEAD_BYTES: Final = 9
_GOAWAY: Final = 7


class GoAway(NamedTuple):
    """The peer will look at no stream above `last_stream`; `code` says why (RFC 9113 section 7)."""

    last_stream: int
    code: int


class Frames:
    """What came in and is no whole frame yet."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are whole now. Raises ProtocolError for one that is longer than may be."""
        if self._held:
            data = self._held + data
        at, size = 0, len(data)
        try:
            while size - at >= _HEAD_BYTES:
                length = int.from_bytes(data[at : at + 3], "big")
                if length > MAX_FRAME_BYTES:
                    raise ProtocolError(502, f"a frame of {length} bytes")
                end = at + _HEAD_BYTES + length
                if end > size:
                    break
                frame, at = data[at:end], end
                yield frame
        finally:
            self._held = data[at:]


def goaway_of(frame: bytes) -> GoAway | None:
    """What a GOAWAY frame says; None for any other frame. Raises ProtocolError."""
    if frame[3] != _GOAWAY:
        return None
    if len(frame) < _HEAD_BYTES + 8 or int.from_bytes(frame[5:9], "big"):
        raise ProtocolError(502, "a GOAWAY frame that is none")
    return GoAway(int.from_bytes(frame[9:13], "big") & 0x7FFFFFFF, int.from_bytes(frame[13:17], "big"))
