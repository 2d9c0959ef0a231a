"""The folder that a static mount serves, and nothing outside of it.

A path is judged twice. Its real path, all links followed, has to lie inside the folder. And it is opened step by step
from there without following any link, so that a folder swapped for a link in between leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

__all__ = ["StaticRoot", "is_hidden"]

_FRESH_S: Final = 1.0
_WELL_KNOWN: Final = b".well-known"
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STEP: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_hidden(raw: bytes) -> bool:
    """Whether a part of the path starts with a dot: .git and .env are nobody's business, `..` even less. But
    .well-known is meant for everybody (RFC 8615)."""
    if b"/." not in raw and not raw.startswith(b"."):
        return False
    return any(part.startswith(b".") and part != _WELL_KNOWN for part in raw.split(b"/"))


class StaticRoot:
    """A folder, and a guard that nothing outside of it is opened. `follows_links`: links that lead out of the folder
    are served too."""

    def __init__(self, path: str, *, follows_links: bool = False) -> None:
        self._path = os.fsencode(path)
        self._follows_links = follows_links
        self._prefix = b""
        self._looked_at: float | None = None

    def prefix(self, now: float) -> bytes:
        """The folder's real path, with a slash at its end. It may itself be a link that every deployment switches, so
        it is looked at again after a second; `now` is the engine's time."""
        if self._looked_at is None or now - self._looked_at > _FRESH_S:
            self._prefix = os.path.realpath(self._path).rstrip(b"/") + b"/"
            self._looked_at = now
        return self._prefix

    def real_path(self, path: bytes) -> bytes | None:
        """Where `path`, which starts with the prefix, leads to; None for a place outside."""
        real = os.path.realpath(path)
        return real if self._follows_links or self.holds(real) else None

    def holds(self, real: bytes) -> bool:
        """Whether a real path lies inside the folder, or is the folder."""
        return real.startswith(self._prefix) or real == self._prefix[:-1]

    def open(self, real: bytes) -> tuple[int, os.stat_result]:
        """Descriptor and state of a regular file, from what `real_path` gave. Raises OSError."""
        fd = os.open(real, _FILE) if self._follows_links else self._open_inside(real, _FILE)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
        except OSError:
            os.close(fd)
            raise
        return fd, status

    def open_folder(self, real: bytes) -> int:
        """Descriptor of a folder, for os.scandir, from what `real_path` gave. Raises OSError."""
        return os.open(real, _FOLDER) if self._follows_links else self._open_inside(real, _FOLDER)

    def _open_inside(self, real: bytes, flags: int) -> int:
        below = real[len(self._prefix) :]
        if not below:
            return os.open(self._prefix, flags & ~os.O_NOFOLLOW)
        *folders, name = below.split(b"/")
        at = os.open(self._prefix, _STEP & ~os.O_NOFOLLOW)
        try:
            for folder in folders:
                following = os.open(folder, _STEP, dir_fd=at)
                os.close(at)
                at = following
            return os.open(name, flags, dir_fd=at)
        finally:
            os.close(at)
