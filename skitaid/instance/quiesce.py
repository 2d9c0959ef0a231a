"""Old workers, between the moment when they are told to finish and that when nothing new reaches them any more."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final, Self

from skitaid.instance.worker_pool import Worker

__all__ = ["Quiesce"]

QUIESCE_S: Final = 2.0
"""How long a reload is not called done because an old worker has not yet said that it takes no more connections."""


@dataclass(slots=True)
class Quiesce:
    """The wait for old workers to take no more connections. `accepting`: pids of those that may still take connections.
    `told_by`: whoever waits for the end is told then at the latest; monotonic."""

    accepting: set[int]
    told_by: float

    @classmethod
    def of(cls, workers: Iterable[Worker], now: float) -> Self:
        """Of workers that are told to finish now."""
        return cls({worker.pid for worker in workers}, now + QUIESCE_S)

    def closed(self, pid: int) -> None:
        """A worker says that it takes no more connections."""
        self.accepting.discard(pid)

    def is_over(self, alive: Container[int], now: float) -> bool:
        return now >= self.told_by or not any(pid in alive for pid in self.accepting)
