"""One master per instance: a lock file in run_path, which also tells how the last master ended.

The lock (flock) is the kernel's, given up with the process. The file holds the master's pid for as long as it runs
and is emptied by an orderly end: a pid that is found there is of a master that was killed.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from skitaid.exceptions import RefusedError
from skitaid.supervisor.lock import is_locked

__all__ = ["HeldError", "InstanceLock", "is_held"]


def is_held(run_path: Path, name: str) -> bool:
    """Does some master of this instance run, the daemon's or another?"""
    return is_locked(_path(run_path, name))


class HeldError(RefusedError):
    """Another master runs this instance, or is about to end."""


class InstanceLock:
    """Held by whoever has `fd`, which must be closed in a forked child. `follows_a_killed_one`: the last master was
    killed; its workers may be there for some seconds more."""

    def __init__(self, fd: int, *, follows_a_killed_one: bool = False) -> None:
        """`fd`: of the lock file, locked by us or by the running master whose place we are to take."""
        self.fd = fd
        self.follows_a_killed_one = follows_a_killed_one

    @classmethod
    def take(cls, run_path: Path, name: str) -> InstanceLock:
        """Take the lock of the instance `name`. Raises HeldError when a master has it, RefusedError when `run_path`
        cannot be used."""
        path = _path(run_path, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"cannot use {path}: {error.strerror}; make its folder writable, or name another run_path"
            raise RefusedError(message) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(fd)
            os.close(fd)
            who = f" with pid {holder}" if holder else ""
            raise HeldError(f"instance {name} is running already{who} (it holds {path}); stop it first") from None
        lock = cls(fd, follows_a_killed_one=os.fstat(fd).st_size > 0)
        lock.claim()
        return lock

    def claim(self) -> None:
        """From now on it is ours, and no longer that of the master that shared it with us."""
        self._write(f"{os.getpid()}\n")

    def part(self) -> None:
        """It is the other master's alone: ours must not hold it while we finish what is in flight."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def release(self) -> None:
        """At an orderly end, when every worker is gone. What is another's by now goes on."""
        if self.fd >= 0 and _read(self.fd) == str(os.getpid()):
            self._write("")
        self.part()

    def _write(self, text: str) -> None:
        try:
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, text.encode("ascii"), 0)
        except OSError:
            # A full disk: the lock is what counts, and it holds.
            return


def _read(fd: int) -> str:
    return os.pread(fd, 20, 0).decode("ascii", "replace").strip()


def _path(run_path: Path, name: str) -> Path:
    return run_path / "instances" / f"{name}.lock"
