"""What couriers cost beyond their work: the C library gives each thread a heap of its own, and keeps what is freed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import CDLL

__all__ = ["give_back", "share_heap"]

_M_ARENA_MAX = -8
"""malloc.h of glibc."""


def share_heap() -> None:
    """One heap for all threads, which take turns anyway: 0.5 MB less after four couriers that spoke TLS. Before the
    first of them is there."""
    set_option = getattr(_libc(), "mallopt", None)  # glibc
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return free memory to the system. Takes a millisecond or two."""
    trim = getattr(_libc(), "malloc_trim", None)  # glibc
    if trim is not None:
        trim(0)


@cache
def _libc() -> CDLL:
    import ctypes  # with the first mail, not before

    return ctypes.CDLL(None)
