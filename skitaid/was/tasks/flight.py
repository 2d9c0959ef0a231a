"""A piece of work that several tasks wait for (single flight). It ends when it is done, or when none of them waits any
more."""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable

from skitaid.was.tasks.result import Result
from skitaid.was.tasks.work import Done, Work

__all__ = ["Flight", "Seat"]


class Flight:
    """Work that is under way, and the tasks that wait for it. `asked_at`: when it was made, in seconds since the epoch.
    `on_over` is called once when nobody can join any more; from any thread."""

    __slots__ = ("_is_begun", "_lock", "_passengers", "_work", "asked_at", "is_over", "on_over", "patience_s")

    def __init__(self, work: Work, asked_at: float = 0.0) -> None:
        self.asked_at = asked_at
        # None once it is over: they know each other, and would be garbage that only a collection finds.
        self._work: Work | None = work
        self._lock = allocate_lock()
        self._passengers: list[Done] = []
        self._is_begun = False
        self.is_over = False
        self.on_over: Callable[[], None] | None = None
        self.patience_s = work.patience_s

    @property
    def about(self) -> str:
        """See Work; "" when it is over."""
        work = self._work
        return "" if work is None else work.about

    def is_fit(self, use_cache: bool | float) -> bool:
        """Whether its result will be for someone who says `use_cache` (result_cache.Entry)."""
        return use_cache is True or (use_cache is not False and self.asked_at > use_cache)

    def join(self, done: Done) -> bool:
        """Have `done` told of the result. False: too late, it is over."""
        with self._lock:
            if self.is_over:
                return False
            self._passengers.append(done)
            work = None if self._is_begun else self._work
            self._is_begun = True
        if work is not None:
            work.start(self._land)
        return True

    def leave(self, done: Done) -> None:
        """`done` waits no longer."""
        with self._lock:
            if self.is_over or done not in self._passengers:
                return
            self._passengers.remove(done)
            if self._passengers:
                return
            self.is_over = True
            work, self._work = self._work, None
        self._tell_over()
        if work is not None:
            work.cancel()

    def _land(self, result: Result) -> None:
        with self._lock:
            if self.is_over:
                return
            self.is_over = True
            passengers, self._passengers = self._passengers, []
            self._work = None
        self._tell_over()
        for done in passengers[1:]:
            done(result.copy())
        passengers[0](result)

    def _tell_over(self) -> None:
        on_over, self.on_over = self.on_over, None
        if on_over is not None:
            on_over()


class Seat:
    """A task's part in a flight (work.Work). `otherwise` makes the work when the flight is over before the task could
    join."""

    __slots__ = ("_done", "_flight", "_otherwise", "patience_s")

    def __init__(self, flight: Flight, otherwise: Callable[[], Work]) -> None:
        self._flight = flight
        self._otherwise = otherwise
        self._done: Done | None = None
        self.patience_s = flight.patience_s

    @property
    def about(self) -> str:
        return self._flight.about

    def start(self, done: Done) -> None:
        self._done = done
        if not self._flight.join(done):
            self._flight = Flight(self._otherwise())
            self._flight.join(done)

    def cancel(self) -> None:
        if self._done is not None:
            self._flight.leave(self._done)
