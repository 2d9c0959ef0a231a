"""How our side of HTTP/2 is set up in the h2 package."""

from __future__ import annotations

from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings

__all__ = ["CONNECTION_WINDOW", "MAX_STREAMS", "STREAM_WINDOW", "begin_connection", "leave_length"]

STREAM_WINDOW: Final = 262144
"""What a paused stream can hold in our memory."""
CONNECTION_WINDOW: Final = 1 << 20
MAX_STREAMS: Final = 128
MAX_HEAD_BYTES: Final = 65536


def begin_connection() -> H2Connection:
    """A client that has said what it says first (RFC 9113 section 3.4)."""
    # What goes out is checked and in its form already; looking again costs 25 µs a call.
    config = H2Configuration(
        client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
    )
    h2 = H2Connection(config)
    values = {
        SettingCodes.ENABLE_PUSH: 0,
        SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
        SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
    }
    h2.local_settings = Settings(client=True, initial_values=values)
    h2.initiate_connection()
    h2.increment_flow_control_window(CONNECTION_WINDOW - 65535)
    return h2


def leave_length(h2: H2Connection, stream_id: int) -> None:
    """Leave the length of a response's body to Http2Stream. h2 closes the whole connection for a wrong one, and takes
    the length that a 304 may tell (RFC 9110 section 8.6) for that of the body that it has not."""
    vars(h2.streams[stream_id])["_initialize_content_length"] = lambda headers: None
