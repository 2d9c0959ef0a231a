"""Bodies that are read while they are sent: files of any size take no memory.

They can be sent again (a redirect, a challenge), and an app may close its file at once: the descriptor is our own, and
closed with the body.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from skitaid.was.calls.errors import CallError

__all__ = ["FilePart", "Piece", "StreamedBody", "piece_of"]

_COPY_BYTES: Final = 1 << 20


class _Descriptor:
    """Of an open file; closed when nobody has it any more."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class FilePart:
    """`length` bytes of a file from `offset` on."""

    file: _Descriptor
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


Piece = bytes | FilePart


@dataclass(frozen=True, slots=True)
class StreamedBody:
    """A body of several pieces."""

    content_type: str
    pieces: tuple[Piece, ...]

    @property
    def content_length(self) -> int:
        """In bytes."""
        return sum(map(len, self.pieces))

    def read(self, position: int, count: int) -> bytes:
        """The bytes from `position` on: at least one and at most `count`, b"" at the end. From any thread; it may wait
        for a disk. Raises OSError, EOFError for a file that became shorter."""
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
    return FilePart(_Descriptor(os.dup(fd)), offset, size - offset) if offset < size else b""


def _taken(source: Any) -> Piece:
    """What can be read once, and may have to be sent again: kept in memory if it is little, else put aside in a file
    without a name."""
    start = _bytes(source.read(_COPY_BYTES))
    if len(start) < _COPY_BYTES:
        rest = _bytes(source.read(_COPY_BYTES)) if start else b""
        if not rest:
            return start
        start += rest
    with tempfile.TemporaryFile() as copy:
        size = copy.write(start)
        while piece := _bytes(source.read(_COPY_BYTES)):
            size += copy.write(piece)
        copy.flush()
        return FilePart(_Descriptor(os.dup(copy.fileno())), 0, size)


def _bytes(read: str | bytes) -> bytes:
    return read.encode("utf-8", "replace") if isinstance(read, str) else read
