"""Named numbers in memory that the workers of an instance share.

The master makes the table before it forks; names claim slots when they are first used. One slot holds a name, a value
and a time. Reading takes no lock: a number is eight aligned bytes, written by one instruction. Writing takes the lock
of the slot, a record lock on the table's file, which the kernel releases when its holder dies (fcntl(2)).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from skitaid.exceptions import SkitaidError

__all__ = ["MAX_NAME_BYTES", "SLOTS", "StateTable", "StateTableError"]

SLOTS: Final = 1024
SLOT_BYTES: Final = 128
_HEAD: Final = struct.Struct("=qqq")  # length of the name (0: free, written last), value, time
MAX_NAME_BYTES: Final = SLOT_BYTES - _HEAD.size
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1
_FIELDS: Final = SLOT_BYTES // 8
_VALUE, _TIME = 1, 2


class StateTableError(SkitaidError, ValueError):
    """The app's author must act: a name or a number does not fit, or there are too many names."""


class StateTable:
    """Numbers and times by name, in memory that processes share. `create` makes one; what is forked off afterwards has
    the same. `fd` is its file's."""

    def __init__(self, fd: int, memory: mmap.mmap) -> None:
        self.fd = fd
        self._memory = memory
        self._numbers = memoryview(memory).cast("q")
        self._indices: dict[str, int] = {}
        self._lock = allocate_lock()
        # Whoever forks while another thread writes must not leave its child with a lock that nobody releases.
        os.register_at_fork(after_in_child=self._forget_lock)

    @classmethod
    def create(cls) -> StateTable:
        """An empty table. What nobody writes to takes no memory."""
        fd = _memory_file()
        os.ftruncate(fd, SLOTS * SLOT_BYTES)
        return cls.of(fd)

    @classmethod
    def of(cls, fd: int) -> StateTable:
        """The table whose descriptor this is."""
        return cls(fd, mmap.mmap(fd, SLOTS * SLOT_BYTES))

    def claim(self, name: str) -> None:
        """Let it have a slot, so that others find it among the names. Raises StateTableError."""
        self._index(name)

    def value(self, name: str) -> int:
        """The number of `name`; 0 if it was never set."""
        return self._numbers[self._index(name) * _FIELDS + _VALUE]

    def time_ns(self, name: str) -> int:
        """The time of `name`, in nanoseconds since the epoch; 0 if it was never touched."""
        return self._numbers[self._index(name) * _FIELDS + _TIME]

    def set_value(self, name: str, value: int) -> None:
        """Let `name` have this number. Raises StateTableError for one beyond 64 bits."""
        self._change(name, _VALUE, lambda _: value)

    def add(self, name: str, amount: int) -> int:
        """Add to the number of `name`; gives the new one. No other process can come in between."""
        return self._change(name, _VALUE, lambda value: value + amount)

    def touch(self, name: str, time_ns: int) -> None:
        """Let `name` have this time, unless it has a later one."""
        self._change(name, _TIME, lambda there: max(there, time_ns))

    def names(self) -> list[str]:
        """Those that have a slot, in the order in which they got it."""
        return list(self._names())

    def _change(self, name: str, field: int, change: Callable[[int], int]) -> int:
        index = self._index(name)
        at = index * _FIELDS + field
        with self._locked(index):
            number = change(self._numbers[at])
            if not _SMALLEST <= number <= _LARGEST:
                raise StateTableError(f"state {name!r}: {number} does not fit into 64 bits")
            self._numbers[at] = number
        return number

    def _index(self, name: str) -> int:
        index = self._indices.get(name)
        return self._claim(name) if index is None else index

    def _claim(self, name: str) -> int:
        encoded = name.encode()
        if not 0 < len(encoded) <= MAX_NAME_BYTES:
            raise StateTableError(f"state {name!r}: expected a name of 1 to {MAX_NAME_BYTES} bytes")
        with self._locked(SLOTS):
            index = self._find(name)
            if index == SLOTS:
                raise StateTableError(f"state {name!r}: all {SLOTS} slots are taken")
            if not self._numbers[index * _FIELDS]:
                at = index * SLOT_BYTES
                self._memory[at + _HEAD.size : at + _HEAD.size + len(encoded)] = encoded
                self._numbers[index * _FIELDS] = len(encoded)
            self._indices[name] = index
        return index

    def _find(self, name: str) -> int:
        """The slot of `name`, or the first that is free, or SLOTS."""
        index = 0
        for there in self._names():
            if there == name:
                return index
            index += 1
        return index

    def _names(self) -> Iterator[str]:
        for index in range(SLOTS):
            length = self._numbers[index * _FIELDS]
            if not length:
                return
            at = index * SLOT_BYTES + _HEAD.size
            yield self._memory[at : at + length].decode()

    @contextmanager
    def _locked(self, index: int) -> Iterator[None]:
        """A slot, or with SLOTS the taking of slots. The record lock is the process's, so threads need another."""
        with self._lock:
            fcntl.lockf(self.fd, fcntl.LOCK_EX, 1, index)
            try:
                yield
            finally:
                fcntl.lockf(self.fd, fcntl.LOCK_UN, 1, index)

    def _forget_lock(self) -> None:
        self._lock = allocate_lock()


def _memory_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("skitaid-states", os.MFD_CLOEXEC)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
