"""`wsgi.file_wrapper` (PEP 3333): a file as a response. A real one is sent by the kernel, any other is read."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from typing import Any, Final

from skitaid.engine.file_segment import FileSegment, OpenFile

__all__ = ["FileWrapper", "segment_of"]

_BLOCK_BYTES: Final = 65536
# Exactly these: what is derived from them, or only has a descriptor, may read something else than the file (gzip).
_REAL: Final = (io.BufferedReader, io.BufferedRandom, io.FileIO)


class FileWrapper:
    """A file, in blocks."""

    def __init__(self, file: Any, block_size: int = _BLOCK_BYTES) -> None:
        self.file = file
        self.block_size = block_size

    def __iter__(self) -> Iterator[Any]:
        # Not iter(read, b""): the end of a file of text is another empty thing.
        while block := self.file.read(self.block_size):
            yield block

    def close(self) -> None:
        close = getattr(self.file, "close", None)
        if close is not None:
            close()


def segment_of(wrapper: FileWrapper, length: int | None) -> FileSegment | None:
    """`length` bytes of the file from where it stands, all that is left when None. None: it is to be read, as it is no
    file of the disk, or has less."""
    file = wrapper.file
    # What tempfile makes has the file inside.
    file = vars(file).get("file", file) if type(file).__module__ == "tempfile" and hasattr(file, "__dict__") else file
    if type(file) not in _REAL:
        return None
    try:
        if isinstance(file, io.BufferedRandom):
            file.flush()
        status = os.fstat(file.fileno())
        offset = file.tell()
        left = status.st_size - offset
        if not stat.S_ISREG(status.st_mode) or left <= 0 or (length is not None and not 0 <= length <= left):
            return None
        # The app closes its own when the iterable is closed, which is long before the last byte is sent.
        opened = OpenFile(os.dup(file.fileno()))
    except (OSError, ValueError):
        return None
    segment = FileSegment(opened, offset, left if length is None else length)
    opened.release()
    return segment
