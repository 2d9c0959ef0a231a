"""The workers of a master, in generations: a reload makes a new generation, waits until all of it is ready, and only
then lets the old one go. Decides and keeps books; forking and killing are done by what it is given.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from skitaid.supervisor.scoreboard import MAX_SLOTS, Scoreboard

__all__ = ["Crew", "Stage", "Worker"]

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
GOOD_RUN_S = 10.0
"""A worker that lived so long after it was ready is replaced at once; one that did not has to wait its turn."""


class Stage(Enum):
    """Of a worker, as its master sees it."""

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
    started_at: float
    stage: Stage = Stage.STARTING
    ready_at: float = 0.0
    kill_at: float | None = None
    failed: tuple[str, ...] = ()


@dataclass(slots=True)
class _Place:
    """One place of the current generation: when it may be filled again after its worker died."""

    delay_s: float = 0.0
    not_before: float = 0.0


@dataclass(slots=True)
class Crew:
    """`fork(index, slot, generation)` gives the pid of a new worker. `size` workers make a generation."""

    board: Scoreboard
    fork: Callable[[int, int, int], int]
    size: int = 1
    generation: int = 0
    workers: dict[int, Worker] = field(default_factory=dict)
    _places: dict[int, _Place] = field(default_factory=dict)

    def of(self, generation: int) -> Iterator[Worker]:
        """The living workers of a generation."""
        return (worker for worker in self.workers.values() if worker.generation == generation)

    def start(self, generation: int, size: int, now: float) -> None:
        """Fork a whole generation."""
        for index in range(size):
            self.hire(index, generation, now)

    def hire(self, index: int, generation: int, now: float) -> Worker:
        """Fork one worker."""
        slot = self._free_slot(index)
        self.board.slot(slot).clear()
        pid = self.fork(index, slot, generation)
        worker = self.workers[pid] = Worker(pid, index, slot, generation, now)
        return worker

    def is_ready(self, generation: int, size: int) -> bool:
        """Whether every worker of a generation can serve."""
        return sum(worker.stage is Stage.READY for worker in self.of(generation)) >= size

    def ready(self, pid: int, failed: tuple[str, ...], now: float) -> None:
        """A worker said that it can serve."""
        worker = self.workers.get(pid)
        if worker is not None and worker.stage is Stage.STARTING:
            worker.stage, worker.ready_at, worker.failed = Stage.READY, now, failed

    def bury(self, pid: int, now: float) -> Worker | None:
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
        taken = {worker.index for worker in self.of(self.generation) if worker.stage is not Stage.DRAINING}
        empty = (index for index in range(self.size) if index not in taken)
        return [index for index in empty if self._places.setdefault(index, _Place()).not_before <= now]

    def next_due(self) -> float | None:
        """When `due` has something next, on the monotonic clock; None when all places are taken."""
        taken = {worker.index for worker in self.of(self.generation) if worker.stage is not Stage.DRAINING}
        times = [self._places[index].not_before for index in range(self.size) if index not in taken
                 and index in self._places]
        return min(times, default=None)

    def promote(self, generation: int, size: int) -> None:
        """From now on this is the generation whose places are kept filled."""
        self.generation, self.size = generation, size
        self._places.clear()

    def retire(self, workers: Iterator[Worker] | list[Worker], how: signal.Signals, kill_at: float) -> None:
        """Ask workers to go: QUIT when what they do may take its time, TERM when not. At `kill_at` they are killed."""
        for worker in list(workers):
            worker.stage = Stage.DRAINING
            worker.kill_at = kill_at
            _signal(worker.pid, how)

    def overdue(self, now: float) -> list[Worker]:
        """Those whose time is up; each is told once."""
        late = [worker for worker in self.workers.values() if worker.kill_at is not None and worker.kill_at <= now]
        for worker in late:
            worker.kill_at = None
        return late

    def _vacate(self, worker: Worker, now: float) -> None:
        place = self._places.setdefault(worker.index, _Place())
        lived_well = worker.stage is Stage.READY and now - worker.ready_at >= GOOD_RUN_S
        if worker.stage is Stage.READY and (lived_well or not place.delay_s):
            place.delay_s, place.not_before = (0.0 if lived_well else FIRST_DELAY_S / 4), now
            return
        place.delay_s = min(LONGEST_DELAY_S, max(FIRST_DELAY_S, place.delay_s * 2))
        place.not_before = now + place.delay_s

    def _free_slot(self, index: int) -> int:
        """Two generations stand side by side during a reload: a worker has its index, or its index and a half."""
        taken = {worker.slot for worker in self.workers.values()}
        half = MAX_SLOTS // 2
        for slot in (index, index + half):
            if slot not in taken:
                return slot
        return next(slot for slot in range(MAX_SLOTS - 1, -1, -1) if slot not in taken)


def _signal(pid: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, how)
