"""`wac`: what all apps of a process share. What is registered with it is an attribute of every app's `was`."""

from __future__ import annotations

from typing import Any, Final

import skitaid.was as services
from skitaid.atila.configuration import make_config
from skitaid.was.services import SERVICES
from skitaid.was.worker import worker_or_none

__all__ = ["REGISTERED", "WAC", "Wac"]

REGISTERED: Final[dict[str, Any]] = {}
"""Name: object."""


class Logger:
    """Writes to the app log. `name` stands there for the place."""

    def __init__(self, name: str) -> None:
        self.name = name

    def log(self, message: object, category: str = "info") -> None:
        """A line of that type."""
        services.log(message, category, self.name)

    __call__ = log

    def trace(self) -> None:
        """The exception that is being handled, with where it happened."""
        services.traceback(self.name)

    exception = trace

    def debug(self, message: object) -> None:
        """A line of type debug."""
        self.log(message, "debug")

    def info(self, message: object) -> None:
        """A line of type info."""
        self.log(message)

    def warning(self, message: object) -> None:
        """A line of type warn."""
        self.log(message, "warn")

    warn = warning

    def error(self, message: object) -> None:
        """A line of type error."""
        self.log(message, "error")


class Loggers:
    """Loggers by name."""

    def get(self, name: str = "app") -> Logger:
        """The logger of that name."""
        return Logger(name)

    def make_logger(self, name: str, freq: str = "daily") -> Logger:
        """The same: there is one app log, which is rotated as the conf says, whatever `freq` is."""
        return Logger(name)


class Wac:
    """There is one: WAC. `config` is shared by all apps."""

    def __init__(self) -> None:
        self.logger = Loggers()
        self.config = make_config()

    def register(self, name: str, thing: Any) -> None:
        """Make `thing` known as `was.NAME` to all apps of this process. Raises ValueError for a name that is taken by
        a service."""
        if name in SERVICES:
            raise ValueError(f"was.{name} is there already; register it under another name")
        REGISTERED[name] = thing

    registerObject = register  # the older name

    def unregister(self, name: str) -> Any:
        """Take back what was registered; gives it, None if there was nothing."""
        return REGISTERED.pop(name, None)

    @property
    def numthreads(self) -> int:
        """How many threads run apps here; 1 outside of workers."""
        worker = worker_or_none()
        threads = None if worker is None else worker.engine.threads
        return 1 if threads is None else threads.count

    def __getattr__(self, name: str) -> Any:
        """What was registered, or a service."""
        if name in REGISTERED:
            return REGISTERED[name]
        if name in SERVICES:
            return getattr(services, name)
        raise AttributeError(f"wac has no {name!r}")


WAC: Final = Wac()
