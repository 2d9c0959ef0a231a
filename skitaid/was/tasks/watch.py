"""Giving up what nobody waits for in a thread: tasks whose time is over are looked for every tenth of a second.

While there are none, nobody is woken. To watch a task costs no way to the loop thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from skitaid.was.tasks.waiting import Unfinished, call_when_done
from skitaid.was.worker import Worker

__all__ = ["SWEEP_S", "Watch", "watch"]

SWEEP_S: Final = 0.1


class Watch:
    """Gives up the tasks of a worker whose time is over. `watch` may be called from any thread; `clock` is
    monotonic."""

    def __init__(self, worker: Worker, clock: Callable[[], float] = time.monotonic) -> None:
        self._worker = worker
        self._clock = clock
        self._watched: dict[object, tuple[float, Sequence[Unfinished]]] = {}
        self._is_ticking = False

    def watch(self, deadline: float, tasks: Sequence[Unfinished]) -> None:
        """Give up what is not done by then."""
        key = object()
        self._watched[key] = deadline, tasks
        call_when_done(tasks, lambda: self._forget(key))
        if not self._is_ticking:
            self._is_ticking = True
            self._worker.engine.portal.call(self._tick_later)

    def _forget(self, key: object) -> None:
        self._watched.pop(key, None)

    # ------------------------------------------------------------ on the loop thread

    def _tick_later(self) -> None:
        self._worker.engine.loop.call_later(SWEEP_S, self._tick)

    def _tick(self) -> None:
        now = self._clock()
        for deadline, tasks in list(self._watched.values()):
            if deadline <= now:
                for task in tasks:
                    task.give_up()
        # Down before the look: who comes after it sets the clock going again.
        self._is_ticking = False
        if self._watched and not self._is_ticking:
            self._is_ticking = True
            self._tick_later()


def watch(worker: Worker, deadline: float, tasks: Sequence[Unfinished]) -> None:
    """Give up the tasks that are not done by `deadline` (monotonic clock)."""
    found = worker.watch
    if found is None:
        found = worker.watch = Watch(worker)
    found.watch(deadline, tasks)
