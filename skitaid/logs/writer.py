"""The request log's writer: the hot path leaves a line in a list, a thread writes what is there.

The thread is not woken for a line: it looks fifty times a second while there is work, less often when there is none,
and is called once when a quarter of the room is taken. Every look costs two changes of thread, some 20 µs, so it
writes all that waits at once; that keeps an event loop in the same interpreter waiting for 0.1 ms at most.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from typing import Final

from skitaid.logs.lines import LogFile

__all__ = ["RequestLogWriter"]

SLICE: Final = 2000
"""Lines per write: 0.1 ms for what the interpreter does with them, and the kernel the same for some 300 KB."""
BUSY_WAIT_S: Final = 0.02
IDLE_WAIT_S: Final = 0.5
CHECK_MOVED_S: Final = 1.0
LIMIT: Final = 20_000
"""Lines that wait at most: some 5 MB."""


class RequestLogWriter:
    """Writes lines into `log`. To be made after the fork."""

    def __init__(self, log: LogFile, *, limit: int = LIMIT) -> None:
        self.dropped = 0
        self._log = log
        self._lines: list[str] = []
        self._limit = limit
        self._hurry_at = limit // 4
        self._wake = threading.Event()
        self._is_closing = False
        self._reopen_asked = False
        self._told_dropped = 0
        self._draining = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="request log", daemon=True)
        self._thread.start()

    def append(self, line: str) -> None:
        """Take a line of ASCII, with its newline. From any thread; never blocks, never raises."""
        lines = self._lines
        waiting = len(lines)
        if waiting < self._limit:
            lines.append(line)
            if waiting == self._hurry_at:
                self._wake.set()
        else:
            self.dropped += 1

    def reopen(self) -> None:
        """Have the file reopened at the thread's next look (at most half a second). Safe in a signal handler."""
        self._reopen_asked = True

    def flush(self) -> None:
        """Write what waits, here and now. Blocks on the disk: not for the event loop."""
        while self._write_slice():
            pass
        self._tell_dropped()

    def close(self) -> None:
        """Stop the thread and write what is left. The log file stays open: it is the caller's."""
        self._is_closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        """The thread's root."""
        wait_s = BUSY_WAIT_S
        check_at = 0.0
        while not self._is_closing:
            try:
                if time.monotonic() >= check_at or self._reopen_asked:
                    check_at = time.monotonic() + CHECK_MOVED_S
                    self._look_after_file()
                wait_s = BUSY_WAIT_S if self._drain() else min(wait_s * 2, IDLE_WAIT_S)
                self._tell_dropped()
            except Exception:  # noqa: BLE001 - a thread's root: logging goes on whatever one line holds
                traceback.print_exc()
            self._wake.wait(wait_s)
            if not self._is_closing:
                self._wake.clear()

    def _drain(self) -> bool:
        """Write everything that waits. True: there was something."""
        had_some = False
        while not self._is_closing and self._write_slice():
            had_some = True
        return had_some

    def _write_slice(self) -> bool:
        """Take lines off the list and write them. False: nothing waits."""
        lines = self._lines
        with self._draining:
            # Each of the two is one step for the interpreter; what others append comes behind.
            taken = lines[:SLICE]
            del lines[: len(taken)]
            if taken:
                self._log.write_raw("".join(taken).encode("ascii", "backslashreplace"))
        return bool(taken)

    def _tell_dropped(self) -> None:
        """Into the error log: a line of another form has no place between requests."""
        count, self._told_dropped = self.dropped - self._told_dropped, self.dropped
        if not count:
            return
        text = f"{count} requests were not logged: {self._limit} were waiting to be written (is the disk slow?)"
        print(text, file=sys.stderr)

    def _look_after_file(self) -> None:
        if self._reopen_asked:
            self._reopen_asked = False
            self._log.reopen()
        else:
            self._log.reopen_if_moved()
