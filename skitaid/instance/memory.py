"""Memory that a burst took goes back to the system.

What is freed the C library keeps, in pieces below others that are still in use: a hundred clients that are slow to read
leave 40 MB behind for good. Asked for it, it gives back all but 5 MB of that, in some milliseconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

__all__ = ["GROWTH_BYTES", "LOOK_EVERY", "MOST_PATIENT", "MemoryKeeper", "give_back", "resident_bytes"]

GROWTH_BYTES: Final = 16 << 20
LOOK_EVERY: Final = 10
MOST_PATIENT: Final = 640
"""Ticks, of a second each: from look to look; and when what is there turned out to be in use, at most."""

Order = Callable[[Callable[[], None], Callable[[], None]], None]


class MemoryKeeper:
    """Gives memory back when it has grown. `order(work, on_done)` has work done beside the loop. `resident` and `trim`
    are for tests."""

    def __init__(
        self,
        order: Order,
        *,
        resident: Callable[[], int] | None = None,
        trim: Callable[[], None] | None = None,
    ) -> None:
        self._order = order
        self._resident = resident or resident_bytes
        self._trim = trim or give_back
        self._least = self._resident()
        self._ticks_left = self._patience = LOOK_EVERY

    def tick(self) -> None:
        """Every second, on the loop. What an app keeps is asked for ever less often."""
        self._ticks_left -= 1
        if self._ticks_left > 0:
            return
        now = self._resident()
        self._least = min(self._least, now)
        if now - self._least >= GROWTH_BYTES:
            self._patience = min(self._patience * 2, MOST_PATIENT)
            self._order(self._trim, _nothing)
        else:
            self._patience = LOOK_EVERY
        self._ticks_left = self._patience


def _nothing() -> None:
    """The next look sees what came of it."""


def resident_bytes() -> int:
    """Of this process; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def give_back() -> None:
    """What the C library holds and nobody uses. Nothing where it is another library than glibc."""
    import ctypes  # 0.3 MB, for those who need it

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
