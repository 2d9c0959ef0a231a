"""A command, as a process group of its own."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from _thread import allocate_lock
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO, Any, Final

from skitaid.was.errors import WasError
from skitaid.was.local.command_guard import CommandGuard
from skitaid.was.local.thread_pool import ThreadPool
from skitaid.was.tasks.result import Result
from skitaid.was.tasks.work import Done

__all__ = ["COMMAND_S", "MAX_OUTPUT_BYTES", "CommandPool", "CommandWork", "OutputTooLargeError"]

COMMAND_S: Final = 300.0
MAX_OUTPUT_BYTES: Final = 64 << 20
_PIECE_BYTES: Final = 1 << 16
_FIRST_LOOK_S: Final = 0.001
_LAST_LOOK_S: Final = 0.05


class OutputTooLargeError(WasError):
    """A command printed more than is taken; it was ended."""


class CommandPool:
    """Threads that wait for commands, at most `size`."""

    def __init__(self, size: int) -> None:
        self._threads = ThreadPool("Subprocess", size)
        self.guard = CommandGuard()

    @property
    def is_busy(self) -> bool:
        """Whether a command runs or waits."""
        return self._threads.is_busy

    def submit(self, job: Callable[[], None]) -> None:
        """Have `job()` called. Raises QueueFullError."""
        self._threads.submit(job)

    def end(self) -> None:
        """The worker ends: so do the commands."""
        self.guard.close()


class CommandWork:
    """A work.Work. A text is for the shell, a list is run as it is. After `timeout_s` from its creation on, and when it
    is given up, all processes of its group are killed. `data` of the result is what it printed."""

    def __init__(
        self, pool: CommandPool, command: str | Sequence[str], timeout_s: float, *, max_bytes: int = MAX_OUTPUT_BYTES
    ) -> None:
        self.patience_s: float | None = timeout_s
        self._pool = pool
        self._command = command
        self._begun_at = time.monotonic()
        self._deadline = self._begun_at + timeout_s
        self._max_bytes = max_bytes
        self._lock = allocate_lock()
        self._is_given_up = False
        # It wakes the thread that waits for the command, while there is one.
        self._wake_fd: int | None = None

    @property
    def about(self) -> str:
        return f"was.Subprocess({self._command!r:.100})"

    def start(self, done: Done) -> None:
        self._pool.submit(partial(self._run, done))

    def cancel(self) -> None:
        with self._lock:
            self._is_given_up = True
            if self._wake_fd is not None:
                os.write(self._wake_fd, b"\0")

    def _run(self, done: Done) -> None:
        if self._is_given_up:
            return
        try:
            result = self._result()
        except subprocess.TimeoutExpired:
            result = Result.of_timeout(self.about, time.monotonic() - self._begun_at)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the result
            # None of its frames is the app's, and ours have the task in them, which has the error.
            result = Result.of_error(error.with_traceback(None))
        done(result)

    def _result(self) -> Result:
        with self._waking() as wake_fd:
            process = subprocess.Popen(
                self._command, shell=isinstance(self._command, str), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, process_group=0,
            )  # fmt: skip
            try:
                self._pool.guard.watch(process.pid)
                output, errors = self._collect(process, wake_fd)
            finally:
                _end(process)
                self._pool.guard.forget(process.pid)
        text = output.decode("utf-8", "replace")
        if process.returncode:
            raise subprocess.CalledProcessError(
                process.returncode, self._command, text, errors.decode("utf-8", "replace")
            )
        return Result.of_data(text)

    @contextlib.contextmanager
    def _waking(self) -> Iterator[int]:
        """What can be read when the command is given up."""
        wake_fd, ours = os.pipe()
        try:
            with self._lock:
                self._wake_fd = ours
                if self._is_given_up:
                    os.write(ours, b"\0")
            yield wake_fd
        finally:
            # Under the lock: the number may be another's as soon as it is closed.
            with self._lock:
                self._wake_fd = None
            os.close(ours)
            os.close(wake_fd)

    def _collect(self, process: subprocess.Popen[bytes], wake_fd: int) -> tuple[bytes, bytes]:
        """What it prints, until it closes both and ends. Raises TimeoutExpired, OutputTooLargeError."""
        assert process.stdout is not None
        assert process.stderr is not None
        output: dict[IO[bytes], bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
        with selectors.DefaultSelector() as selector:
            selector.register(wake_fd, selectors.EVENT_READ)
            for pipe in output:
                selector.register(pipe, selectors.EVENT_READ)
            while len(selector.get_map()) > 1:
                self._read_some(selector, output)
            self._await_end(process, selector)
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

    def _await_end(self, process: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> None:
        """Most end when they close their output. For the others there is nothing to wait on but the clock."""
        pause_s = _FIRST_LOOK_S
        while process.poll() is None:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0 or selector.select(min(pause_s, left_s)):
                raise subprocess.TimeoutExpired(self._command, self.patience_s or 0.0)
            pause_s = min(_LAST_LOOK_S, 2 * pause_s)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Bury it. One that has not ended is ended, with all that it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
