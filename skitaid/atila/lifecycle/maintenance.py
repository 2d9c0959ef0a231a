"""Jobs that an app does every so often: `@app.maintain`. One thread does them, where there are any."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, TypeVar

from skitaid.atila.dispatch.answering import log_failure

__all__ = ["Maintenance"]

Job = TypeVar("Job", bound=Callable[..., Any])


class Maintenance:
    """Part of skitaid.atila.app.Atila. The time between two rounds is `app.config.maintain_interval`, in seconds."""

    def __init__(self) -> None:
        self._jobs: dict[str, Callable[..., Any]] = {}
        self._stopped = Event()
        self._thread: Thread | None = None

    def maintain(self, function: Job) -> Job:
        """`function(was, now, count)` runs every so often: `now` in seconds since the epoch, `count` is 1 at its first
        time. Raises ValueError for a name that another job has."""
        if function.__name__ in self._jobs:
            raise ValueError(f"another job of this app is named {function.__name__}")
        self._jobs[function.__name__] = function
        return function

    def start_maintenance(self, interval_s: float, was: Any) -> None:
        """Begin, if there are jobs."""
        if self._jobs and self._thread is None:
            self._thread = Thread(target=self._run, args=(interval_s, was), name="maintain", daemon=True)
            self._thread.start()

    def stop_maintenance(self) -> None:
        """No job begins from now on."""
        self._stopped.set()

    def _run(self, interval_s: float, was: Any) -> None:
        count = 0
        while not self._stopped.wait(interval_s):
            count += 1
            for job in list(self._jobs.values()):
                try:
                    job(was, time.time(), count)
                except Exception:  # noqa: BLE001  # a job that fails is told, and the others go on
                    log_failure()
