"""What all workers of an instance agree on: which responses are no longer valid.

A POST that one worker passes on makes what the others keep for its target invalid too (RFC 9111 section 4.4). They
share a small table of numbers in a file; each key belongs to a place in it, each response keeps the number that stood
there when it was asked for, and counts only as long as the same number stands there. A new number invalidates the few
other keys of the place as well, which costs no more than a look at their servers.
"""

from __future__ import annotations

import mmap
import os
import zlib
from typing import Final

__all__ = ["Generations", "place_of"]

_PLACES: Final = 8192
_BYTES: Final = _PLACES * 8
NAME: Final = "generations"


class Generations:
    """The numbers of all keys. `folder` None, or one that can't be used: the table is this worker's own. `numbers` by
    place."""

    def __init__(self, folder: str | None = None) -> None:
        self.is_shared = False
        table: mmap.mmap | None = None
        if folder is not None:
            try:
                table = _map_file(folder)
                self.is_shared = True
            except (OSError, ValueError):
                # What is kept on disk tells of the same trouble, with its reason.
                table = None
        self.numbers = memoryview(table or mmap.mmap(-1, _BYTES)).cast("Q")

    def of(self, key: bytes) -> int:
        """The number that stands at the place of `key`."""
        return self.numbers[place_of(key)]

    def renew(self, key: bytes) -> None:
        """Make invalid what is kept for `key`, in all workers."""
        # Random: two workers that do so at the same time must not come to the same number by counting.
        self.numbers[place_of(key)] = int.from_bytes(os.urandom(8), "little")


def place_of(key: bytes) -> int:
    """Where in `numbers` the number of `key` stands."""
    return zlib.crc32(key) % _PLACES


def _map_file(folder: str) -> mmap.mmap:
    os.makedirs(folder, 0o700, exist_ok=True)
    fd = os.open(os.path.join(folder, NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(fd).st_size != _BYTES:
            os.ftruncate(fd, _BYTES)
        return mmap.mmap(fd, _BYTES)
    finally:
        os.close(fd)
