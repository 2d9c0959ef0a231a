"""Bodies that wait on disk: of requests until they are complete, of responses until their client takes them; so that a
slow client takes neither memory nor an app thread.

The files have no name: they are gone with their descriptor, whatever ends first. Files are made, written and looked
after in the disk threads; the loop waits for none of it. A disk that is nearly full is left to those who need it more.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from skitaid.engine.disk import DiskThreads
from skitaid.engine.file_segment import FileSegment, OpenFile

__all__ = ["Spool", "SpoolFile", "SpoolSettings", "check_room"]

_BLOCK_BYTES: Final = 65536
_RESERVE_SHARE: Final = 20
_MAX_RESERVE_BYTES: Final = 1 << 30
"""A twentieth of the disk, this much at most, stays free for logs and data bases."""
_TELL_EVERY_S: Final = 60.0
_NO_NAMELESS: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL})


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where bodies wait, and how large they may be. `folder` is made when it is needed. `limit_bytes`: what a body may
    take of it."""

    folder: str
    limit_bytes: int


class SpoolFile:
    """One body. Only one thread writes, reading comes after it; `close` may come from any thread at any time."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._file: OpenFile | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        self.size = 0
        """Bytes that are written."""

    def __del__(self) -> None:
        self.close()

    def write(self, pieces: Sequence[bytes]) -> None:
        """Add to the end. May wait for the disk. Raises OSError; then nothing can be read any more."""
        data = memoryview(b"".join(pieces))
        if self._file is None:
            self._open()
        file = self._hold()
        if file is None:
            return
        try:
            check_room(file.fd, len(data))
            while data:
                written = os.pwrite(file.fd, data, self.size)
                self.size += written
                data = data[written:]
        finally:
            file.release()

    def read_at(self, offset: int, buffer: bytearray | memoryview) -> int:
        """Fill `buffer` from `offset` on; gives how many bytes there were. Raises ValueError when it is closed."""
        file = self._hold()
        if file is None:
            raise ValueError("the request is over, and its body with it")
        try:
            return os.preadv(file.fd, [buffer], offset)
        finally:
            file.release()

    def segment(self, offset: int, length: int) -> FileSegment | None:
        """A part of it, to be sent; None when it is closed."""
        file = self._hold()
        if file is None:
            return None
        try:
            return FileSegment(file, offset, length)
        finally:
            file.release()

    def reader(self) -> io.BufferedReader:
        """All of it as a file, from the beginning."""
        return io.BufferedReader(_Reader(self), _BLOCK_BYTES)

    def close(self) -> None:
        """Nobody needs it any more. Again: nothing."""
        with self._lock:
            self._is_closed = True
            file, self._file = self._file, None
        if file is not None:
            file.release()

    def _open(self) -> None:
        """Not under the lock, as who closes must not wait for the disk."""
        file = OpenFile(_open_nameless(self._folder))
        with self._lock:
            if not self._is_closed:
                self._file = file
                return
        file.release()

    def _hold(self) -> OpenFile | None:
        """The file, kept open until it is released; None when there is none, or none any more."""
        with self._lock:
            if self._file is not None:
                self._file.acquire()
            return self._file


class _Reader(io.RawIOBase):
    """A SpoolFile as Python's buffered files want it."""

    def __init__(self, file: SpoolFile) -> None:
        self._source = file
        self._offset = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # as BufferedReader calls it
        count = self._source.read_at(self._offset, buffer)
        self._offset += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: self._source.size}[whence]
        self._offset = max(0, start + offset)
        return self._offset

    def tell(self) -> int:
        return self._offset


class Spool:
    """The bodies of one worker that wait on disk. `on_trouble` is told, on the loop thread and once a minute at most,
    what keeps bodies from being written."""

    def __init__(self, settings: SpoolSettings, disk: DiskThreads) -> None:
        self.settings = settings
        self._disk = disk
        self._told_at = -_TELL_EVERY_S
        self.on_trouble: Callable[[str], None] = lambda text: print(text, file=sys.stderr)

    def takes(self, length: int | None, *, is_whole: bool) -> bool:
        """Whether a body of `length` bytes is to wait here; None: it is not known yet. `is_whole`: the app can't begin
        before it is complete, so there is no limit but to have none wait."""
        limit = self.settings.limit_bytes
        return limit > 0 and (is_whole or length is None or length <= limit)

    def make_file(self) -> SpoolFile:
        """For a body that is about to be written."""
        return SpoolFile(self.settings.folder)

    def add(self, file: SpoolFile, data: bytes) -> FileSegment | None:
        """Write a part of a response, here and now, and give it as it is to be sent; None when `file` may not become
        so long, or the disk refuses. In an app thread: it may wait for the disk."""
        offset = file.size
        if offset + len(data) > self.settings.limit_bytes:
            return None
        try:
            file.write([data])
        except OSError:
            # The thread waits for its client instead, as it would without a spool: nothing is lost.
            return None
        return file.segment(offset, len(data))

    def write(self, file: SpoolFile, pieces: Sequence[bytes], on_done: Callable[[bool], None]) -> None:
        """Have `pieces` added to `file`; then `on_done` is called on the loop thread, with whether that went well."""
        failures: list[OSError] = []

        def work() -> None:
            try:
                file.write(pieces)
            except OSError as error:
                failures.append(error)

        def tell() -> None:
            if failures:
                self._tell(failures[0])
            on_done(not failures)

        self._disk.do(work, tell)

    def _tell(self, error: OSError) -> None:
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY_S:
            return
        self._told_at = now
        folder = self.settings.folder
        self.on_trouble(
            f"cannot keep a request's body in {folder}: {error.strerror or error}; larger requests are answered 507"
            " (make room there, let the workers' user write there, or name another spool_dir)"
        )


def check_room(fd: int, length: int) -> None:
    """Raises OSError ENOSPC when the disk would be left with too little."""
    disk = os.fstatvfs(fd)
    reserve = min(disk.f_blocks * disk.f_frsize // _RESERVE_SHARE, _MAX_RESERVE_BYTES)
    if disk.f_bavail * disk.f_frsize - length < reserve:
        raise OSError(errno.ENOSPC, "the disk is nearly full")


def _open_nameless(folder: str) -> int:
    """A file without a name. Raises OSError."""
    nameless = getattr(os, "O_TMPFILE", 0)
    if nameless:
        try:
            return os.open(folder, os.O_RDWR | os.O_CLOEXEC | nameless, 0o600)
        except OSError as error:
            if error.errno not in _NO_NAMELESS:
                raise
    with suppress(FileExistsError):
        os.makedirs(folder, 0o700)
    path = os.path.join(folder, f"{os.getpid()}-{os.urandom(8).hex()}")
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    return fd
