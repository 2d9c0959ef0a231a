"""Which workers need to be replaced although they live: stuck ones, and ones that burn the processor."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from skitaid.supervisor.scoreboard import SlotView, WorkerState

__all__ = ["INLINE_REQUEST_S", "CpuWatch", "is_stuck"]

INLINE_REQUEST_S = 60.0
"""Without app threads a request holds the loop and so the heartbeat: it is given this long at least."""


def is_stuck(view: SlotView, now_ns: int, timeout_s: float, *, has_threads: bool) -> bool:
    """Whether a ready worker's last heartbeat is too old."""
    if view.state is not WorkerState.READY or not view.heartbeat_ns:
        return False
    limit_s = timeout_s if has_threads else max(timeout_s, INLINE_REQUEST_S)
    return now_ns - view.heartbeat_ns > limit_s * 1e9


@dataclass(slots=True)
class CpuWatch:
    """`[critical point]`: `looks` times in a row, `interval_s` apart, at least `percent` of a processor."""

    percent: float
    looks: int
    interval_s: float
    _next_look: float = 0.0
    _last: dict[int, tuple[float, float]] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)

    def look(self, pids: list[int], now: float) -> list[int]:
        """The workers that are over the limit for too long; each is named once."""
        if now < self._next_look:
            return []
        self._next_look = now + self.interval_s
        over = []
        for pid in pids:
            used = cpu_seconds(pid)
            before = self._last.get(pid)
            self._last[pid] = (now, used)
            if before is None or now <= before[0]:
                continue
            is_over = (used - before[1]) / (now - before[0]) * 100.0 >= self.percent
            self._counts[pid] = self._counts.get(pid, 0) + 1 if is_over else 0
            if self._counts[pid] >= self.looks:
                over.append(pid)
        alive = set(pids)
        for table in (self._last, self._counts):
            for pid in [pid for pid in table if pid not in alive or pid in over]:
                del table[pid]
        return over


def cpu_seconds(pid: int) -> float:
    """Processor time a process used so far; 0.0 where /proc does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read(2000).rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
