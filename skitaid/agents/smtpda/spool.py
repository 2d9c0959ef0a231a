"""The sender's side of the spool: `Spool.put` queues a mail. Any process of the machine may; docs/spool.md says what
is promised and how it is kept.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from skitaid.agents.smtpda.envelope import ENVELOPE_MAX_BYTES, Envelope
from skitaid.agents.smtpda.errors import MailError, MalformedMailError, SpoolError
from skitaid.agents.smtpda.wire import inspect
from skitaid.supervisor.unixsocket import socket_address

__all__ = [
    "INCOMING",
    "MAIL_SUFFIX",
    "PART_SUFFIX",
    "SPOOL_PATH",
    "WAKE",
    "Spool",
    "find_spool",
    "new_id",
    "sync_folder",
]

INCOMING = "incoming"
WAKE = "wake"
MAIL_SUFFIX = ".mail"
PART_SUFFIX = ".part"
SPOOL_PATH = "SKITAID_SPOOL_PATH"
"""Environment of workers and jobs: the spool of the daemon that started them."""
SYSTEM_SPOOL = Path("/var/local/skitaid/daemons/smtpda")


def new_id() -> str:
    """The time in nanoseconds, so that names sort by age, and 32 random bits."""
    return f"{time.time_ns():016x}-{os.urandom(4).hex()}"


def find_spool(environ: Mapping[str, str] = os.environ) -> Spool:
    """The daemon's, if one started us or is installed; else this user's own, below the state folder."""
    named = environ.get(SPOOL_PATH)
    if named:
        return Spool(Path(named))
    if (SYSTEM_SPOOL / INCOMING).is_dir():
        return Spool(SYSTEM_SPOOL)
    state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Spool(Path(state) / "skitaid" / "smtpda")


class Spool:
    """The folder `folder`, as the agent makes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, envelope: Envelope, message: bytes) -> str:
        """Queue a mail; its id. From the return on it survives a crash of anything.

        `message` is RFC 5322 with CRLF line ends. Raises MailError when it is not, SpoolError when it was not queued.
        """
        traits = inspect((message,))
        if traits.fault:
            raise MailError(f"the message cannot be sent: {traits.fault}")
        line = envelope.to_line()
        _check(line)
        try:
            self._write(envelope.id, line, message)
        except FileNotFoundError as error:
            raise SpoolError(
                f"no mail spool at {self.folder}: it is there when skitaid.conf has [smtpda] and the "
                "daemon, or the mail agent, has started"
            ) from error
        except OSError as error:
            raise SpoolError(error.errno, f"the mail was not queued: {error.strerror}: {self.folder}") from error
        self.wake()
        return envelope.id

    def wake(self) -> None:
        """Tell the agent that there is something. Without effect when it does not run: it looks when it starts."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            with socket_address(self.folder, WAKE) as address:
                channel.sendto(b"\0", address)

    def _write(self, mail_id: str, *parts: bytes) -> None:
        incoming = self.folder / INCOMING
        part, mail = incoming / f".{mail_id}{PART_SUFFIX}", incoming / f"{mail_id}{MAIL_SUFFIX}"
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                _write_all(fd, *parts)
                os.fsync(fd)
            finally:
                os.close(fd)
            part.rename(mail)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        self._sync_or_take_back(incoming, mail)

    @staticmethod
    def _sync_or_take_back(incoming: Path, mail: Path) -> None:
        try:
            sync_folder(incoming)
        except OSError:
            # Not known to be durable, so not queued; the agent may have been quicker, then it is sent all the same.
            with suppress(OSError):
                mail.unlink()
            raise


def _check(line: bytes) -> None:
    """Would the agent understand it? Raises MailError."""
    if len(line) > ENVELOPE_MAX_BYTES:
        raise MailError("too many recipients for one mail: send several")
    try:
        Envelope.from_line(line)
    except MalformedMailError as error:
        raise MailError(f"the envelope cannot be sent: {error}") from error


def _write_all(fd: int, *parts: bytes) -> None:
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(fd, view) :]


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive the machine. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
