"""Frames on the wire (RFC 9113 sections 4.1 and 6)."""

from __future__ import annotations

import struct
from typing import Final

from skitaid.protocols.http2.errors import ErrorCode

__all__ = [
    "ACK",
    "CONTINUATION",
    "DATA",
    "END_HEADERS",
    "END_STREAM",
    "GOAWAY",
    "HEADERS",
    "HEADER_BYTES",
    "MAX_FRAME_BYTES",
    "MAX_WINDOW",
    "PADDED",
    "PING",
    "PREFACE",
    "PRIORITY",
    "PRIORITY_FLAG",
    "PUSH_PROMISE",
    "RST_STREAM",
    "SETTINGS",
    "WINDOW_UPDATE",
    "data_frame",
    "frame",
    "frame_header",
    "goaway_frame",
    "head_frames",
    "promise_frames",
    "reset_frame",
    "whole_frames",
    "window_frame",
]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""Section 3.4."""

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY_FLAG: Final = 0x20

HEADER_BYTES: Final = 9
MAX_FRAME_BYTES: Final = 16384
"""What every peer takes, and what we take (section 4.2)."""
MAX_WINDOW: Final = (1 << 31) - 1

# The length has 24 bits.
_HEADER: Final = struct.Struct(">HBBBI")
frame_header: Final = struct.Struct(">BHBBI").unpack_from
"""Of a frame: the upper 8 bits of its length, the lower 16, its type, its flags, its stream."""


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """A frame: its header of 9 bytes (RFC 9113 section 4.1), and `payload`."""
    size = len(payload)
    return _HEADER.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + payload


def data_frame(stream_id: int, size: int, *, is_end: bool) -> bytes:
    """The header of a DATA frame with `size` bytes, which are to follow it."""
    return _HEADER.pack(size >> 8, size & 0xFF, DATA, END_STREAM if is_end else 0, stream_id)


def head_frames(stream_id: int, block: bytes, *, is_end: bool, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """A header block as HEADERS, and CONTINUATION for what one frame does not take."""
    flags = END_STREAM if is_end else 0
    if len(block) <= max_bytes:
        return frame(HEADERS, flags | END_HEADERS, stream_id, block)
    return frame(HEADERS, flags, stream_id, block[:max_bytes]) + _continued(stream_id, block[max_bytes:], max_bytes)


def whole_frames(stream_id: int, block: bytes, data: bytes) -> bytes:
    """HEADERS and DATA of a whole response, each of which fits into a frame."""
    size, length = len(block), len(data)
    return b"".join((
        _HEADER.pack(size >> 8, size & 0xFF, HEADERS, END_HEADERS, stream_id), block,
        _HEADER.pack(length >> 8, length & 0xFF, DATA, END_STREAM, stream_id), data,
    ))  # fmt: skip


def promise_frames(stream_id: int, promised_id: int, block: bytes, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """PUSH_PROMISE (section 6.6), and CONTINUATION for what one frame does not take."""
    payload = promised_id.to_bytes(4, "big") + block
    if len(payload) <= max_bytes:
        return frame(PUSH_PROMISE, END_HEADERS, stream_id, payload)
    rest = _continued(stream_id, payload[max_bytes:], max_bytes)
    return frame(PUSH_PROMISE, 0, stream_id, payload[:max_bytes]) + rest


def _continued(stream_id: int, rest: bytes, max_bytes: int) -> bytes:
    frames = []
    while rest:
        piece, rest = rest[:max_bytes], rest[max_bytes:]
        frames.append(frame(CONTINUATION, 0 if rest else END_HEADERS, stream_id, piece))
    return b"".join(frames)


def reset_frame(stream_id: int, code: ErrorCode) -> bytes:
    """RST_STREAM: the stream ends here, because of `code`."""
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def window_frame(stream_id: int, increment: int) -> bytes:
    """WINDOW_UPDATE; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))


def goaway_frame(last_id: int, code: ErrorCode, reason: str = "") -> bytes:
    """GOAWAY: streams above `last_id` were not and will not be looked at."""
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_id, code) + reason.encode("ascii", "replace"))
