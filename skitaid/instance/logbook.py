"""The log files of an instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skitaid.logs.lines import LogFile

__all__ = ["Logbook"]


class Logbook:
    """The four logs of an instance. `label`: what lines begin with when they are shown on standard error too, None when
    they are not.

    `server`: what the instance does. `app`: what its apps say and how they fail. `request`: one line a request.
    `stderr`: what anything prints. The master makes the files, gives them to the workers' user and rotates them."""

    def __init__(self, folder: Path, *, owner: tuple[int, int] | None = None, label: str | None = None) -> None:
        self.folder = folder
        is_verbose = label is not None
        self.server = LogFile(folder / "server.log", echo=is_verbose, owner=owner)
        self.app = LogFile(folder / "app.log", echo=is_verbose, owner=owner)
        self.request = LogFile(folder / "request.log", echo=is_verbose, owner=owner)
        self.stderr = LogFile(folder / "stderr.log", owner=owner)
        for log in self:
            log.label = (label or "").encode()

    def __iter__(self) -> Iterator[LogFile]:
        return iter((self.server, self.app, self.request, self.stderr))

    def reopen(self) -> None:
        for log in self:
            log.reopen()

    def close(self) -> None:
        """Another logbook takes its place."""
        for log in self:
            log.close()

    def reopen_if_moved(self) -> None:
        """After an external rotation; a file that is gone is made anew."""
        for log in self:
            log.reopen_if_moved()

    def rotate(self) -> None:
        for log in self:
            log.rotate()

    def rotate_daily(self) -> bool:
        """True: at least one was rotated."""
        rotated = [log.rotate_daily() for log in self]
        return any(rotated)
