"""The workers of a master, in generations: a reload makes a new generation, waits until all of it is ready, and only
then lets the old one go. Decides and remembers; forking is done by what it is given.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from skitaid.supervisor.scoreboard import MAX_SLOTS, Scoreboard

__all__ = ["WorkerPool", "Stage", "Worker"]

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
QUICK_MOST = 3
GOOD_RUN_S = 10.0
"""A worker that lived so long after it was ready is replaced at once. Of those that did not the first QUICK_MOST are,
and then one a second, so that an app that falls at every request is still there for the next. One that never became
ready would fail again: the wait doubles each time."""


class Stage(Enum):
    """How far a worker is, as its master sees it."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass(slots=True, eq=False)
class Worker:
    """A child. `index` is its number in its generation (worker #0), `slot` its place on the scoreboard; times are
    monotonic. `kill_at`: when patience ends."""

    pid: int
    index: int
    slot: int
    generation: int
    stage: Stage = Stage.STARTING
    ready_at: float = 0.0
    kill_at: float | None = None
    failed: tuple[str, ...] = ()


@dataclass(slots=True)
class _Place:
    """One place of the current generation: when it may be filled again after its worker died."""

    quick: int = 0
    delay_s: float = 0.0
    not_before: float = 0.0


@dataclass(slots=True)
class WorkerPool:
    """The living workers, and the places of the generation that is kept full. `fork(index, slot, generation)` gives the
    pid of a new worker, or raises OSError. `size` workers make a generation."""

    board: Scoreboard
    fork: Callable[[int, int, int], int]
    size: int = 1
    generation: int = 0
    workers: dict[int, Worker] = field(default_factory=dict)
    _places: dict[int, _Place] = field(default_factory=dict)

    def of(self, generation: int) -> Iterator[Worker]:
        """The living workers of a generation."""
        return (worker for worker in self.workers.values() if worker.generation == generation)

    def start(self, generation: int, size: int) -> None:
        """Fork a whole generation. Raises OSError; those that were forked are there."""
        for index in range(size):
            self.spawn(index, generation)

    def spawn(self, index: int, generation: int, *, kill_at: float | None = None) -> Worker:
        """Fork one worker, which is to be ready by `kill_at`. Raises OSError."""
        slot = self._free_slot(index)
        self.board.slot(slot).clear()
        pid = self.fork(index, slot, generation)
        worker = self.workers[pid] = Worker(pid, index, slot, generation, kill_at=kill_at)
        return worker

    def is_ready(self, generation: int, size: int) -> bool:
        """Whether every worker of a generation can serve."""
        return sum(worker.stage is Stage.READY for worker in self.of(generation)) >= size

    def ready(self, pid: int, failed: tuple[str, ...], now: float) -> None:
        """A worker said that it can serve."""
        worker = self.workers.get(pid)
        if worker is not None and worker.stage is Stage.STARTING:
            worker.stage, worker.ready_at, worker.failed, worker.kill_at = Stage.READY, now, failed, None

    def remove(self, pid: int, now: float) -> Worker | None:
        """A worker is dead. If it was of the current generation its place is filled again, see `due`."""
        worker = self.workers.pop(pid, None)
        if worker is None:
            return None
        self.board.slot(worker.slot).clear()
        if worker.generation == self.generation and worker.stage is not Stage.DRAINING:
            self._vacate(worker, now)
        return worker

    def due(self, now: float) -> list[int]:
        """The places of the current generation that are empty and may be filled now."""
        return [index for index in self._empty() if self._place(index).not_before <= now]

    def postpone(self, index: int, now: float) -> None:
        """A place could not be filled: wait longer each time."""
        place = self._place(index)
        place.delay_s = min(LONGEST_DELAY_S, max(FIRST_DELAY_S, place.delay_s * 2))
        place.not_before = now + place.delay_s

    def next_due(self) -> float | None:
        """When `due` has something next, on the monotonic clock; None when all places are taken."""
        return min((self._place(index).not_before for index in self._empty()), default=None)

    def next_kill(self) -> float | None:
        """When `overdue` has something next; None when nobody's time is limited."""
        times = (worker.kill_at for worker in self.workers.values())
        return min((at for at in times if at is not None), default=None)

    def promote(self, generation: int, size: int) -> None:
        """From now on this is the generation whose places are kept filled."""
        self.generation, self.size = generation, size
        self._places.clear()

    def retire(self, workers: Iterable[Worker], how: signal.Signals, kill_at: float) -> None:
        """Ask workers to go: QUIT when what they do may take its time, TERM when not. At `kill_at` they are killed.
        One that is not ready has nothing to finish, and may not hear anything yet: it is killed."""
        for worker in list(workers):
            number = signal.SIGKILL if worker.stage is Stage.STARTING else how
            worker.stage = Stage.DRAINING
            worker.kill_at = kill_at if worker.kill_at is None else min(kill_at, worker.kill_at)
            self.signal(worker, number)

    def signal(self, worker: Worker, number: signal.Signals) -> None:
        """Send a signal; one that is gone already is reaped soon."""
        with suppress(ProcessLookupError):
            os.kill(worker.pid, number)

    def overdue(self, now: float) -> list[Worker]:
        """Those whose time is up; each is told once."""
        late = [worker for worker in self.workers.values() if worker.kill_at is not None and worker.kill_at <= now]
        for worker in late:
            worker.kill_at = None
        return late

    def _empty(self) -> list[int]:
        taken = {worker.index for worker in self.of(self.generation) if worker.stage is not Stage.DRAINING}
        return [index for index in range(self.size) if index not in taken]

    def _place(self, index: int) -> _Place:
        return self._places.setdefault(index, _Place())

    def _vacate(self, worker: Worker, now: float) -> None:
        if worker.stage is Stage.STARTING:
            self.postpone(worker.index, now)
            return
        place = self._place(worker.index)
        place.delay_s = 0.0
        place.quick = 0 if now - worker.ready_at >= GOOD_RUN_S else place.quick + 1
        place.not_before = now if place.quick <= QUICK_MOST else now + FIRST_DELAY_S

    def _free_slot(self, index: int) -> int:
        """A worker has its index as its slot, or its index and a half while another generation is there."""
        taken = {worker.slot for worker in self.workers.values()}
        candidates: tuple[int, ...] = (index, index + MAX_SLOTS // 2, *reversed(range(MAX_SLOTS)))
        for slot in candidates:
            if slot < MAX_SLOTS and slot not in taken:
                return slot
        # Generations that take their time to drain: their figures go, this one's are seen.
        return index
