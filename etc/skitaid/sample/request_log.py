"""The end of a request log, read piece by piece, and what of a line may be shown to anybody.

The order of a line's fields: docs/logs.md. A line has more than is shown here: client addresses, tokens and queries
stay in the file.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

_MAX_READ_BYTES = 16 * 1024
_FIRST_READ_BYTES = 4 * 1024
_FIELD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_FIELD_COUNT = 21


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `path` is without its query; `handling_ms` as the log has it."""

    time: str
    host: str
    method: str
    path: str
    status: str
    reply_bytes: str
    worker: str
    handling_ms: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log was read. The inode tells a file from the one that took its name on rotation."""

    inode: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.inode}-{self.offset}"


def position_from(text: str) -> Position:
    """`text` as `str(Position)` made it; anything else is the position of a reader who comes for the first time."""
    inode, _, offset = text.partition("-")
    is_number = inode.isascii() and inode.isdecimal() and offset.isascii() and offset.isdecimal()
    return Position(int(inode), int(offset)) if is_number and len(text) < 50 else Position()


def read_on(log: Path, since: Position) -> tuple[list[Entry], Position]:
    """The requests logged after `since`, at most 16 KiB of lines at once, and where to go on. Raises OSError."""
    with log.open("rb") as file:
        found = os.fstat(file.fileno())
        start = _start(since, Position(found.st_ino, found.st_size))
        file.seek(start)
        data = file.read(_MAX_READ_BYTES)
    if start and start != since.offset:
        start, data = _from_next_line(start, data)
    whole = data[: data.rfind(b"\n") + 1]
    lines = whole.decode("utf-8", "replace").splitlines()
    return [entry for entry in map(entry_of, lines) if entry], Position(found.st_ino, start + len(whole))


def entry_of(line: str) -> Entry | None:
    """None for a line that is not a whole request."""
    fields = _FIELD.findall(line)
    if len(fields) != _FIELD_COUNT:
        return None
    path = fields[5].partition("?")[0]
    return Entry(fields[1], fields[3], fields[4], path, fields[8], fields[9], fields[17], fields[19])


def _start(since: Position, end: Position) -> int:
    is_same_file = since.inode == end.inode and since.offset <= end.offset
    unread = end.offset - since.offset if is_same_file else end.offset
    if is_same_file and unread <= _MAX_READ_BYTES:
        return since.offset
    return max(0, end.offset - _FIRST_READ_BYTES)


def _from_next_line(start: int, data: bytes) -> tuple[int, bytes]:
    cut = data.find(b"\n") + 1
    return start + cut, data[cut:]
