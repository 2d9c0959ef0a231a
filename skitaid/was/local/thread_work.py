"""A function of the app's in a thread."""

from __future__ import annotations

import contextlib
from _thread import allocate_lock
from collections.abc import Callable
from functools import partial
from typing import Any

from skitaid.was.context import carried
from skitaid.was.local.thread_pool import ThreadPool
from skitaid.was.tasks.result import Result
from skitaid.was.tasks.work import Done, name_of

__all__ = ["ThreadWork"]


class ThreadWork:
    """A work.Work. The function is called on behalf of the request that is being answered when it is made. One that
    has begun can't be ended: nobody hears of its result then."""

    patience_s: float | None = None

    def __init__(self, pool: ThreadPool, function: Callable[[], Any]) -> None:
        self._pool = pool
        self.about = f"was.Thread({name_of(function)})"
        self._function: Callable[[], Any] | None = partial(carried().run, function)
        self._claim = allocate_lock()
        self._job: Callable[[], None] | None = None

    def start(self, done: Done) -> None:
        self._job = job = partial(self._run, done)
        self._pool.submit(job)

    def hurry(self) -> None:
        """Somebody waits for it. A thread of the pool does so in vain while all others do the same: it begins now, if
        it has not begun."""
        job = self._job
        if job is not None and self._pool.is_inside and not self._claim.locked():
            # Without another thread it has to wait for its turn.
            with contextlib.suppress(RuntimeError):
                self._pool.run_beside(job)

    def cancel(self) -> None:
        self._function = self._job = None

    def _run(self, done: Done) -> None:
        function = self._function
        if function is None or not self._claim.acquire(False):
            return
        # Task and job know each other.
        self._job = None
        try:
            result = Result.of_data(function())
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is the result; it may even be SystemExit
            # Not our own frame, which is no business of the app's.
            trace = error.__traceback__
            result = Result.of_error(error.with_traceback(trace.tb_next if trace is not None else None))
        # What the function had with it may be large.
        self._function = function = None
        done(result)
        # The error's frames lead to this one, and it to the task and the error.
        del done, result
