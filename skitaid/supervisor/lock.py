"""One daemon per run_path: a lock file, and the pid file beside it.

The lock (flock) belongs to the open file: it survives fork and exec with the descriptor, and the kernel gives it up
when the last process that has the descriptor is gone, however it went. So the file may stay; it is never stale.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from skitaid.exceptions import RefusedError

__all__ = [
    "LOCK_FILE", "PID_FILE", "acquire", "is_closed", "is_held", "is_locked", "is_there", "read_pid", "release",
    "remove_pid", "write_pid",
]  # fmt: skip

LOCK_FILE = "skitaid.lock"
PID_FILE = "skitaid.pid"


def acquire(run_path: Path) -> int:
    """The descriptor that holds the lock; not inherited over exec unless made so.

    Raises RefusedError: another daemon holds it, or the folder cannot be used.
    """
    try:
        run_path.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(run_path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RefusedError(
            f"cannot use run_path {run_path}: {error.strerror}; make it writable, or name another "
            f"run_path in skitaid.conf"
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise RefusedError(_held_message(run_path)) from error
    return fd


def is_there(run_path: Path, fd: int) -> bool:
    """Is the lock that `fd` holds still the one that others look at? Not so when somebody removed the file."""
    try:
        return os.path.samestat(os.stat(run_path / LOCK_FILE), os.fstat(fd))
    except OSError:
        return False


def is_held(run_path: Path) -> bool:
    """Does a daemon run there? A lock that is closed to us counts as held: whoever asks is then told whose it is."""
    return is_locked(run_path / LOCK_FILE) or is_closed(run_path)


def is_closed(run_path: Path) -> bool:
    """Is the lock another user's, so that we cannot look at it?"""
    try:
        os.close(os.open(run_path / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC))
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def is_locked(path: Path) -> bool:
    """Does anybody hold the lock that is the file `path`? A moment's look, which never takes it from anyone."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def release(fd: int) -> None:
    """Give the lock up, also where a child of ours got hold of the descriptor."""
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def write_pid(run_path: Path, pid: int) -> None:
    """For init scripts; the lock, not this file, says whether a daemon runs."""
    fresh = run_path / f"{PID_FILE}.new"
    fresh.write_text(f"{pid}\n", encoding="ascii")
    fresh.replace(run_path / PID_FILE)


def read_pid(run_path: Path) -> int | None:
    try:
        text = (run_path / PID_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() else None


def remove_pid(run_path: Path) -> None:
    (run_path / PID_FILE).unlink(missing_ok=True)


def _held_message(run_path: Path) -> str:
    pid = read_pid(run_path)
    who = f" with pid {pid}" if pid else ""
    return f"already running{who} (it holds {run_path / LOCK_FILE}); stop it first, or use restart or reload"
