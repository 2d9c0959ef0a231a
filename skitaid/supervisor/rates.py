"""Requests per second out of the workers' counters. Pure: the caller says what it read and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from skitaid.supervisor.scoreboard import SlotView

__all__ = ["RateWindow"]

WINDOW_S = 5.0


class RateWindow:
    """How many requests were answered in the last five seconds. A counter that belongs to a new process starts at 0."""

    def __init__(self) -> None:
        self._counters: dict[int, int] = {}
        self._total = 0
        self._samples: deque[tuple[float, int]] = deque()

    def feed(self, now: float, views: Iterable[SlotView]) -> None:
        """`now` in seconds on any steady clock."""
        counters = {view.pid: view.requests for view in views}
        self._total += sum(max(0, count - self._counters.get(pid, 0)) for pid, count in counters.items())
        self._counters = counters
        self._samples.append((now, self._total))
        while now - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()

    @property
    def per_second(self) -> float:
        if len(self._samples) < 2:
            return 0.0
        (began, first), (ended, last) = self._samples[0], self._samples[-1]
        return (last - first) / (ended - began) if ended > began else 0.0

    def clear(self) -> None:
        """The workers are gone."""
        self._counters.clear()
        self._samples.clear()
