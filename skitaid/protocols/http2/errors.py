"""What ends a stream, and what ends a connection (RFC 9113 sections 5.4 and 7)."""

from __future__ import annotations

from enum import IntEnum

from skitaid.exceptions import PeerError

__all__ = ["ConnectionFault", "ErrorCode", "StreamFault"]


class ErrorCode(IntEnum):
    """RFC 9113 section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class ConnectionFault(PeerError):
    """The peer did what ends the connection: GOAWAY with `code`, and close."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code.name}: {reason}")


class StreamFault(PeerError):
    """The peer did what ends one stream: RST_STREAM with `code`. The others go on."""

    def __init__(self, stream_id: int, code: ErrorCode, reason: str) -> None:
        self.stream_id = stream_id
        self.code = code
        self.reason = reason
        super().__init__(f"stream {stream_id}: {code.name}: {reason}")
