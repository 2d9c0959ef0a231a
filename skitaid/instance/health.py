"""Which workers need to be replaced although they live: stuck ones, and ones that burn the processor."""

from __future__ import annotations

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
    """Tells which workers use too much processor time, as `[critical point]` has it: `looks` times in a row,
    `interval_s` apart, at least `percent` of a processor."""

    percent: float
    looks: int
    interval_s: float
    _next_look: float = 0.0
    _last: dict[int, tuple[float, float]] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)

    def is_due(self, now: float) -> bool:
        """Whether it is time for the next look."""
        return now >= self._next_look

    def look(self, used: dict[int, float], now: float) -> list[int]:
        """`used`: processor seconds of each worker so far, by pid. Gives those that were over the limit for too long;
        each is named once."""
        self._next_look = now + self.interval_s
        self._forget(set(self._last) - used.keys())
        over = [pid for pid, seconds in used.items() if self._is_over(pid, seconds, now)]
        self._forget(over)
        return over

    def _is_over(self, pid: int, seconds: float, now: float) -> bool:
        before = self._last.get(pid)
        self._last[pid] = (now, seconds)
        if before is None or now <= before[0]:
            return False
        is_hot = (seconds - before[1]) / (now - before[0]) * 100.0 >= self.percent
        self._counts[pid] = self._counts.get(pid, 0) + 1 if is_hot else 0
        return self._counts[pid] >= self.looks

    def _forget(self, pids: set[int] | list[int]) -> None:
        for pid in pids:
            self._last.pop(pid, None)
            self._counts.pop(pid, None)
