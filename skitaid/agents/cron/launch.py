"""Executing a job's command: `SHELL -c COMMAND` as its user, in a session of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from skitaid.agents.cron.work import Work, environ_of
from skitaid.config.identity import become

__all__ = ["launch"]

EXIT_NOT_EXECUTED = 127
_NEVER_OURS = {signal.SIGKILL, signal.SIGSTOP}


def launch(work: Work) -> tuple[int, int]:
    """Pid, which is the number of its process group too, and a descriptor to read from what it prints. Raises
    OSError."""
    environ = environ_of(work)
    stdin = _stdin(work.job.stdin)
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    # Until its handlers are its own, a signal for the job would be written to the pipe that its runner reads from.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if not pid:
            _execute(work, environ, stdin, write_fd)
    except OSError:
        os.close(read_fd)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(write_fd)
        os.close(stdin)
    return pid, read_fd


def _stdin(text: str) -> int:
    if not text:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.seek(0)
        return os.dup(file.fileno())


def _execute(work: Work, environ: Mapping[str, str], stdin: int, output: int) -> NoReturn:
    try:
        os.setsid()
        _forget_signals()
        for source, fd in ((stdin, 0), (output, 1), (output, 2)):
            os.dup2(source, fd)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # whatever the daemon was started with
        if work.identity is not None:
            become(work.identity)
        os.umask(0o022)
        _enter(work.directory, environ)
        shell = environ["SHELL"]
        os.execve(shell, [shell, "-c", work.job.command], environ)
    except Exception as error:  # noqa: BLE001  (the root of a process: whatever it is, say it where the output goes)
        os.write(2, f"cannot execute the command: {error}\n".encode())
    finally:
        os._exit(EXIT_NOT_EXECUTED)


def _forget_signals() -> None:
    """What ends a process ends the job, whatever the daemon was told to ignore (nohup) or has handlers for."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - _NEVER_OURS:
        with suppress(OSError):  # some are the C library's own
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _enter(directory: Path | None, environ: Mapping[str, str]) -> None:
    """The folder that the conf names must be there; a home need not."""
    if directory is not None:
        os.chdir(directory)
        return
    os.chdir("/")
    with suppress(OSError):
        os.chdir(environ["HOME"])
