"""Bodies that are read while they are sent: files of any size take no memory.

They can be sent again (a redirect, a challenge), and an app may close its file at once: the descriptor is our own.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from skitaid.was.messages.errors import CallError

__all__ = ["FilePart", "OpenFile", "Piece", "StreamedBody", "piece_of"]

_COPY_BYTES: Final = 1 << 20


class OpenFile:
    """A descriptor. Closed at `close`, or with the object: between them nobody forgets it."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    __del__ = close


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of a file. `length` bytes of a file from `offset` on."""

    file: OpenFile
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


Piece = bytes | FilePart


class StreamedBody:
    """A body of several pieces. Whoever makes one is its first user; its files are closed when the last user releases
    it. From any thread."""

    __slots__ = ("_lock", "_users", "content_length", "content_type", "pieces")

    def __init__(self, content_type: str, pieces: tuple[Piece, ...]) -> None:
        self.content_type = content_type
        self.pieces = pieces
        self.content_length = sum(map(len, pieces))
        self._users = 1
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """One user more."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """One user less."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
        for piece in self.pieces:
            if isinstance(piece, FilePart):
                piece.file.close()

    def read(self, position: int, count: int) -> bytes:
        """The bytes from `position` on: at least one and at most `count`, b"" at the end. May wait for a disk. Raises
        OSError, EOFError for a file that became shorter."""
        for piece in self.pieces:
            if position < len(piece):
                return _read(piece, position, count)
            position -= len(piece)
        return b""


def piece_of(source: Any) -> Piece:
    """What `source`, bytes, text, a Path or a file, holds from where it is. Raises CallError, OSError."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str):
        return source.encode("utf-8", "replace")
    if isinstance(source, Path):
        with source.open("rb") as file:
            return piece_of(file)
    if not hasattr(source, "read"):
        raise CallError(f"{source!r:.100} is neither a file nor bytes")
    return _on_disk(source) or _taken(source)


def _read(piece: Piece, position: int, count: int) -> bytes:
    if isinstance(piece, bytes):
        return piece[position : position + count]
    found = os.pread(piece.file.fd, min(count, piece.length - position), piece.offset + position)
    if not found:
        raise EOFError("a file became shorter while it was sent")
    return found


def _on_disk(source: Any) -> Piece | None:
    """What is left of a file of the file system; None when it is none."""
    raw = getattr(source, "buffer", source)  # of a file that was opened for text
    try:
        fd = raw.fileno()
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        if raw.writable():
            raw.flush()
        offset, size = raw.tell(), os.fstat(fd).st_size
    except (AttributeError, OSError, ValueError):
        return None
    return FilePart(OpenFile(os.dup(fd)), offset, size - offset) if offset < size else b""


def _taken(source: Any) -> Piece:
    """What can be read once, and may have to be sent again: kept in memory if it is little, else put aside in a file
    without a name."""
    start = _bytes(source.read(_COPY_BYTES))
    if len(start) < _COPY_BYTES:
        rest = _bytes(source.read(_COPY_BYTES)) if start else b""
        if not rest:
            return start
        start += rest
    import tempfile  # 0.2 MB, for what is rare

    with tempfile.TemporaryFile() as copy:
        size = copy.write(start)
        while piece := _bytes(source.read(_COPY_BYTES)):
            size += copy.write(piece)
        copy.flush()
        return FilePart(OpenFile(os.dup(copy.fileno())), 0, size)


def _bytes(read: str | bytes) -> bytes:
    return read.encode("utf-8", "replace") if isinstance(read, str) else read
