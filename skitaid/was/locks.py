"""Locks between the workers of an instance. The kernel releases those of a worker that dies."""

from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Final

from skitaid.was.errors import LoopThreadError
from skitaid.was.private import private_folder
from skitaid.was.worker import worker_or_none

__all__ = ["ProcessLock", "get_lock"]

_PLAIN: Final = re.compile(r"[\w.-]{1,100}", re.ASCII).fullmatch
_FIRST_WAIT_S: Final = 0.001
_LONGEST_WAIT_S: Final = 0.05
_making: Final = threading.Lock()
_locks: Final[dict[Path, ProcessLock]] = {}


class ProcessLock:
    """As threading.Lock, but one for all workers: a thread that has it keeps the others out, wherever they run. Not
    reentrant."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._among_threads = threading.Lock()
        self._fd: int | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Whether we have it. `timeout` in seconds, -1 for as long as it takes. Raises LoopThreadError when it would
        wait on the event loop's thread."""
        if self._try():
            return True
        if not blocking:
            return False
        worker = worker_or_none()
        if worker is not None and worker.is_loop_thread:
            raise LoopThreadError("a lock")
        return self._wait(None if timeout < 0 else time.monotonic() + timeout)

    def release(self) -> None:
        """Let others have it. Raises RuntimeError when nobody has it."""
        fd, self._fd = self._fd, None
        if fd is None:
            raise RuntimeError("release of a lock that is not held")
        # A process that was forked meanwhile has the file too, and with it the lock.
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)
        self._among_threads.release()

    def locked(self) -> bool:
        """Whether a thread of this worker has it."""
        return self._fd is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _wait(self, deadline: float | None) -> bool:
        left_s = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._among_threads.acquire(True, left_s):
            return False
        pause_s = _FIRST_WAIT_S
        while not self._try_file():
            if deadline is not None and time.monotonic() >= deadline:
                self._among_threads.release()
                return False
            # The kernel would wait without a time-out, and no thread can be called back from there.
            time.sleep(pause_s)
            pause_s = min(_LONGEST_WAIT_S, 2 * pause_s)
        return True

    def _try(self) -> bool:
        if not self._among_threads.acquire(False):
            return False
        if self._try_file():
            return True
        self._among_threads.release()
        return False

    def _try_file(self) -> bool:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True


def get_lock(name: str = "__main__") -> ProcessLock:
    """The lock of that name, the same for all workers of the instance. Raises FolderError."""
    path = private_folder() / "locks" / f"{_file_name(name)}.lock"
    with _making:
        if path not in _locks:
            _locks[path] = ProcessLock(path)
        return _locks[path]


def _file_name(name: str) -> str:
    """A name that may be anything, as a file's."""
    if _PLAIN(name) and not name.startswith("."):
        return name
    return f"-{blake2b(name.encode(), digest_size=16).hexdigest()}"
