"""multipart/form-data (RFC 7578): fields and files as one body. Files stay on disk until their bytes are sent.

Makes the parts and their order; nothing here reads a file but those that cannot be read twice.
"""

from __future__ import annotations

import mimetypes
import os
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from skitaid.engine.file_segment import OpenFile
from skitaid.was.calls.errors import CallError

__all__ = ["FilePart", "Multipart", "make_multipart"]

_COPY_BYTES: Final = 1 << 20
_BINARY: Final = "application/octet-stream"
# What would end the quoted name; as browsers write them.
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True)
class FilePart:
    """`length` bytes of a file from `offset` on."""

    file: OpenFile
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True, slots=True)
class Multipart:
    """A body of several pieces. Whoever holds one calls `release` when it will not be read any more."""

    content_type: str
    pieces: tuple[bytes | FilePart, ...]

    @property
    def content_length(self) -> int:
        """In bytes."""
        return sum(map(len, self.pieces))

    def read(self, position: int, count: int) -> bytes:
        """The bytes from `position` on: at least one and at most `count`, b"" at the end. Raises OSError, EOFError for
        a file that became shorter. From any thread."""
        for piece in self.pieces:
            if position < len(piece):
                return _read(piece, position, count)
            position -= len(piece)
        return b""

    def acquire(self) -> None:
        """One user more."""
        for file in self._files():
            file.acquire()

    def release(self) -> None:
        """One user less; the last one closes the files."""
        for file in self._files():
            file.release()

    def _files(self) -> Iterator[OpenFile]:
        return (piece.file for piece in self.pieces if isinstance(piece, FilePart))


def make_multipart(data: object) -> Multipart:
    """`data`: fields as for a form, and files: an open file, a Path, or `(file name, file or bytes[, content type])`;
    a list stands for several of one name. Raises CallError, OSError."""
    boundary = f"----skitaid-{secrets.token_hex(16)}"
    pieces: list[bytes | FilePart] = []
    try:
        for name, value in _pairs(data):
            head, content = _part(name, value)
            pieces += [f"--{boundary}\r\n{head}\r\n\r\n".encode("utf-8", "replace"), content, b"\r\n"]
    except BaseException:
        _release(pieces)
        raise
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    return Multipart(f"multipart/form-data; boundary={boundary}", tuple(_merged(pieces)))


def _read(piece: bytes | FilePart, position: int, count: int) -> bytes:
    if isinstance(piece, bytes):
        return piece[position : position + count]
    found = os.pread(piece.file.fd, min(count, piece.length - position), piece.offset + position)
    if not found:
        raise EOFError("a file became shorter while it was sent")
    return found


def _release(pieces: Iterable[bytes | FilePart]) -> None:
    for piece in pieces:
        if isinstance(piece, FilePart):
            piece.file.release()


def _merged(pieces: Iterable[bytes | FilePart]) -> Iterator[bytes | FilePart]:
    """Neighbours in memory as one."""
    waiting = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            waiting += piece
            continue
        yield from (waiting, piece)
        waiting = b""
    yield waiting


def _pairs(data: object) -> Iterator[tuple[str, object]]:
    pairs: Any = data.items() if isinstance(data, Mapping) else data or ()
    if isinstance(pairs, str | bytes):
        raise CallError("upload: expected {name: value or file} or [(name, value or file), …]")
    for name, value in pairs:
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                yield str(name), each


def _part(name: str, value: object) -> tuple[str, bytes | FilePart]:
    """The head of a part and its content."""
    if isinstance(value, tuple):
        return _named(name, value)
    if isinstance(value, Path):
        with value.open("rb") as file:
            return _head(name, value.name), _content(file)
    if hasattr(value, "read"):
        return _head(name, _file_name(value)), _content(value)
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    return f'Content-Disposition: form-data; name="{name.translate(_ESCAPES)}"', raw


def _named(name: str, value: tuple[object, ...]) -> tuple[str, bytes | FilePart]:
    if not 2 <= len(value) <= 3:
        raise CallError(f"upload: {name!r}: expected (file name, file or bytes[, content type])")
    kind = str(value[2]) if len(value) == 3 else None
    if kind is not None and not kind.isprintable():
        raise CallError(f"upload: {name!r}: {kind!r} is no content type")
    return _head(name, str(value[0]), kind), _content(value[1])


def _head(name: str, file_name: str, kind: str | None = None) -> str:
    kind = kind or mimetypes.guess_type(file_name)[0] or _BINARY
    shown, file_shown = name.translate(_ESCAPES), file_name.translate(_ESCAPES)
    return f'Content-Disposition: form-data; name="{shown}"; filename="{file_shown}"\r\nContent-Type: {kind}'


def _file_name(file: Any) -> str:
    name = getattr(file, "name", None) or getattr(file, "filename", None)
    return os.path.basename(name) if isinstance(name, str) and name else "file"


def _content(source: Any) -> bytes | FilePart:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str):
        return source.encode("utf-8", "replace")
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _content(file)
    if not hasattr(source, "read"):
        raise CallError(f"upload: {source!r:.100} is neither a file nor bytes")
    return _on_disk(source) or _taken(source)


def _on_disk(source: Any) -> FilePart | None:
    """What is left of a file of the file system; None when it is none. The descriptor is our own, so that the app may
    close its file."""
    raw = getattr(source, "buffer", source)  # of a file that was opened for text
    try:
        fd = raw.fileno()
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        if getattr(raw, "writable", lambda: False)():
            raw.flush()
            status = os.fstat(fd)
        offset = min(raw.tell(), status.st_size)
    except (AttributeError, OSError, ValueError):
        return None
    return FilePart(OpenFile(os.dup(fd)), offset, status.st_size - offset)


def _taken(source: Any) -> bytes | FilePart:
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
        return FilePart(OpenFile(os.dup(copy.fileno())), 0, size)


def _bytes(read: str | bytes) -> bytes:
    return read.encode("utf-8", "replace") if isinstance(read, str) else read
