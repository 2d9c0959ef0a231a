"""A page of shared memory with one slot per worker: the worker writes, master and supervisor read.

Every field is one aligned 8-byte word, so a single figure is never half written; a sequence word, odd while a write is
under way, lets a reader take figures that belong together. Nobody waits for anybody: a reader that meets a writer
tries again a few times and then takes what is there. Standard library only; nothing here reads a clock.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["MAX_SLOTS", "SCOREBOARD_FD", "Scoreboard", "Slot", "SlotView", "WorkerState", "inherited"]

SCOREBOARD_FD = "SKITAID_SCOREBOARD_FD"
MAX_SLOTS = 256

_MAGIC = 0x534B4932  # "SKI2"; a change of the layout changes it
_WORD = 8
_WORDS = 9  # of a slot and of the header
_SLOT_BYTES = _WORD * _WORDS
_FIELDS = ("pid", "state", "connections", "heartbeat_ns", "requests", "rss_bytes", "started_s", "number")
_OFFSET = {name: 1 + at for at, name in enumerate(_FIELDS)}
_HEADER_MAGIC, _HEADER_SLOTS, _HEADER_REPLACED = 0, 1, 2
_READ_TRIES = 5
_MICROSECONDS = 1_000_000


class WorkerState(IntEnum):
    """What a slot's worker is doing. EMPTY: nobody holds the slot."""

    EMPTY = 0
    STARTING = 1
    READY = 2
    DRAINING = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot as it was at one moment. `heartbeat_ns` is CLOCK_MONOTONIC, `started_s` wall time. `number` is the
    worker's (worker #0), which is not the slot's while two generations are there."""

    index: int
    pid: int
    state: WorkerState
    connections: int
    heartbeat_ns: int
    requests: int
    rss_bytes: int
    started_s: float
    number: int = 0


class Slot:
    """One worker's place on the page."""

    __slots__ = ("_base", "_words", "index")

    def __init__(self, words: memoryview, index: int) -> None:
        self.index = index
        self._words = words
        self._base = (index + 1) * _WORDS  # the header takes the first place

    def update(self, **fields: float) -> None:
        """Write the figures given, leave the others: pid, state, connections, heartbeat_ns (CLOCK_MONOTONIC),
        requests, rss_bytes, started_s (wall time), number. An unknown name raises TypeError."""
        unknown = fields.keys() - _OFFSET.keys()
        if unknown:
            raise TypeError(f"the scoreboard has no field {sorted(unknown)[0]!r}; it has {', '.join(_FIELDS)}")
        self._write(fields)

    def clear(self) -> None:
        """Give the slot back: pid 0, state EMPTY, every figure 0."""
        self._write(dict.fromkeys(_FIELDS, 0))

    def snapshot(self) -> SlotView:
        """The figures, from one write if the writer leaves a gap to read in."""
        words, base = self._words, self._base
        for _ in range(_READ_TRIES):
            before = words[base]
            values = words[base + 1 : base + _WORDS].tolist()
            if before == words[base] and not before & 1:
                break
        return _view(self.index, values)

    @property
    def is_empty(self) -> bool:
        return not self._words[self._base + _OFFSET["pid"]]

    def _write(self, fields: Mapping[str, float]) -> None:
        words, base = self._words, self._base
        sequence = words[base] | 1  # a writer killed half-way left it odd: go on from there
        words[base] = sequence
        for name, value in fields.items():
            words[base + _OFFSET[name]] = int(value * _MICROSECONDS) if name == "started_s" else max(0, int(value))
        words[base] = (sequence + 1) & 0xFFFFFFFFFFFFFFFF


def _view(index: int, values: list[int]) -> SlotView:
    pid, state, connections, heartbeat_ns, requests, rss_bytes, started_us, number = values
    known = WorkerState(state) if state <= max(WorkerState) else WorkerState.EMPTY
    started_s = started_us / _MICROSECONDS
    return SlotView(index, pid, known, connections, heartbeat_ns, requests, rss_bytes, started_s, number)


class Scoreboard:
    """The page. The process that creates it hands `fd` to its child; forked workers share the mapping as it is."""

    def __init__(self, fd: int, page: mmap.mmap) -> None:
        self.fd = fd
        self._page = page
        self._words = memoryview(page).cast("Q")
        self.slots = self._words[_HEADER_SLOTS]

    @classmethod
    def create(cls, slots: int = MAX_SLOTS) -> Scoreboard:
        """A new page of `slots` (1 to MAX_SLOTS) empty places. Its `fd` is not inherited unless made so. Raises
        ValueError for another number."""
        if not 1 <= slots <= MAX_SLOTS:
            raise ValueError(f"a scoreboard has 1 to {MAX_SLOTS} slots, not {slots}")
        fd = _anonymous_file()
        os.ftruncate(fd, (slots + 1) * _SLOT_BYTES)
        page = mmap.mmap(fd, (slots + 1) * _SLOT_BYTES)
        with memoryview(page).cast("Q") as words:
            words[_HEADER_MAGIC], words[_HEADER_SLOTS] = _MAGIC, slots
        return cls(fd, page)

    @classmethod
    def attach(cls, fd: int) -> Scoreboard:
        """The page another process created. ValueError: `fd` is something else, or of another release."""
        size = os.fstat(fd).st_size
        if size < 2 * _SLOT_BYTES:
            raise ValueError(f"file descriptor {fd} is not a scoreboard: {size} bytes")
        page = mmap.mmap(fd, size)
        with memoryview(page).cast("Q") as words:
            fits = words[_HEADER_MAGIC] == _MAGIC and size == (words[_HEADER_SLOTS] + 1) * _SLOT_BYTES
        if not fits:
            raise ValueError(f"file descriptor {fd} is not a scoreboard of this release")
        return cls(fd, page)

    def slot(self, index: int) -> Slot:
        """IndexError past the last slot."""
        if not 0 <= index < self.slots:
            raise IndexError(f"slot {index} of a scoreboard with {self.slots}")
        return Slot(self._words, index)

    def read_all(self) -> list[SlotView]:
        """The slots that have a pid, in order."""
        slots = (Slot(self._words, index) for index in range(self.slots))
        return [slot.snapshot() for slot in slots if not slot.is_empty]

    def clear(self) -> None:
        """Empty every slot and count from 0 again: the workers of before are gone."""
        for index in range(self.slots):
            Slot(self._words, index).clear()
        self._words[_HEADER_REPLACED] = 0

    @property
    def replaced(self) -> int:
        """How many workers the master has replaced because they died or were stuck."""
        return self._words[_HEADER_REPLACED]

    def count_replaced(self) -> None:
        """The master says: one more worker had to be replaced."""
        self._words[_HEADER_REPLACED] += 1

    def close(self) -> None:
        self._words.release()
        self._page.close()
        os.close(self.fd)


def inherited(environ: Mapping[str, str] = os.environ) -> Scoreboard:
    """The page that the supervisor passed over exec, made close-on-exec again; one of our own when nobody watches.
    Raises ValueError as `attach` does."""
    text = environ.get(SCOREBOARD_FD, "")
    if not text.isdecimal():
        return Scoreboard.create()
    os.set_inheritable(int(text), False)
    return Scoreboard.attach(int(text))


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("skitaid-scoreboard", os.MFD_CLOEXEC)
    import tempfile  # only where memfd is missing

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
