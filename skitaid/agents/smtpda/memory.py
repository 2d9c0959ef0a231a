"""What couriers leave behind: each had a heap of its own, and the C library keeps what is freed there."""

from __future__ import annotations

__all__ = ["give_back"]


def give_back() -> None:
    """Return free memory to the system: 1.5 MB after four couriers that spoke TLS. Takes a millisecond or two."""
    import ctypes  # with the first mail, not before

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc
    if trim is not None:
        trim(0)
