"""Starting a master: exec with the pipes it needs, in a session of its own, with nothing else of ours."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skitaid.exceptions import SkitaidError
from skitaid.supervisor.lifeline import LIFELINE_FD
from skitaid.supervisor.report import REPORT_FD
from skitaid.supervisor.scoreboard import SCOREBOARD_FD
from skitaid.supervisor.succession import CHANNEL_FD, PREDECESSOR_FD

__all__ = ["BOOT", "Command", "Pipes", "SpawnError", "interpreter", "spawn"]

BOOT = Path(__file__).resolve().parent.parent / "instance" / "boot.py"
"""The program a master starts with."""

_NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
"""What systemd says to the supervisor is not for its children."""
_OWN_PREFIX = "SKITAID_"
_PATH = "SKITAID_PATH"
"""Where our dependencies are, for a master that runs in another interpreter (see instance/boot.py)."""
_PACKAGES = ("site-packages", "dist-packages")
_PERMANENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENOEXEC, errno.ELOOP})
_DEFAULT_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGCHLD,
    signal.SIGPIPE,
)
_HELD_BACK = (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""Blocked until the child has handlers (`SignalPipe`): by default they would end it, and QUIT dump its memory. TERM may
end it: it has nothing in flight yet."""


class SpawnError(SkitaidError):
    """No process could be made. `is_permanent`: only a person can change that."""

    def __init__(self, text: str, *, is_permanent: bool) -> None:
        super().__init__(text)
        self.is_permanent = is_permanent


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute. `environment` is the conf's [environment]; it cannot override the names that are ours."""

    python: str
    boot: Path
    name: str
    etc: Path
    verbose: bool = False
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def argv(self) -> list[str]:
        words = [self.python, str(self.boot), "-f", self.name, "--etc", str(self.etc)]
        return [*words, "-v"] if self.verbose else words

    def environ(self, ours: Mapping[str, str]) -> dict[str, str]:
        """`ours` is the supervisor's own environment."""
        kept = {name: value for name, value in ours.items() if name not in _NOT_INHERITED}
        kept[_PATH] = os.pathsep.join(entry for entry in sys.path if entry.endswith(_PACKAGES))
        return kept | {name: value for name, value in self.environment if not name.startswith(_OWN_PREFIX)}


@dataclass(frozen=True, slots=True)
class Pipes:
    """Descriptors of ours that the child gets: the lifeline's read end, the report pipe's write end, the scoreboard,
    and the file that its standard output and standard error go to. `channel`: where a master is told that another
    follows; `predecessor`: our end of the channel of the master that it is to follow itself."""

    lifeline: int
    report: int
    scoreboard: int
    stderr: int
    channel: int | None = None
    predecessor: int | None = None

    @property
    def named(self) -> dict[str, int]:
        """Those that the child finds by a name in its environment."""
        fds = {
            LIFELINE_FD: self.lifeline,
            REPORT_FD: self.report,
            SCOREBOARD_FD: self.scoreboard,
            CHANNEL_FD: self.channel,
            PREDECESSOR_FD: self.predecessor,
        }
        return {name: fd for name, fd in fds.items() if fd is not None}


def interpreter(named: str | None, default: str) -> str:
    """The Python to run: `named` is a path to one or a virtual environment's folder; None: `default`."""
    if named is None:
        return default
    return os.path.join(named, "bin", "python") if os.path.isdir(named) else named


def spawn(command: Command, pipes: Pipes, environ: Mapping[str, str] = os.environ) -> int:
    """The pid of a new session's leader. The working folder is ours, which is "/". Raises SpawnError."""
    handed = pipes.named
    told = {name: str(fd) for name, fd in handed.items()}
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    actions = [
        (os.POSIX_SPAWN_DUP2, null, 0),
        (os.POSIX_SPAWN_DUP2, pipes.stderr, 1),
        (os.POSIX_SPAWN_DUP2, pipes.stderr, 2),
    ]
    for fd in handed.values():
        os.set_inheritable(fd, True)  # the process has one thread: no other exec comes between
    try:
        return os.posix_spawn(
            command.python,
            command.argv,
            command.environ(environ) | told,
            file_actions=actions,
            setsid=True,
            setsigmask=_HELD_BACK,
            setsigdef=_DEFAULT_SIGNALS,
        )
    except OSError as error:
        text = f"cannot execute {command.python}: {error.strerror} (python in [server] or [global])"
        raise SpawnError(text, is_permanent=error.errno in _PERMANENT) from error
    finally:
        os.close(null)
        for fd in handed.values():
            os.set_inheritable(fd, False)
