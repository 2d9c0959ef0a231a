"""multipart/form-data (RFC 7578): fields and files as one body. Files stay on disk until their bytes are sent.

Makes the parts and their order; nothing here reads a file but those that cannot be read twice.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from skitaid.was.messages.errors import CallError
from skitaid.was.messages.streamed import Piece, StreamedBody, piece_of

__all__ = ["make_multipart"]

_BINARY: Final = "application/octet-stream"
# What would end the quoted name; as browsers write them.
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


def make_multipart(data: object) -> StreamedBody:
    """`data`: fields as for a form, and files: an open file, a Path, or `(file name, file or bytes[, content type])`;
    a list stands for several of one name. Raises CallError, OSError."""
    boundary = f"----skitaid-{os.urandom(16).hex()}"
    pieces: list[Piece] = []
    for name, value in _pairs(data):
        head, content = _part(name, value)
        pieces += [f"--{boundary}\r\n{head}\r\n\r\n".encode("utf-8", "replace"), content, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    return StreamedBody(f"multipart/form-data; boundary={boundary}", tuple(_merged(pieces)))


def _merged(pieces: list[Piece]) -> Iterator[Piece]:
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


def _part(name: str, value: object) -> tuple[str, Piece]:
    """The head of a part and its content."""
    if isinstance(value, tuple):
        return _named(name, value)
    if isinstance(value, Path) or hasattr(value, "read"):
        return _head(name, _file_name(value)), piece_of(value)
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    return f'Content-Disposition: form-data; name="{name.translate(_ESCAPES)}"', raw


def _named(name: str, value: tuple[object, ...]) -> tuple[str, Piece]:
    if not 2 <= len(value) <= 3:
        raise CallError(f"upload: {name!r}: expected (file name, file or bytes[, content type])")
    kind = str(value[2]) if len(value) == 3 else None
    if kind is not None and not kind.isprintable():
        raise CallError(f"upload: {name!r}: {kind!r} is not a content type")
    return _head(name, str(value[0]), kind), piece_of(value[1])


def _head(name: str, file_name: str, kind: str | None = None) -> str:
    kind = kind or mimetypes.guess_type(file_name)[0] or _BINARY
    shown, file_shown = name.translate(_ESCAPES), file_name.translate(_ESCAPES)
    return f'Content-Disposition: form-data; name="{shown}"; filename="{file_shown}"\r\nContent-Type: {kind}'


def _file_name(file: object) -> str:
    """The last part of its path: where it lay is nobody's business."""
    name = getattr(file, "name", None) or getattr(file, "filename", None)
    return os.path.basename(name) if isinstance(name, str) and name else "file"
