"""Tasks of this machine: a function in a thread or a process, a command."""

from __future__ import annotations

from typing import Any

from skitaid.was.tasks.result import STA_REQFAIL, Result
from skitaid.was.tasks.task import Task
from skitaid.was.tasks.work import Work
from skitaid.was.worker import worker_or_none

__all__ = ["LocalTask"]


class LocalTask(Task):
    """An exception that nobody hears of is written to app.log: those who leave a task to itself (`returning`) have no
    other way to know. `identifier` stands in front of it."""

    __slots__ = ("_about", "_identifier", "_is_heard")

    def __init__(self, work: Work, *, identifier: str = "", timeout_s: float | None = None) -> None:
        self._is_heard = False
        self._identifier = identifier
        self._about = work.about
        super().__init__(work, timeout_s=timeout_s)

    @property
    def _done(self) -> Result:
        self._is_heard = True
        assert self._result is not None
        return self._result

    def __del__(self) -> None:
        result: Any = getattr(self, "_result", None)
        if result is not None and not self._is_heard and result.status == STA_REQFAIL:
            worker = worker_or_none()
            if worker is not None:
                worker.controls.log_error(f"{self._about} failed, and nobody asked", result.error, self._identifier)
