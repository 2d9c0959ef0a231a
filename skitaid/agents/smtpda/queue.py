"""The agent's side of the spool: folders, mails and records on the disk (docs/spool.md). Only the process that holds
the lock calls it; one mail is one caller's at a time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from skitaid.agents.smtpda.envelope import ENVELOPE_MAX_BYTES, Envelope
from skitaid.agents.smtpda.errors import MalformedMailError
from skitaid.agents.smtpda.retry import Record
from skitaid.agents.smtpda.spool import INCOMING, MAIL_SUFFIX, PART_SUFFIX, sync_folder
from skitaid.exceptions import RefusedError

__all__ = ["Mail", "Queue", "is_mail_id", "mail_ids", "read_mail"]

RECORD_SUFFIX = ".json"
PIECE_BYTES = 64 * 1024
_BOUNCE = re.compile(r"[^-]+-.+-b[0-9]+", re.ASCII)
"""An id of ours and what makes it a bounce's. The random part of an id alone may look like the latter."""
_ID_MAX = 80
"""Of a sender's mail, so that there is room for what names its bounce."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,99}" + re.escape(MAIL_SUFFIX), re.ASCII)
PART_KEPT_S = 86400.0
TAKE_MOST = 5000
"""In one look, so that nobody's flood keeps the loop: a second."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A file of the spool, opened: its envelope, and where the message begins."""

    path: Path
    envelope: Envelope
    offset: int
    size: int

    def read(self) -> Iterator[bytes]:
        """The message from its beginning, in pieces."""
        left = self.size  # whoever wrote the file may still be writing: there has to be an end
        with open(_opened(self.path), "rb", buffering=0) as file:
            file.seek(self.offset)
            while piece := file.read(min(PIECE_BYTES, left)):
                left -= len(piece)
                yield piece


class Queue:
    """The folders of the spool, and what the agent does with the files in them. `folder` is the spool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming = folder / INCOMING
        self.queue = folder / "queue"
        self.failed = folder / "failed"
        self._lock_fd: int | None = None

    # ------------------------------------------------------------ the beginning

    def prepare(self) -> None:
        """Make the folders. Raises OSError."""
        for path, mode in ((self.folder, 0o755), (self.incoming, 0o1777), (self.queue, 0o700), (self.failed, 0o700)):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)

    def lock(self, patience_s: float = 0.0) -> None:
        """Become the only one, for as long as the process lives. Raises RefusedError when another one is, still
        after `patience_s`."""
        deadline = time.monotonic() + patience_s
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while not _is_locked(fd):
            if time.monotonic() >= deadline:
                os.close(fd)
                raise RefusedError(f"another mail agent works on {self.folder}")
            time.sleep(0.05)
        self._lock_fd = fd

    def unlock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    # ------------------------------------------------------------ what there is

    def take_in(self) -> list[str]:
        """Move what is in `incoming` into `queue`: the ids, oldest first. What is not a mail is left. Raises OSError
        when there is something, and none of it can be moved."""
        taken = []
        with os.scandir(self.incoming) as entries:
            names = sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name))
        for name in names:
            try:
                if self._is_welcome(name) and self._take(name):
                    taken.append(name.removesuffix(MAIL_SUFFIX))
            except OSError:
                if taken:
                    break  # the next look tells
                raise
            if len(taken) == TAKE_MOST:
                break
        return taken

    def _is_welcome(self, name: str) -> bool:
        """Ids are no secret, and names are the sender's choice: no mail takes the place of one that is the agent's, or
        of a bounce to come."""
        mail_id = name.removesuffix(MAIL_SUFFIX)
        if len(mail_id) > _ID_MAX or _BOUNCE.fullmatch(mail_id) or not _is_plain(self.incoming / name):
            return False
        return not any(os.path.lexists(f"{folder}/{name}") for folder in (self.queue, self.failed))

    def _take(self, name: str) -> bool:
        target = self.queue / name
        try:
            os.rename(self.incoming / name, target)
        except FileNotFoundError:
            if self.queue.is_dir():
                return False
            raise
        if _is_plain(target):
            return True
        target.unlink()  # it was exchanged for a link between look and rename
        return False

    def ids(self) -> list[str]:
        return mail_ids(self.queue)

    def failed_ids(self) -> list[str]:
        return mail_ids(self.failed)

    def read(self, mail_id: str) -> Mail:
        """The mail of this id, be it still tried or given up. Raises FileNotFoundError when there is none,
        MalformedMailError when the file is not one."""
        path = self.queue / f"{mail_id}{MAIL_SUFFIX}"
        return read_mail(path if path.exists() else self.failed / path.name)

    def record(self, mail_id: str) -> Record:
        """As on the disk; a mail without one was not tried. Raises MalformedMailError."""
        for folder in (self.queue, self.failed):
            with suppress(FileNotFoundError):
                return Record.from_bytes((folder / f"{mail_id}{RECORD_SUFFIX}").read_bytes())
        return Record()

    # ------------------------------------------------------------ what becomes of a mail

    def write_record(self, mail_id: str, record: Record) -> None:
        """Durable when it returns. Raises OSError: nothing has changed."""
        self._write(self.queue / f"{mail_id}{RECORD_SUFFIX}", record.to_bytes())

    def put(self, envelope: Envelope, message: bytes) -> None:
        """A mail of our own, a bounce. Durable when it returns. Raises OSError."""
        self._write(self.queue / f"{envelope.id}{MAIL_SUFFIX}", envelope.to_line() + message)

    def has(self, mail_id: str) -> bool:
        return (self.queue / f"{mail_id}{MAIL_SUFFIX}").exists()

    def remove(self, mail_id: str, *, is_durable: bool = True) -> None:
        """Delivered, or not wanted. `is_durable` False: it is gone for everybody, and for good after `sync`."""
        for folder in (self.queue, self.failed):
            for suffix in (MAIL_SUFFIX, RECORD_SUFFIX):
                # No detour: until the first of these is done, a crash sends the mail again.
                with suppress(FileNotFoundError):
                    os.unlink(f"{folder}/{mail_id}{suffix}")
        if is_durable:
            self.sync()

    def sync(self) -> None:
        """What was removed stays so when the machine goes down. Raises OSError."""
        sync_folder(self.queue)

    def fail(self, mail_id: str) -> None:
        """Everybody is settled, not everybody has it: keep it in `failed`."""
        self._move(mail_id, self.queue, self.failed)

    def revive(self, mail_id: str, record: Record) -> None:
        """Back from `failed`, with another record."""
        self._write(self.failed / f"{mail_id}{RECORD_SUFFIX}", record.to_bytes())
        (self.failed / f"{mail_id}{RECORD_SUFFIX}").rename(self.queue / f"{mail_id}{RECORD_SUFFIX}")
        (self.failed / f"{mail_id}{MAIL_SUFFIX}").rename(self.queue / f"{mail_id}{MAIL_SUFFIX}")
        sync_folder(self.queue)

    def _move(self, mail_id: str, source: Path, target: Path) -> None:
        for suffix in (MAIL_SUFFIX, RECORD_SUFFIX):
            with suppress(FileNotFoundError):
                (source / f"{mail_id}{suffix}").rename(target / f"{mail_id}{suffix}")
        sync_folder(target)
        sync_folder(source)

    def _write(self, path: Path, data: bytes) -> None:
        part = path.parent / f".{path.name}{PART_SUFFIX}"
        try:
            with open(part, "wb", opener=_private) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)

    # ------------------------------------------------------------ tidying

    def tidy(self) -> None:
        """After a crash: records whose mail went ahead follow it, or go."""
        for path in self.queue.glob(f"*{RECORD_SUFFIX}"):
            mail_id = path.name.removesuffix(RECORD_SUFFIX)
            if self.has(mail_id):
                continue
            if (self.failed / f"{mail_id}{MAIL_SUFFIX}").exists():
                path.rename(self.failed / path.name)
            else:
                path.unlink()

    def expire(self, keep_s: float, now: float) -> list[str]:
        """Remove the mails that were given up more than `keep_s` ago, and files that were begun a day ago and never
        finished. The ids of those mails. `now`: seconds since the epoch."""
        old = [mail_id for mail_id in self.failed_ids() if now - self._given_up_at(mail_id) > keep_s]
        for mail_id in old:
            self.remove(mail_id)
        for folder in (self.incoming, self.queue):
            _remove_parts(folder, now - PART_KEPT_S)
        return old

    def _given_up_at(self, mail_id: str) -> float:
        for suffix in (RECORD_SUFFIX, MAIL_SUFFIX):
            with suppress(FileNotFoundError):
                return (self.failed / f"{mail_id}{suffix}").stat().st_mtime
        return 0.0


def read_mail(path: Path) -> Mail:
    """Open a file of the spool. Raises OSError, MalformedMailError."""
    with open(_opened(path), "rb") as file:
        line = file.readline(ENVELOPE_MAX_BYTES)
        size = os.fstat(file.fileno()).st_size - len(line)
    if not line.endswith(b"\n"):
        raise MalformedMailError(f"{path}: its first line is not an envelope")
    # The name is the id, whatever the file says: records and bounces are found by it.
    envelope = replace(Envelope.from_line(line), id=path.name.removesuffix(MAIL_SUFFIX))
    return Mail(path, envelope, len(line), size)


def is_mail_id(text: str) -> bool:
    """Whether a file of the spool can have it for its name."""
    return _NAME.fullmatch(f"{text}{MAIL_SUFFIX}") is not None


def mail_ids(folder: Path) -> list[str]:
    """Ids of the mails in a folder of the spool, oldest first. Raises OSError."""
    return sorted(name.removesuffix(MAIL_SUFFIX) for name in os.listdir(folder) if _NAME.fullmatch(name))


def _remove_parts(folder: Path, before: float) -> None:
    """Remove files that a writer who died left unfinished: those last written before that time."""
    for path in folder.glob(f".*{PART_SUFFIX}"):
        with suppress(OSError):
            if path.lstat().st_mtime < before:
                path.unlink()


def _is_plain(path: str | Path) -> bool:
    """A file with one name: a link could stand for a file that whoever put it there can't read himself."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _opened(path: Path) -> int:
    """In `incoming` anybody may put anything: a pipe would be waited for. Raises OSError, MalformedMailError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            raise MalformedMailError(f"{path} is not a file") from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise MalformedMailError(f"{path} is not a file")
    return fd
