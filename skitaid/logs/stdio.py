"""Standard output and error led into a log file, through rotation as well."""

from __future__ import annotations

import io
import sys

from skitaid.logs.lines import LogFile

__all__ = ["redirect"]


def redirect(log: LogFile) -> None:
    """Let descriptors 1 and 2 lead into `log`, now and each time it is reopened.

    Python's own streams are made to write at each line's end: what an app printed before it was killed is kept.
    """
    log.take_over(1, 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
