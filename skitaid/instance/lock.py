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
    """Held from the moment it is made. `fd` must be closed in a forked child."""

    def __init__(self, run_path: Path, name: str) -> None:
        """Raises HeldError, and RefusedError for a folder that cannot be used."""
        path = _path(run_path, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"cannot use {path}: {error.strerror}; make its folder writable, or name another run_path"
            raise RefusedError(message) from error
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self.fd, 20).decode("ascii", "replace").strip()
            os.close(self.fd)
            who = f" with pid {holder}" if holder else ""
            raise HeldError(f"instance {name} is running already{who} (it holds {path}); stop it first") from None
        self.follows_a_killed_one = os.fstat(self.fd).st_size > 0
        """Whether the last master was killed: its workers may be there for some seconds more."""
        self._write(f"{os.getpid()}\n")

    def release(self) -> None:
        """At an orderly end, when every worker is gone."""
        self._write("")
        os.close(self.fd)

    def _write(self, text: str) -> None:
        try:
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, text.encode("ascii"), 0)
        except OSError:
            # A full disk: the lock is what counts, and it holds.
            return


def _path(run_path: Path, name: str) -> Path:
    return run_path / "instances" / f"{name}.lock"
