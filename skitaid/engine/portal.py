"""The way onto the loop thread: any thread leaves a call, the loop makes it.

One byte in a pipe wakes the loop, and only when no wake-up is on its way already; a hundred calls left in one turn
cost one system call.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections import deque
from collections.abc import Callable

from skitaid.engine.selector import EngineSelector

__all__ = ["Portal"]


class Portal:
    """Registered in the selector it is made with. Calls are bounded by those who make them: each connection leaves at
    most one at a time."""

    def __init__(self, selector: EngineSelector) -> None:
        self._selector = selector
        self._calls: deque[Callable[[], None]] = deque()
        self._is_woken = False
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        selector.serve(self._read_fd, self)

    def call(self, function: Callable[[], None]) -> None:
        """Have `function()` called on the loop thread soon. From any thread."""
        self._calls.append(function)
        if not self._is_woken:
            self._is_woken = True
            try:
                os.write(self._write_fd, b"\0")
            except BlockingIOError:
                # The pipe is full of wake-ups: one more is not needed.
                return

    def on_event(self, mask: int) -> None:
        os.read(self._read_fd, 4096)
        # Cleared before the calls are taken: one left from now on writes a new byte.
        self._is_woken = False
        calls = self._calls
        for _ in range(len(calls)):
            function = calls.popleft()
            try:
                function()
            except Exception:  # noqa: BLE001  # a root: one connection's failure must not lose the calls of others
                traceback.print_exc(file=sys.stderr)

    def on_failure(self) -> None:
        """Nothing to give up: the pipe lives as long as the loop."""

    def close(self) -> None:
        """No call is made any more. A thread that still leaves one must not write where our pipe was."""
        self._is_woken = True
        self._selector.forget(self._read_fd)
        os.close(self._read_fd)
        os.close(self._write_fd)
