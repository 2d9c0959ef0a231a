"""Masters on their way out while another serves in their place, or that could not take one: each gets its time."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

from skitaid.supervisor.master import Master

__all__ = ["Leavers"]

KILL_AFTER_S = 5.0


class Leavers:
    """Masters that have been told to go. `on_kill` is told of each pid that is killed, with all that it started."""

    def __init__(self, on_kill: Callable[[int], None]) -> None:
        self._on_kill = on_kill
        self._kill_at: dict[Master, float] = {}

    @property
    def is_empty(self) -> bool:
        return not self._kill_at

    def find(self, pid: int) -> Master | None:
        return next((master for master in self._kill_at if master.pid == pid), None)

    def __iter__(self) -> Iterator[tuple[Master, float]]:
        """Each, and when its time is over (monotonic seconds)."""
        return iter(self._kill_at.items())

    def add(self, master: Master, kill_at: float) -> None:
        """It is to be gone by `kill_at` (monotonic seconds)."""
        self._kill_at[master] = kill_at

    def remove(self, master: Master) -> None:
        """It is gone: there is nobody to kill any more. KeyError when it was never added."""
        del self._kill_at[master]

    def hurry(self, grace_s: float, *, fast: bool) -> None:
        """The unit is told to stop, and so are they."""
        kill_at = time.monotonic() + grace_s + KILL_AFTER_S
        for master, before in self._kill_at.items():
            self._kill_at[master] = min(before, kill_at)
            master.signal(signal.SIGTERM if fast else signal.SIGQUIT)

    def tick(self, now: float) -> None:
        """Kill those whose time is over."""
        for master, kill_at in self._kill_at.items():
            if now >= kill_at:
                self._on_kill(master.pid)
                master.signal(signal.SIGKILL, group=True)
