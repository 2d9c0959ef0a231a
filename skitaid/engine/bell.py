"""What one thread sleeps on until another wakes it.

A lock would do, but it is released by a thread that holds the interpreter. Where both share a core, the kernel runs the
one that is woken at once; it can only wait for the interpreter then, and so forth, three times for each time it is
woken. To write to a descriptor, a thread lets go of the interpreter first.
"""

from __future__ import annotations

import os
import sys
from typing import Final

__all__ = ["Bell"]

_STROKE: Final = (1).to_bytes(8, sys.byteorder)
"""What an eventfd counts."""


class Bell:
    """For one thread that waits; whoever rings does so once for each time, before it waits or while it does. Raises
    OSError when there are no descriptors left."""

    __slots__ = ("_read_fd", "_write_fd")

    def __init__(self) -> None:
        if sys.platform == "linux":
            self._read_fd = self._write_fd = os.eventfd(0)
        else:
            self._read_fd, self._write_fd = os.pipe()

    def ring(self) -> None:
        os.write(self._write_fd, _STROKE)

    def wait(self) -> None:
        """Until it rings, or has rung since the last time."""
        os.read(self._read_fd, len(_STROKE))

    def close(self) -> None:
        """When nobody waits or rings any more."""
        for fd in {self._read_fd, self._write_fd}:
            os.close(fd)
