"""The request log's writer: the hot path appends a line to a deque, a thread writes what is there.

The thread is not woken for a request: it looks every tenth of a second while there is work, less often when there is
none, and is called once when a quarter of the room is taken. It writes a slice of lines with one system call and lets
others run before the next, so an event loop in the same interpreter waits for one slice (0.05 ms) at most. Records,
which are lines still to be made, cost more (0.4 ms a slice); engines in workers give lines.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable

from skitaid.logs.lines import LogFile
from skitaid.logs.request import LogOff, Record, format_json, line_formatter

__all__ = ["RequestLogWriter"]

SLICE = 200
"""Lines per write. Each slice costs two changes of thread, some 20 µs."""
HURRIED_SLICE = 800
"""While more than a quarter of the room is taken."""
BUSY_WAIT_S = 0.1
IDLE_WAIT_S = 0.5
CHECK_MOVED_S = 1.0
LIMIT = 20_000
"""Records that wait at most: twice what a busy worker makes in BUSY_WAIT_S, and under 20 MB."""


class RequestLogWriter:
    """Writes the records of one worker (`worker_id`: `M`, `W0`, …) into `log`. To be made after the fork.

    `log_off`: patterns of paths that are left out. `as_json`: JSON objects instead of lines.
    """

    def __init__(
        self,
        log: LogFile,
        worker_id: str,
        *,
        log_off: Iterable[str] = (),
        as_json: bool = False,
        limit: int = LIMIT,
    ) -> None:
        self.dropped = 0
        self._log = log
        self._records: deque[Record | str] = deque()
        self._limit = limit
        self._hurry_at = limit // 4
        self._off = LogOff(log_off)
        self._format = _formatter(worker_id, as_json)
        self._wake = threading.Event()
        self._is_closing = False
        self._reopen_asked = False
        self._told_dropped = 0
        self._draining = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="request log", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> None:
        """Take a record (see `request.FIELDS`). From any thread; never blocks, never raises."""
        self._add(record)

    def append_line(self, line: str) -> None:
        """Take a line that is made already, with its newline. From any thread; never blocks, never raises."""
        self._add(line)

    def _add(self, record: Record | str) -> None:
        waiting = len(self._records)
        if waiting < self._limit:
            self._records.append(record)
            if waiting == self._hurry_at:
                self._wake.set()
        else:
            self.dropped += 1

    def reopen(self) -> None:
        """Have the file reopened at the thread's next look (at most half a second). Safe in a signal handler."""
        self._reopen_asked = True

    def flush(self) -> None:
        """Write what waits, here and now. Blocks on the disk: not for the event loop."""
        with self._draining:
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
            except Exception:  # noqa: BLE001 - a thread's root: logging goes on whatever one record holds
                traceback.print_exc()
            self._wake.wait(wait_s)
            if not self._is_closing:
                self._wake.clear()

    def _drain(self) -> bool:
        """Write everything that waits, slice by slice. True: there was something."""
        had_some = False
        while self._records and not self._is_closing:
            with self._draining:
                self._write_slice()
            had_some = True
            time.sleep(0)  # lets the event loop have the interpreter
        return had_some

    def _write_slice(self) -> bool:
        """Take a slice off the deque and write its lines. False: nothing waits."""
        records = self._records
        count = min(SLICE if len(records) < self._hurry_at else HURRIED_SLICE, len(records))
        if not count:
            return False
        taken = [records.popleft() for _ in range(count)]
        lines = "".join([record if isinstance(record, str) else self._line_of(record) for record in taken])
        if lines:
            self._log.write_raw(lines.encode("ascii"))
        return True

    def _line_of(self, record: Record) -> str:
        return "" if self._off and self._off.matches(record[4]) else self._format(record)

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


def _formatter(worker_id: str, as_json: bool) -> Callable[[Record], str]:
    if as_json:
        return lambda record: format_json(record, worker_id)
    return line_formatter(worker_id)
