"""SETTINGS (RFC 9113 section 6.5), ours and the peer's."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Final

from skitaid.protocols.http2.errors import ConnectionFault, ErrorCode
from skitaid.protocols.http2.frames import MAX_FRAME_BYTES, MAX_WINDOW, SETTINGS, frame

__all__ = ["INITIAL_WINDOW", "PeerSettings", "parse_settings", "settings_frame"]

INITIAL_WINDOW: Final = 65535
"""What holds until SETTINGS say otherwise (section 6.9.2)."""

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6
ENABLE_CONNECT_PROTOCOL: Final = 8  # RFC 8441 section 3

_MAX_FRAME_SIZE: Final = (1 << 24) - 1
_PAIRS: Final = struct.Struct(">HI")


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """What the peer asked for. `initial_window`: bytes that may be sent on a new stream; `max_frame`: of a frame's
    payload; `max_streams`: that may be pushed at a time."""

    is_push_enabled: bool = True
    max_streams: int = 1 << 31
    initial_window: int = INITIAL_WINDOW
    max_frame: int = MAX_FRAME_BYTES


def parse_settings(payload: bytes, settings: PeerSettings) -> PeerSettings:
    """`settings` as changed by the payload of a SETTINGS frame. Raises ConnectionFault."""
    if len(payload) % 6:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS is not a list of pairs of 6 bytes")
    for name, value in _PAIRS.iter_unpack(payload):
        settings = _changed(settings, name, value)
    return settings


def _changed(settings: PeerSettings, name: int, value: int) -> PeerSettings:
    """What is unknown is ignored. HEADER_TABLE_SIZE too: we never use a dynamic table."""
    if name == INITIAL_WINDOW_SIZE:
        if value > MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is above 2^31-1")
        return replace(settings, initial_window=value)
    if name == MAX_FRAME_SIZE:
        if not MAX_FRAME_BYTES <= value <= _MAX_FRAME_SIZE:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE is not between 2^14 and 2^24-1")
        return replace(settings, max_frame=value)
    if name in (ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL) and value > 1:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"setting {name} is neither 0 nor 1")
    if name == ENABLE_PUSH:
        return replace(settings, is_push_enabled=bool(value))
    if name == MAX_CONCURRENT_STREAMS:
        return replace(settings, max_streams=value)
    return settings


def settings_frame(pairs: dict[int, int]) -> bytes:
    """SETTINGS: what this side tells of itself, values by identifier (RFC 9113 section 6.5)."""
    return frame(SETTINGS, 0, 0, b"".join(_PAIRS.pack(name, value) for name, value in pairs.items()))
