"""Time-outs without a timer for each call: what is under way is looked at every tenth of a second.

While nothing is under way, nobody is woken.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["SWEEP_S", "Deadlines", "Timed"]

SWEEP_S: Final = 0.1


class Timed(Protocol):
    """What may take too long."""

    def sweep(self, now: float) -> None:
        """Look at the time, and end what has taken too long."""


class Deadlines:
    """For the loop thread. `now` gives the time in seconds that `sweep` is called with."""

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], float]) -> None:
        self._loop = loop
        self._now = now
        self._active: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, timed: Timed) -> None:
        """Look at it from now on."""
        self._active.add(timed)
        if self._timer is None:
            self._timer = self._loop.call_later(SWEEP_S, self._sweep)

    def discard(self, timed: Timed) -> None:
        """Look at it no more."""
        self._active.discard(timed)

    def close(self) -> None:
        """Look at nothing any more."""
        self._active.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _sweep(self) -> None:
        """Have each look at the time. A root."""
        now = self._now()
        for timed in tuple(self._active):
            # An earlier one may have ended it.
            if timed in self._active:
                self._look(timed, now)
        self._timer = self._loop.call_later(SWEEP_S, self._sweep) if self._active else None

    def _look(self, timed: Timed, now: float) -> None:
        try:
            timed.sweep(now)
        except Exception:  # noqa: BLE001  # one call's failure must not stop the clock of the others
            self._active.discard(timed)
            traceback.print_exc(file=sys.stderr)
