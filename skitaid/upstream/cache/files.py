"""The folder of the disk store: names, files and their bounds. Everything here waits for the disk, so it is called in
disk threads alone.

A file is written under another name and renamed when it is whole, so whoever opens one reads all of it, whatever ended
the writer; its checksum tells of a machine that went down before the bytes did get to the disk. Removing a file, or the
whole folder, is fine at any time.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from skitaid.engine.spool import check_room

__all__ = ["Found", "Folder", "Name", "name_of"]

Name = int
"""Of a file: 64 bits of a hash of its key, and variant if it has one."""

SHARDS: Final = 256
_LAYOUT: Final = "v1"
_LOCK: Final = "lock"
_TOUCH_S: Final = 60.0
_ABANDONED_S: Final = 3600.0
_SWEEP_SHARE: Final = 0.9


class Found(NamedTuple):
    """A file in the folder."""

    used_at: float
    size: int
    path: str


def name_of(key: bytes, variant: bytes = b"") -> Name:
    """The name that a key, and the text of a variant, lead to."""
    digest = hashlib.blake2b(b"%b\n%b" % (key, variant), digest_size=8).digest()
    return int.from_bytes(digest, "big")


class Folder:
    """The files of stored responses, in one folder for all workers. `limit_bytes`: of all files together."""

    def __init__(self, path: str, limit_bytes: int) -> None:
        self.path = path
        self.limit_bytes = limit_bytes
        self._root = os.path.join(path, _LAYOUT)

    def read(self, name: Name) -> bytes | None:
        """A file's content; None without one. Raises OSError. Reading it keeps it from being removed soon."""
        try:
            fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return None
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if time.time() - status.st_mtime > _TOUCH_S:
                os.utime(fd)
            return file.read()

    def write(self, name: Name, data: bytes) -> None:
        """Make or replace a file. Raises OSError; then what was there before stays."""
        path = self._path(name)
        temporary = f"{path}.{os.getpid()}-{os.urandom(6).hex()}"
        fd = self._create(temporary)
        try:
            with open(fd, "wb", buffering=0) as file:
                check_room(fd, len(data))
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
            os.rename(temporary, path)
        except OSError:
            self._remove(temporary)
            raise

    def remove(self, name: Name) -> None:
        """Raises nothing: what can't be removed is no longer valid by its generation."""
        self._remove(self._path(name))

    def shard_moments(self) -> dict[int, int]:
        """When something last came to, or went from, each of the folders inside; in nanoseconds."""
        found = {}
        for shard in range(SHARDS):
            with suppress(OSError):
                found[shard] = os.stat(self._shard(shard)).st_mtime_ns
        return found

    def list(self, shard: int) -> dict[Name, int]:
        """Sizes by name. Files that a writer left behind are removed."""
        found = {}
        for entry in self._entries(shard):
            if len(entry.name) == 16:
                with suppress(OSError, ValueError):
                    found[int(entry.name, 16)] = entry.stat(follow_symlinks=False).st_size
            else:
                self._remove_abandoned(entry)
        return found

    def make_room(self) -> bool:
        """Remove what was not used for longest, if there is more than there may be. False: another worker is at it."""
        with self._lock() as is_ours:
            if not is_ours:
                return False
            files = sorted(self._all())
            total = sum(file.size for file in files)
            for file in files:
                if total <= self.limit_bytes * _SWEEP_SHARE:
                    break
                self._remove(file.path)
                total -= file.size
            return True

    # ------------------------------------------------------------ inside

    def _path(self, name: Name) -> str:
        return f"{self._root}/{name >> 56:02x}/{name:016x}"

    def _shard(self, shard: int) -> str:
        return f"{self._root}/{shard:02x}"

    def _create(self, path: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            # Each by itself: the mode is for the last one alone.
            for folder in (self.path, self._root, os.path.dirname(path)):
                os.makedirs(folder, 0o700, exist_ok=True)
            return os.open(path, flags, 0o600)

    def _entries(self, shard: int) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(self._shard(shard)) as entries:
                yield from entries
        except OSError:
            return

    def _all(self) -> Iterator[Found]:
        for shard in range(SHARDS):
            for entry in self._entries(shard):
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    yield Found(status.st_mtime, status.st_size, entry.path)

    def _remove_abandoned(self, entry: os.DirEntry[str]) -> None:
        with suppress(OSError):
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_S:
                self._remove(entry.path)

    @staticmethod
    def _remove(path: str) -> None:
        with suppress(OSError):
            os.unlink(path)

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        """The kernel takes it from a worker that dies."""
        try:
            fd = os.open(os.path.join(self.path, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            yield False
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            yield False
        finally:
            os.close(fd)
