"""A command, as a process group of its own."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from functools import partial
from typing import IO, Any, Final

from skitaid.was.errors import WasError
from skitaid.was.result import Result
from skitaid.was.thread_pool import ThreadPool
from skitaid.was.work import Done

__all__ = ["COMMAND_S", "MAX_OUTPUT_BYTES", "CommandWork", "OutputTooLargeError"]

COMMAND_S: Final = 300.0
MAX_OUTPUT_BYTES: Final = 64 << 20
_PIECE_BYTES: Final = 1 << 16


class OutputTooLargeError(WasError):
    """A command printed more than is taken; it was ended."""


class CommandWork:
    """A work.Work. A text is for the shell, a list is run as it is. After `timeout_s` from its creation on, and when it
    is given up, all processes of its group are killed. `data` of the result is what it printed."""

    def __init__(
        self, pool: ThreadPool, command: str | Sequence[str], timeout_s: float, *, max_bytes: int = MAX_OUTPUT_BYTES
    ) -> None:
        self.patience_s: float | None = timeout_s
        self._pool = pool
        self._command = command
        self._deadline = time.monotonic() + timeout_s
        self._max_bytes = max_bytes
        self._is_given_up = False
        # It wakes the thread that reads.
        self._wake_fds = (-1, -1)

    def start(self, done: Done) -> None:
        self._wake_fds = os.pipe2(os.O_CLOEXEC)
        try:
            self._pool.submit(partial(self._run, done))
        except BaseException:
            self._close()
            raise

    def cancel(self) -> None:
        self._is_given_up = True
        with contextlib.suppress(OSError):
            os.write(self._wake_fds[1], b"\0")

    def _run(self, done: Done) -> None:
        try:
            if not self._is_given_up:
                done(self._result())
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the result
            # None of its frames is the app's, and ours have the task in them, which has the error.
            done(Result.of_error(error.with_traceback(None)))
        finally:
            self._close()

    def _close(self) -> None:
        fds, self._wake_fds = self._wake_fds, (-1, -1)
        for fd in fds:
            os.close(fd)

    def _result(self) -> Result:
        process = subprocess.Popen(
            self._command, shell=isinstance(self._command, str), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, process_group=0,
        )  # fmt: skip
        try:
            output, errors = self._collect(process)
            code = process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return Result.of_timeout()
        finally:
            _end(process)
        text = output.decode("utf-8", "replace")
        if code:
            raise subprocess.CalledProcessError(code, self._command, text, errors.decode("utf-8", "replace"))
        return Result.of_data(text)

    def _collect(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        """What it prints, until it closes both. Raises TimeoutExpired, OutputTooLargeError."""
        assert process.stdout is not None
        assert process.stderr is not None
        output: dict[IO[bytes], bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_fds[0], selectors.EVENT_READ)
            for pipe in output:
                selector.register(pipe, selectors.EVENT_READ)
            while len(selector.get_map()) > 1:
                self._read_some(selector, output)
        return bytes(output[process.stdout]), bytes(output[process.stderr])

    def _read_some(self, selector: selectors.BaseSelector, output: dict[IO[bytes], bytearray]) -> None:
        ready = selector.select(max(0.0, self._deadline - time.monotonic()))
        if not ready or self._is_given_up:
            raise subprocess.TimeoutExpired(self._command, self.patience_s or 0.0)
        for key, _ in ready:
            pipe: Any = key.fileobj
            piece = os.read(key.fd, _PIECE_BYTES)
            if not piece:
                selector.unregister(pipe)
                continue
            output[pipe] += piece
            if sum(map(len, output.values())) > self._max_bytes:
                raise OutputTooLargeError(f"{self._command!r:.100} printed more than {self._max_bytes} bytes")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Bury it. One that has not ended is ended, with all that it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
