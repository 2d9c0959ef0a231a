"""One stream's part in framing and flow control (RFC 9113 sections 5.1 and 5.2)."""

from __future__ import annotations

from collections import deque
from typing import Protocol

__all__ = ["Flow", "Piece", "Readable"]


class Readable(Protocol):
    """Bytes that are not in memory yet, such as a part of a file. `read` takes at most `size` of what is left; None: it
    can't be had right now, and who has it says when it can."""

    def __len__(self) -> int: ...
    def read(self, size: int) -> bytes | None: ...
    def close(self) -> None: ...


Piece = memoryview | Readable


class Flow:
    """A stream that is not closed. Its states: `is_in_ended` is half-closed (remote), `is_out_ended` half-closed
    (local), both is closed.

    In: `window` is what the client may still send, `owed` what was taken in and not given back to it yet, `expected`
    what is to come by Content-Length, None if nobody said; `is_paused`: nothing is given back for now.
    Out: `out_window` is what may still be sent, `waiting` what has to wait, `waiting_bytes` of it in memory;
    `is_ending`: the end follows behind what waits, after `trailers` if there are some; `sent`: bytes of what had to
    wait that were sent.
    """

    __slots__ = (
        "expected",
        "is_ending",
        "is_in_ended",
        "is_out_ended",
        "is_paused",
        "is_queued",
        "out_window",
        "owed",
        "sent",
        "stream_id",
        "trailers",
        "waiting",
        "waiting_bytes",
        "window",
    )

    def __init__(self, stream_id: int, window: int, out_window: int) -> None:
        self.stream_id = stream_id
        self.window = window
        self.owed = 0
        self.expected: int | None = None
        self.is_paused = False
        self.is_in_ended = False
        self.out_window = out_window
        self.waiting: deque[Piece] | None = None
        self.waiting_bytes = self.sent = 0
        self.is_ending = self.is_out_ended = self.is_queued = False
        self.trailers = b""
