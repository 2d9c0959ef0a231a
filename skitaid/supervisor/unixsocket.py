"""The address of a unix socket in a folder whose path may be too long for one. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["socket_address"]

ADDRESS_MAX_BYTES = 100
"""sun_path holds 108 on Linux, 104 elsewhere."""


@contextmanager
def socket_address(folder: Path, name: str) -> Iterator[str]:
    """What bind, connect and sendto take for the socket `name` in `folder`, as long as the context lasts. A path too
    long for an address is reached through an open folder (/proc). Raises OSError when that cannot be opened."""
    path = str(folder / name)
    if len(os.fsencode(path)) <= ADDRESS_MAX_BYTES:
        yield path
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{name}"
    finally:
        os.close(fd)
