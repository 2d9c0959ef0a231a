"""A response that comes later: what an app gives in place of one, for handlers that can wait without a thread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

__all__ = ["Later"]


class Later(ABC):
    """A handler that is given one calls `when_ready` and lets go of its thread; told so, it calls `make` in a thread
    where an app may block. What that gives is the response, or another Later."""

    @abstractmethod
    def when_ready(self, function: Callable[[], None]) -> None:
        """Have `function()` called once, from any thread, here and now perhaps. It must not block."""

    @abstractmethod
    def make(self) -> Any:
        """The response, as the framework of the app has it."""
