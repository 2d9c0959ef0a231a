"""What apps say, and how they fail, on its way into app.log."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import Any

from skitaid.engine.stream import Stream
from skitaid.logs.lines import LogFile

__all__ = ["AppLog"]


class AppLog:
    """Writes app.log for what runs in a worker. `stream` is `wsgi.errors`: what is written there becomes lines of type
    `error`."""

    def __init__(self, log: LogFile) -> None:
        self._log = log
        self.stream = _LineStream(log)

    def app_failed(self, stream: Stream, error: BaseException) -> None:
        """An exception that an app did not handle. The frame that called the app is ours and left out."""
        trace = error.__traceback__
        if trace is not None and trace.tb_next is not None:
            error = error.with_traceback(trace.tb_next)
        line = stream.head.line
        self._log.write_traceback(f"{line.method} {line.target}"[:200], error=error)

    def write(self, kind: str, text: str, identifier: str) -> None:
        """What an app says (was.log)."""
        self._log.write(kind, text, identifier)

    def write_error(self, text: str, error: BaseException | None, identifier: str) -> None:
        """An exception that an app tells of, or that nobody asked for."""
        if text:
            self._log.write("error", text, identifier)
        self._log.write_traceback(identifier, error=error)

    def load_failed(self, summary: str, traceback: str) -> None:
        """An app that could not be loaded; `traceback` may be empty."""
        self._log.write_block("expt", [summary, *traceback.splitlines()], "load")

    def lifespan_failed(self, summary: str, traceback: str) -> None:
        """An ASGI app that did not start or stop as it should; `traceback` may be empty."""
        self._log.write_block("expt" if traceback else "error", [summary, *traceback.splitlines()], "lifespan")

    def task_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio tells of: tasks of apps that failed with nobody to hear of it, and callbacks (the loop's
        exception handler)."""
        self._log.write("error", str(context.get("message", "")), "task")
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._log.write_traceback("task", error=error)


class _LineStream(io.TextIOBase):
    """Text to log lines. Each thread's unfinished line is its own."""

    def __init__(self, log: LogFile) -> None:
        self._log = log
        self._unfinished = threading.local()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, rest = (getattr(self._unfinished, "text", "") + text).split("\n")
        self._unfinished.text = rest
        lines = [line for line in lines if line.strip()]
        if lines:
            self._log.write_block("error", lines)
        return len(text)

    def flush(self) -> None:
        """Lines are written when they end; what is unfinished is written now."""
        rest = getattr(self._unfinished, "text", "")
        if rest:
            self.write("\n")
