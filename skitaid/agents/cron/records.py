"""What is known of the jobs on disk: at which times they were begun, which run now, how they ended.

In the agent's own folder, in `jobs`, by the job's key:

* `KEY.due`, written by the agent before it begins a job: the time it was begun for and the boot of the machine. After
  the agent was killed, nothing up to that time is begun again.
* `KEY.lock`, held (flock) by the job's runner as long as the job runs, so the kernel gives it up with it. Whoever finds
  it held does not begin the job a second time.
* `KEY.last`, written by the runner: when it began and ended, and how.

And beside that folder:

* `known`: which jobs the agent knows and their times, and, by the file's date, when it was last alive.
* `agent.lock`, held by the agent.

Files are replaced as a whole. They are not synced: what they protect from is a process that was killed, not the power
cut, after which no minute comes twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from skitaid.exceptions import RefusedError

__all__ = ["Due", "Last", "Records", "boot_id"]

T = TypeVar("T")
TAKE_TRIES = 4
TAKE_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Due:
    """The last time (seconds since the epoch) a job was begun for; `boot`: of a @reboot job."""

    at: float = 0.0
    boot: str = ""


@dataclass(frozen=True, slots=True)
class Last:
    """The last run. `ended` and `exit` None: it has not ended, or its runner was killed. `pid` is the runner's, `group`
    the job's process group, 0 before it is there and when it has ended."""

    pid: int
    started: float
    ended: float | None = None
    exit: int | None = None
    group: int = 0


class Records:
    """The files below `folder` that say when jobs were begun and how they ended. One that is damaged is read as if it
    were not there; writing raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._jobs = folder / "jobs"

    def make(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._jobs.mkdir(mode=0o700, exist_ok=True)

    def hold(self) -> int:
        """Be the only agent of this folder, as long as the descriptor is open. Raises RefusedError."""
        path = self.folder / "agent.lock"
        fd = self._again_if_gone(lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if _lock(fd, fcntl.LOCK_EX):
            return fd
        os.close(fd)
        raise RefusedError(f"another cron agent has {self.folder}; end that one, or give this one another var_path")

    def is_held(self, fd: int) -> bool:
        """Does what `hold` gave still keep others out? Not when somebody removed the file."""
        try:
            return os.path.samestat(os.stat(self.folder / "agent.lock"), os.fstat(fd))
        except FileNotFoundError:
            return False

    # ------------------------------------------------------------ jobs

    def due(self, key: str) -> Due:
        """The time that the job of that key was begun for last; 0 when it never was."""
        found = _read(self._jobs / f"{key}.due")
        return Due(_number(found.get("at")) or 0.0, str(found.get("boot", "")))

    def note_due(self, key: str, due: Due) -> None:
        self._again_if_gone(lambda: _write(self._jobs / f"{key}.due", asdict(due)))

    def last(self, key: str) -> Last | None:
        """How the job of that key ran last, also while it runs; None: it never did."""
        found = _read(self._jobs / f"{key}.last")
        pid, started = _number(found.get("pid")), _number(found.get("started"))
        if pid is None or started is None:
            return None
        code = _number(found.get("exit"))
        return Last(
            int(pid),
            started,
            _number(found.get("ended")),
            None if code is None else int(code),
            int(_number(found.get("group")) or 0),
        )

    def note_last(self, key: str, last: Last | None) -> None:
        """None: there was none."""
        if last is None:
            (self._jobs / f"{key}.last").unlink(missing_ok=True)
            return
        self._again_if_gone(lambda: _write(self._jobs / f"{key}.last", asdict(last)))

    def take(self, key: str, *, shared: bool = False) -> int | None:
        """The descriptor that marks the job as running; None: it runs already. `shared`: it may run several times."""
        path = self._jobs / f"{key}.lock"
        fd = self._again_if_gone(lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for _ in range(TAKE_TRIES):  # somebody may just be looking
            if _lock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
                return fd
            time.sleep(TAKE_EVERY_S)
        os.close(fd)
        return None

    def runs(self, key: str) -> bool:
        """A moment's look, which never takes the job from anyone."""
        try:
            fd = os.open(self._jobs / f"{key}.lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _lock(fd, fcntl.LOCK_EX)
        finally:
            os.close(fd)

    def _again_if_gone(self, action: Callable[[], T]) -> T:
        """Somebody may have emptied the folder: that must not be the end of all jobs."""
        try:
            return action()
        except FileNotFoundError:
            self.make()
            return action()

    # ------------------------------------------------------------ the agent

    def known(self) -> tuple[dict[str, str], float]:
        """The jobs and their times when the agent was last alive, and when that was (0: never)."""
        found = _read(self.folder / "known")
        try:
            alive = (self.folder / "known").stat().st_mtime
        except OSError:
            alive = 0.0
        return {str(key): str(when) for key, when in found.items()}, alive

    def note_known(self, jobs: Mapping[str, str], now: float) -> None:
        self._again_if_gone(lambda: _write(self.folder / "known", jobs, now))

    def note_alive(self, now: float) -> None:
        os.utime(self.folder / "known", (now, now))


def _lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, value: Mapping[str, Any], modified: float | None = None) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps(value))
        if modified is not None:
            os.utime(fresh, (modified, modified))
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)  # a full disk is not to be filled with halves
        raise


def boot_id(proc: Path = Path("/proc")) -> str:
    """What tells one start of the machine from another; a container's start counts as one (its first process)."""
    try:
        kernel = (proc / "sys/kernel/random/boot_id").read_text().strip()
        started = (proc / "1/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "this one"
    return f"{kernel} {started}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
