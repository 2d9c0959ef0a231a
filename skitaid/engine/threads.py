"""App threads that are woken as seldom as possible.

Waking a thread costs 12 µs, running a request a tenth of that. So requests go into a queue, one thread works through
it, and others are woken only when that is not enough:

* at the end of a batch of events, when all threads are idle, or the one woken last is again: one;
* at the beginning of the next batch, when the queue still holds something and the thread woken last is inside the
  very request it had then: one more, at once;
* when the queue has not drained within a millisecond: one more.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
import traceback
from _thread import allocate_lock
from collections import deque
from typing import Final, Protocol

from skitaid.engine.bell import Bell

__all__ = ["AppThreads", "Job"]

BUSY_WAIT_S: Final = 0.001


class Job(Protocol):
    """What a thread runs."""

    def run(self) -> None: ...


class _Worker:
    """One thread: the bell it sleeps by, how many jobs it has begun, and whether it found none left."""

    __slots__ = ("begun", "bell", "is_idle")

    def __init__(self) -> None:
        self.bell = Bell()
        self.begun = 0
        self.is_idle = False


class AppThreads:
    """The threads in which apps run. `count` threads over one queue of at most `limit` jobs. `submit`, `begin_batch`
    and `end_batch` belong to the loop thread.

    A thread that has to wait for its client steps aside: another takes its place, so that `count` threads run apps
    however slow clients are. At most `aside_limit` threads may be aside at a time for responses; and as many for bodies
    of requests, each of which is promised that before its job is submitted.
    """

    def __init__(self, count: int, *, limit: int, aside_limit: int = 0, name: str = "app") -> None:
        self._jobs: deque[Job] = deque()
        self._limit = limit
        self._idle: list[_Worker] = []
        self._count = count
        self._live = count
        self._aside = 0
        self._aside_limit = aside_limit
        self._promised = 0
        self._aside_lock = allocate_lock()
        self._name = name
        self._numbers = itertools.count()
        self._watched: _Worker | None = None
        self._watched_begun = -1
        self._is_closing = False
        self._threads: set[threading.Thread] = set()
        for _ in range(count):
            self._start_one()

    def submit(self, job: Job) -> bool:
        """Queue a job. False when the queue is full: the caller says so to the client."""
        if len(self._jobs) >= self._limit:
            return False
        self._jobs.append(job)
        return True

    @property
    def count(self) -> int:
        """Threads that there are places for."""
        return self._count

    @property
    def waiting(self) -> int:
        """Jobs that no thread has begun."""
        return len(self._jobs)

    @property
    def busy(self) -> int:
        """Threads inside a job, those included that are aside."""
        return self._live - len(self._idle)

    @property
    def aside(self) -> int:
        """Threads that wait for their client."""
        return self._aside

    @property
    def promised(self) -> int:
        """Jobs that may wait for their clients' bodies."""
        return self._promised

    def promise(self, *, is_needed: bool) -> bool:
        """Whether a job may be submitted that will have to wait for its client's body; until `take_promise_back`.
        `is_needed` False: there is another way, so half of the places are left to those who have none."""
        with self._aside_lock:
            limit = self._aside_limit
            # With none at all jobs wait in their own place, as there is no other.
            if self._promised >= (limit or sys.maxsize if is_needed else limit // 2):
                return False
            self._promised += 1
        return True

    def take_promise_back(self) -> None:
        """That job is done. From any thread."""
        with self._aside_lock:
            self._promised -= 1

    def step_aside(self, *, is_promised: bool = False) -> bool:
        """In an app thread that is about to wait for its client: let another have its place, until `step_back`. False:
        as many as may be are aside already, which can't be where it was promised, or no thread can be made."""
        with self._aside_lock:
            limit = self._aside_limit * 2 if is_promised else self._aside_limit
            if self._aside >= limit or self._is_closing:
                return False
            if self._live - self._aside <= self._count and not self._start_stand_in():
                return False
            self._aside += 1
        return True

    def _start_stand_in(self) -> bool:
        """Under the lock. False: there is nothing left to make a thread of."""
        try:
            self._start_one()
        except (OSError, RuntimeError):
            return False
        self._live += 1
        return True

    def step_back(self) -> None:
        """The wait is over. There is a thread too many now: the first that has nothing to do ends."""
        with self._aside_lock:
            self._aside -= 1

    def begin_batch(self, event_count: int) -> None:
        """Wake one more thread if the queue does not drain."""
        if self._jobs and self._idle:
            watched = self._watched
            if not event_count or watched is None or watched.begun == self._watched_begun:
                self._wake_one()

    def end_batch(self) -> bool:
        """Wake the first thread if there is work. True while the queue holds something and somebody is left to be
        woken for it: poll again soon. Threads that are at work take what waits without being woken."""
        if not self._jobs:
            return False
        watched = self._watched
        if watched is None or watched.is_idle or len(self._idle) >= self._live - self._aside:
            # The others that are not idle are inside of requests: they may wait there for long.
            self._wake_one()
            if self._jobs:
                # The kernel did not let it run at once. Left to our next wait, it would be interrupted by the first
                # event there; so it gets further, and batches are larger by half: 4 % less time.
                os.sched_yield()
        else:
            self._watched_begun = watched.begun
        return bool(self._idle)

    def close(self, timeout_s: float) -> None:
        """Let the threads finish what they run, for at most `timeout_s` in all."""
        self._is_closing = True
        for _ in range(len(self._idle)):
            self._wake_one()
        deadline = time.monotonic() + timeout_s
        # Held by whoever starts a thread: one that has not begun can't be waited for.
        with self._aside_lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_one(self) -> None:
        name = f"{self._name} thread #{next(self._numbers)}"
        worker = _Worker()
        thread = threading.Thread(target=self._work, args=(worker,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            worker.bell.close()
            raise
        self._threads.add(thread)

    def _is_one_too_many(self) -> bool:
        """In a thread that has nothing to do: whether it is to end."""
        with self._aside_lock:
            if self._live - self._aside <= self._count:
                return False
            self._live -= 1
        self._threads.discard(threading.current_thread())
        return True

    def _wake_one(self) -> None:
        try:
            worker = self._idle.pop()
        except IndexError:
            return
        self._watched = worker
        self._watched_begun = worker.begun
        worker.is_idle = False
        worker.bell.ring()

    def _work(self, worker: _Worker) -> None:
        """A thread's root."""
        try:
            self._run_jobs(worker)
        finally:
            # Nobody rings any more: who is woken was among the idle ones, and waits until that is done.
            worker.bell.close()

    def _run_jobs(self, worker: _Worker) -> None:
        take = self._jobs.popleft
        idle = self._idle
        while not self._is_closing:
            try:
                job = take()
            except IndexError:
                # The last job stays alive meanwhile. Let go of here, it is often the last thing on the heap, which is
                # trimmed then and grows again with the next body: 44 µs for a POST of 64 KB instead of 18.
                if self._live != self._count and self._is_one_too_many():
                    return
                worker.is_idle = True
                idle.append(worker)
                # A job, or the end, may have come between the two lines above, when we were not idle yet.
                if (self._jobs or self._is_closing) and self._take_back(worker):
                    continue
                worker.bell.wait()
                continue
            worker.begun += 1
            try:
                job.run()
            except BaseException:  # noqa: BLE001  # a root: the thread must live, whatever a job does
                traceback.print_exc(file=sys.stderr)

    def _take_back(self, worker: _Worker) -> bool:
        try:
            self._idle.remove(worker)
        except ValueError:
            # Somebody wakes us: the wait will be short.
            return False
        worker.is_idle = False
        return True
