"""What a Task is about: something that was begun and will end with a Result. Pure vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from skitaid.was.tasks.result import Result

__all__ = ["Done", "Work", "name_of"]

Done = Callable[[Result], object]
"""To be called once, from any thread: the work is over. Must not block, must not raise."""


def name_of(function: Callable[..., Any]) -> str:
    """As a person would say it; of a functools.partial that of its function."""
    function = getattr(function, "func", function)
    return getattr(function, "__qualname__", None) or repr(function)


class Work(Protocol):
    """A call to another server, a function in a thread, a query. `patience_s`: how long a wait for it lasts, from its
    creation on, when nobody says how long; None for as long as it takes."""

    patience_s: float | None

    @property
    def about(self) -> str:
        """What it is, for those who read of its failure: `GET @api/pets`."""

    def start(self, done: Done) -> None:
        """Begin. Called once, in the thread that creates the task. Must not block; what fails is told to `done`."""

    def cancel(self) -> None:
        """Nobody waits any longer: let go of what is held for it, now or soon. From any thread; fine after the end.
        `done` may still be called, it is not heard then."""
