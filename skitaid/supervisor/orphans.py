"""Process groups whose master is gone: what is left of them finishes what it has in flight, and no longer.

A worker sees its master's end on the lifeline and leaves by itself. One that does not, because an app hangs, would
keep the address or go on as an orphan, so its group is killed when its time is over, or before a new master fails on
the address it still holds.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

__all__ = ["OrphanedGroups", "signal_group"]


def signal_group(group: int, number: int) -> bool:
    """False: nobody of that group is left. 0 as `number` asks only."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # macOS: only zombies are left; elsewhere not ours to end
    return True


class OrphanedGroups:
    """Process groups that are looked after until nobody of them is left. `send` is `signal_group`, but for tests."""

    def __init__(self, send: Callable[[int, int], bool] = signal_group) -> None:
        self._send = send
        self._kill_at: dict[int, float] = {}

    def add(self, group: int, kill_at: float) -> None:
        """A group without its master, to be gone by `kill_at` (monotonic seconds)."""
        if self._send(group, 0):
            self._kill_at[group] = kill_at

    def tick(self, now: float) -> list[int]:
        """Look after them, at least once a second, lest a number is given to somebody else. Returns those killed."""
        for group in [group for group in self._kill_at if not self._send(group, 0)]:
            del self._kill_at[group]
        return self._kill([group for group, kill_at in self._kill_at.items() if now >= kill_at])

    def kill_all(self) -> list[int]:
        """No more waiting. Returns those that were still there."""
        return self._kill(list(self._kill_at))

    def _kill(self, groups: list[int]) -> list[int]:
        return [group for group in groups if self._send(group, signal.SIGKILL)]
