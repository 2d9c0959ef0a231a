"""Standard output and error led into a log file, through rotation as well."""

from __future__ import annotations

import io
import sys
from typing import Any

from skitaid.logs.lines import LogFile

__all__ = ["redirect"]


def redirect(log: LogFile) -> None:
    """Let descriptors 1 and 2 lead into `log`, now and each time it is reopened.

    Python's own streams are made to write at each line's end: what an app printed before it was killed is kept. On a
    full disk they lose lines and go on: an app that prints is not to fail for it.
    """
    log.take_over(1, 2)
    sys.stdout, sys.stderr = _lenient(1, "<stdout>"), _lenient(2, "<stderr>")


def _lenient(descriptor: int, name: str) -> io.TextIOWrapper:
    file = _LenientFile(descriptor, "wb", closefd=False)
    file.name = name
    return io.TextIOWrapper(io.BufferedWriter(file), "utf-8", "backslashreplace", line_buffering=True)


class _LenientFile(io.FileIO):
    """Takes everything, whatever becomes of it."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)
