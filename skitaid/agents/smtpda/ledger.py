"""What mail servers have taken, in shared memory, until it is on the disk (docs/spool.md, "What a crash can cause").

A record on the disk takes what the disk takes: on a busy one even an unlink waits for a tenth of a second. A mark here
is one store, and outlives the agent though not the machine; the agent after it reads what the one before had heard.
"""

from __future__ import annotations

import json
import os
import stat
from binascii import crc32
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from mmap import mmap
from pathlib import Path
from struct import Struct

__all__ = ["Ledger", "Slip"]

FOLDER = Path("/dev/shm")
"""Anybody's, so what is there has to be ours."""
SLOTS = 64
"""The most couriers there may be."""
SLOT_BYTES = 2048
_HEAD = Struct("=II")
"""The mark, which is the CRC of the text, else 0; and the length of the text."""
_MARK = Struct("=I")


class Slip:
    """One courier's place. Without memory it does nothing."""

    def __init__(self, memory: mmap | None = None, number: int = 0, mail_id: str = "") -> None:
        self._memory = memory
        self._at = number * SLOT_BYTES
        self._mail_id = mail_id
        self._mark = 0
        self.is_marked = False

    def arm(self, recipients: Sequence[str]) -> None:
        """Before the last dot: what `mark` will stand for. What is marked already, of a mail with many recipients,
        stays."""
        text = json.dumps([self._mail_id, *recipients]).encode()
        if self._memory is None or self.is_marked or len(text) > SLOT_BYTES - _HEAD.size:
            self._mark = 0
            return
        self._mark = _mark(text)
        _HEAD.pack_into(self._memory, self._at, 0, len(text))
        start = self._at + _HEAD.size
        self._memory[start:start + len(text)] = text

    def mark(self) -> None:
        """The server has it."""
        if self._memory is not None and self._mark:
            _MARK.pack_into(self._memory, self._at, self._mark)
            self.is_marked = True

    def clear(self) -> None:
        """It is on the disk."""
        if self._memory is not None:
            _MARK.pack_into(self._memory, self._at, 0)
            self.is_marked = False


class Ledger:
    """The slips of an agent. Before `open`, and where there is no shared memory, or somebody else has taken the name,
    it is empty and forgets what it is told."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._path = folder
        self._memory: mmap | None = None
        self._free = list(range(SLOTS))

    def open(self, spool: Path) -> None:
        """For who holds the lock of that spool. Raises OSError when it is not there."""
        found = spool.stat()
        self._path /= f"skitaid-smtpda-{found.st_dev:x}-{found.st_ino:x}"
        self._memory = _open(self._path)

    @property
    def is_kept(self) -> bool:
        return self._memory is not None

    def taken(self) -> list[tuple[str, tuple[str, ...]]]:
        """Ids of mails, each with recipients for whom a server has it."""
        memory = self._memory
        found = [] if memory is None else [_read(memory, number * SLOT_BYTES) for number in range(SLOTS)]
        return [each for each in found if each is not None]

    def clear(self) -> None:
        for number in range(SLOTS):
            Slip(self._memory, number).clear()

    @contextmanager
    def slip(self, mail_id: str) -> Iterator[Slip]:
        """For one attempt, and until what came of it is written down. Any thread's."""
        number = self._free.pop()  # the last one that was free again: few pages are touched
        slip = Slip(self._memory, number, mail_id)
        try:
            yield slip
        finally:
            slip.clear()
            self._free.append(number)

    def close(self) -> None:
        """When nobody is under way: there is nothing to be told to the next agent."""
        if self._memory is not None and not self.taken() and len(self._free) == SLOTS:
            self._path.unlink(missing_ok=True)


def _open(path: Path) -> mmap | None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
            return None
        os.fchmod(fd, 0o600)
        if found.st_size != SLOTS * SLOT_BYTES:
            # Written, not just lengthened: a store to memory that the system can't find then would end the process.
            os.ftruncate(fd, 0)
            os.pwrite(fd, bytes(SLOTS * SLOT_BYTES), 0)
        return mmap(fd, SLOTS * SLOT_BYTES)
    except (OSError, ValueError):  # no room
        with suppress(OSError):
            path.unlink()
        return None
    finally:
        os.close(fd)


def _read(memory: mmap, at: int) -> tuple[str, tuple[str, ...]] | None:
    """What is marked at that place."""
    mark, length = _HEAD.unpack_from(memory, at)
    if not mark or length > SLOT_BYTES - _HEAD.size:
        return None
    text = memory[at + _HEAD.size:at + _HEAD.size + length]
    if _mark(text) != mark:
        return None
    mail_id, *recipients = json.loads(text)
    return mail_id, tuple(recipients)


def _mark(text: bytes) -> int:
    return crc32(text) or 1
