"""A part of a file as a piece of an HTTP/2 body: it is framed, so it has to pass through this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from skitaid.engine.disk import DiskThreads
from skitaid.engine.file_segment import FileSegment
from skitaid.protocols.http2.errors import ErrorCode, StreamFault

__all__ = ["FilePiece"]

_READ_BYTES: Final = 131072
"""Several frames: each read costs three system calls."""


class FilePiece:
    """The segment is ours. `on_read` is called on the loop when what was not in memory is: then `read` gives it."""

    __slots__ = ("_disk", "_on_read", "_rest", "_segment", "_stream_id")

    def __init__(self, segment: FileSegment, disk: DiskThreads, stream_id: int, on_read: Callable[[], None]) -> None:
        self._segment = segment
        self._disk = disk
        self._stream_id = stream_id
        self._on_read = on_read
        self._rest = memoryview(b"")

    def __len__(self) -> int:
        return len(self._rest) + len(self._segment)

    def read(self, size: int) -> bytes | None:
        """Raises StreamFault when the file is shorter than promised, or can't be read."""
        if not self._rest:
            if not self._segment.is_cached():
                self._disk.bring(self._segment, self._brought)
                return None
            self._load()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def _brought(self) -> None:
        # A file system that always says that it is not in memory must not go on for ever.
        self._segment.is_brought = True
        self._on_read()

    def _load(self) -> None:
        segment = self._segment
        try:
            data = os.pread(segment.file.fd, min(_READ_BYTES, len(segment)), segment.offset)
        except OSError as error:
            raise StreamFault(self._stream_id, ErrorCode.INTERNAL_ERROR, f"a file can't be read: {error}") from error
        if not data and len(segment):
            raise StreamFault(self._stream_id, ErrorCode.INTERNAL_ERROR, "a file is shorter than promised")
        segment.is_brought = False
        segment.offset += len(data)
        segment.left -= len(data)
        self._rest = memoryview(data)

    def close(self) -> None:
        self._segment.close()
