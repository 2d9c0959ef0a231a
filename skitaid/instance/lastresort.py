"""What apps log by the standard library's `logging` without having said where to."""

from __future__ import annotations

import logging
import traceback

from skitaid.logs.lines import LogFile

__all__ = ["LastResort"]

_KINDS = ((logging.CRITICAL, "fatal"), (logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"))


class LastResort(logging.Handler):
    """In the place of `logging.lastResort`, which prints to standard error: the same level, nothing that an app
    configures is touched, and it goes to app.log with time, level and the logger's name."""

    def __init__(self, log: LogFile) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def take_over(self) -> None:
        """For the whole process."""
        logging.lastResort = self

    def emit(self, record: logging.LogRecord) -> None:
        try:
            lines = record.getMessage().splitlines() or [""]
        except Exception:  # noqa: BLE001  (text of the app's and its arguments: logging's own way to say so)
            self.handleError(record)
            return
        if record.exc_info:
            lines += "".join(traceback.format_exception(*record.exc_info)).splitlines()
        if record.stack_info:
            lines += record.stack_info.splitlines()
        self._log.write_block(_kind(record.levelno), lines, record.name)


def _kind(level: int) -> str:
    return next((kind for least, kind in _KINDS if level >= least), "debug")
