"""skitaid.log: what the supervisor did and why, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from skitaid.exceptions import Problem
from skitaid.logs.lines import LogFile

__all__ = ["LOG_FILE", "Journal"]

LOG_FILE = "skitaid.log"


class Journal:
    """One line each, `[type:instance] text`; the supervisor's own lines carry no instance. Never raises."""

    def __init__(self, log_path: Path, *, echo: bool = False) -> None:
        self._file = LogFile(log_path / LOG_FILE, echo=echo)

    def info(self, text: str, name: str = "") -> None:
        self._file.write("info", text, name)

    def warn(self, text: str, name: str = "") -> None:
        self._file.write("warn", text, name)

    def error(self, text: str, name: str = "") -> None:
        self._file.write("error", text, name)

    def problems(self, problems: Iterable[Problem], name: str = "") -> None:
        for problem in problems:
            (self.warn if problem.is_warning else self.error)(str(problem), name)

    def failure(self) -> None:
        """The exception being handled, with its traceback: a fault of ours."""
        self._file.write_traceback()

    def rotate(self) -> None:
        """Reopen a file that somebody renamed; otherwise put ours aside and begin a new one."""
        if not self._file.reopen_if_moved():
            self._file.rotate()

    def tick(self) -> None:
        """About once a second: a new day begins a new file, and so does somebody who moved or removed ours."""
        self._file.reopen_if_moved()
        self._file.rotate_daily()
