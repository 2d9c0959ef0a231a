"""Waiting for tasks in a thread: it sleeps on a lock of its own, which whoever brings the last result releases."""

from __future__ import annotations

import time
from _thread import allocate_lock
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from threading import TIMEOUT_MAX
from typing import Protocol

from skitaid.was.errors import LoopThreadError
from skitaid.was.worker import worker_or_none

__all__ = ["Unfinished", "Waited", "call_when_done", "unfinished_of", "wait_for"]


class Unfinished(Protocol):
    """A task."""

    def add_done_callback(self, function: Callable[[], None]) -> None: ...
    def hurry(self) -> None: ...
    def give_up(self) -> None: ...


class Waited(Protocol):
    """A task, or something that is made of tasks."""

    def unfinished(self) -> Iterable[Unfinished]:
        """Those that have no result yet."""


def unfinished_of(waited: Iterable[Waited]) -> list[Unfinished]:
    """All tasks without a result, each once."""
    found = [each for one in waited for each in one.unfinished()]
    return found if len(found) < 2 else list(dict.fromkeys(found))


def wait_for(waited: Iterable[Waited], deadline: float | None) -> None:
    """Wait until each has a result; those that have none at the `deadline` (monotonic clock; None: no end) are given
    up. Raises LoopThreadError."""
    unfinished = unfinished_of(waited)
    if not unfinished:
        return
    left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
    if left_s != 0.0:
        worker = worker_or_none()
        if worker is not None and worker.is_loop_thread:
            raise LoopThreadError("this")
        for task in unfinished:
            task.hurry()
        lock = allocate_lock()
        lock.acquire()
        call_when_done(unfinished, lock.release)
        if lock.acquire(True, -1 if left_s is None else min(left_s, TIMEOUT_MAX)):
            return
    for task in unfinished:
        task.give_up()


def call_when_done(tasks: Sequence[Unfinished], function: Callable[[], None]) -> None:
    """Have `function()` called once when each has a result."""
    if len(tasks) == 1:
        tasks[0].add_done_callback(function)
        return
    done = count(1)
    last = len(tasks)

    def note() -> None:
        # `next` gives each number to one thread only.
        if next(done) == last:
            function()

    for task in tasks:
        task.add_done_callback(note)
