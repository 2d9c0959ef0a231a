"""A few threads that take jobs one after the other, made when they are needed and gone when they are not."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from skitaid.was.errors import QueueFullError

__all__ = ["IDLE_S", "ThreadPool"]

IDLE_S: Final = 60.0
"""A thread that has had nothing to do for so long ends."""
_LIMIT: Final = 10_000
"""Jobs that may wait."""
_local: Final = threading.local()


class ThreadPool:
    """At most `size` threads; at most `limit` jobs wait. `on_thread_end` is called in a thread that ends."""

    def __init__(
        self, name: str, size: int, *, limit: int = _LIMIT, on_thread_end: Callable[[], None] | None = None
    ) -> None:
        self._name = name
        self._size = size
        self._limit = limit
        self._on_thread_end = on_thread_end
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._waiting = 0
        self._idle = 0
        self._threads = 0
        self._beside = 0

    @property
    def threads(self) -> int:
        """How many there are now."""
        return self._threads

    @property
    def is_busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._lock:
            return self._waiting > 0 or self._idle < self._threads or self._beside > 0

    @property
    def is_inside(self) -> bool:
        """Whether this is one of its threads."""
        return getattr(_local, "pool", None) is self

    def submit(self, job: Callable[[], None]) -> None:
        """Have `job()` called. Raises QueueFullError."""
        with self._lock:
            if self._waiting >= self._limit:
                raise QueueFullError(f"{self._waiting} jobs wait for {self._name} already")
            self._waiting += 1
            is_short = self._waiting > self._idle and self._threads < self._size
            if is_short:
                self._threads += 1
        self._jobs.put(job)
        if is_short:
            threading.Thread(target=self._work, name=f"was.{self._name}", daemon=True).start()

    def run_beside(self, job: Callable[[], None]) -> None:
        """Have `job()` called by a thread more, which ends then: for what one of our own threads waits for, and perhaps
        all of them do. Raises RuntimeError when there can be no more threads."""
        with self._lock:
            self._beside += 1
        try:
            threading.Thread(target=self._work_beside, args=(job,), name=f"was.{self._name}", daemon=True).start()
        except RuntimeError:
            self._end_beside()
            raise

    def _work_beside(self, job: Callable[[], None]) -> None:
        """A thread's root."""
        _local.pool = self
        try:
            job()
        except BaseException:  # noqa: BLE001
            traceback.print_exc(file=sys.stderr)
        finally:
            self._end_beside()

    def _end_beside(self) -> None:
        with self._lock:
            self._beside -= 1

    def _work(self) -> None:
        """A thread's root."""
        _local.pool = self
        while (job := self._next()) is not None:
            try:
                job()
            except BaseException:  # noqa: BLE001  # the thread must live, whatever a job does
                traceback.print_exc(file=sys.stderr)
            # What it has with it may be large, and the next may be long in coming.
            del job
        if self._on_thread_end is not None:
            self._on_thread_end()

    def _next(self) -> Callable[[], None] | None:
        """The next job; None: the thread is to end."""
        with self._lock:
            self._idle += 1
        try:
            job = self._jobs.get(timeout=IDLE_S)
        except Empty:
            return self._leave()
        with self._lock:
            self._idle -= 1
            self._waiting -= 1
        return job

    def _leave(self) -> Callable[[], None] | None:
        with self._lock:
            self._idle -= 1
            try:
                # One may have come while we were leaving, for which nobody was called.
                job = self._jobs.get_nowait()
            except Empty:
                self._threads -= 1
                return None
            self._waiting -= 1
            return job
