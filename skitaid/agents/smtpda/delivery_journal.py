"""What mail servers have taken, in shared memory, until it is on the disk (docs/spool.md, "What a crash can cause").

A record on the disk takes what the disk takes: on a busy one even an unlink waits for a tenth of a second. A mark here
is one store, and outlives the agent though not the machine; the agent after it reads what the one before had heard.
"""

from __future__ import annotations

import os
import stat
from binascii import crc32
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from mmap import mmap
from pathlib import Path
from struct import Struct

__all__ = ["DeliveryJournal", "JournalEntry"]

FOLDER = Path("/dev/shm")
"""Anybody's, so what is there has to be ours."""
SLOTS = 64
"""The most couriers there may be."""
SLOT_BYTES = 1024
"""Two halves: what is marked in one stays while the other is written."""
HALF_BYTES = SLOT_BYTES // 2
_HEAD = Struct("=II")
"""The mark, which is the CRC of the text, else 0; and the length of the text: an id, NUL, and a bit for each recipient
of the envelope, in its order. There is room for 3,000."""
_MARK = Struct("=I")
BITS_MAX = (HALF_BYTES - _HEAD.size) * 8
"""More find no room, and a hundred thousand bits are a gigabyte, one by one."""


class JournalEntry:
    """One courier's place, for a mail to these recipients. Without memory it does nothing."""

    def __init__(
        self, memory: mmap | None = None, number: int = 0, mail_id: str = "", recipients: Sequence[str] = ()
    ) -> None:
        self._memory = memory
        self._mail_id = mail_id
        known = recipients[:BITS_MAX] if memory is not None else ()
        self._bits = {each: 1 << index for index, each in enumerate(known)}
        self._half, self._other_half = number * SLOT_BYTES, number * SLOT_BYTES + HALF_BYTES
        self._armed = self._taken = 0
        self._mark = 0

    def arm(self, recipients: Iterable[str]) -> None:
        """Before the last dot: what `mark` will stand for, beside what is marked already, of a mail that goes in
        several."""
        if self._memory is None:
            return
        self._armed = self._taken
        for each in recipients:
            self._armed |= self._bits.get(each, 0)
        text = self._mail_id.encode() + b"\0" + self._armed.to_bytes((self._armed.bit_length() + 7) // 8, "little")
        _MARK.pack_into(self._memory, self._half, 0)
        self._mark = _mark(text) if len(text) <= HALF_BYTES - _HEAD.size else 0
        if self._mark:
            _HEAD.pack_into(self._memory, self._half, 0, len(text))
            start = self._half + _HEAD.size
            self._memory[start : start + len(text)] = text

    def mark(self) -> None:
        """The server has it."""
        if self._memory is not None and self._mark:
            _MARK.pack_into(self._memory, self._half, self._mark)
            self._taken, self._mark = self._armed, 0
            self._half, self._other_half = self._other_half, self._half

    def clear(self) -> None:
        """It is on the disk."""
        if self._memory is not None:
            for half in (self._half, self._other_half):
                _MARK.pack_into(self._memory, half, 0)
            self._armed = self._taken = self._mark = 0


class DeliveryJournal:
    """The entries of an agent. Before `open`, and where there is no shared memory, or somebody else has taken the name,
    it is empty and forgets what it is told."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.path = folder
        self._memory: mmap | None = None
        self._free = list(range(SLOTS))

    def open(self, spool: Path) -> None:
        """Begin to keep the marks of this spool; only the process that holds its lock may. Raises OSError when the
        spool is not there."""
        found = spool.stat()
        self.path /= f"skitaid-smtpda-{found.st_dev:x}-{found.st_ino:x}"
        self._memory = _open(self.path)

    @property
    def is_kept(self) -> bool:
        return self._memory is not None

    def taken(self) -> list[tuple[str, tuple[int, ...]]]:
        """Ids of mails, each with the indexes of the recipients for whom a server has it."""
        if self._memory is None:
            return []
        found: dict[str, int] = {}
        for at in range(0, SLOTS * SLOT_BYTES, HALF_BYTES):
            mail_id, bits = _read(self._memory, at)
            found[mail_id] = found.get(mail_id, 0) | bits
        return [(mail_id, _indexes(bits)) for mail_id, bits in found.items() if bits]

    def clear(self) -> None:
        for number in range(SLOTS):
            JournalEntry(self._memory, number).clear()

    @contextmanager
    def entry(self, mail_id: str, recipients: Sequence[str]) -> Iterator[JournalEntry]:
        """For one attempt at a mail whose envelope names these, and until what came of it is written down. Any
        thread's."""
        number = self._free.pop()  # the last one that was free again: few pages are touched
        entry = JournalEntry(self._memory, number, mail_id, recipients)
        try:
            yield entry
        finally:
            entry.clear()
            self._free.append(number)

    def close(self) -> None:
        """When nobody is under way: there is nothing to be told to the next agent."""
        if self._memory is not None and not self.taken() and len(self._free) == SLOTS:
            self.path.unlink(missing_ok=True)


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


def _read(memory: mmap, at: int) -> tuple[str, int]:
    """What is marked in that half: an id, and a bit for each recipient."""
    mark, length = _HEAD.unpack_from(memory, at)
    if not mark or length > HALF_BYTES - _HEAD.size:
        return "", 0
    text = memory[at + _HEAD.size : at + _HEAD.size + length]
    if _mark(text) != mark:
        return "", 0
    mail_id, _, bits = text.partition(b"\0")
    return mail_id.decode(), int.from_bytes(bits, "little")


def _indexes(bits: int) -> tuple[int, ...]:
    return tuple(index for index in range(bits.bit_length()) if bits >> index & 1)


def _mark(text: bytes) -> int:
    return crc32(text) or 1
