"""Responses in memory, bounded by bytes; those not asked for longest go first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from skitaid.upstream.cache.stored import Stored

__all__ = ["MemoryStore"]

MAX_VARIANTS: Final = 32
"""Of one target: a response that varies by User-Agent must not push everything else out."""

Entries = tuple[Stored, ...]


class MemoryStore:
    """By key; for one thread. `get(key)` gives the variants, the newest first, or None; it does not count as asking,
    as `touch` does."""

    def __init__(self, limit_bytes: int, *, entry_limit_bytes: int) -> None:
        self._entries: dict[bytes, Entries] = {}
        self._limit = limit_bytes
        self.entry_limit_bytes = min(limit_bytes, entry_limit_bytes)
        self.kept_bytes = 0
        self.get: Callable[[bytes], Entries | None] = self._entries.get

    def __len__(self) -> int:
        return len(self._entries)

    def keep(self, stored: Stored) -> None:
        """Keep a response in place of one of the same variant."""
        if stored.size > self.entry_limit_bytes:
            self.drop_variant(stored)
            return
        key = stored.origin.key
        others = [each for each in self._entries.get(key, ()) if each.origin.variant != stored.origin.variant]
        self._put(key, (stored, *others[: MAX_VARIANTS - 1]))
        self._shrink()

    def grow(self, stored: Stored, count: int) -> None:
        """What was made of a response that is kept takes so many bytes more."""
        stored.size += count
        if stored in (self._entries.get(stored.origin.key) or ()):
            self.kept_bytes += count
            self._shrink()

    def touch(self, key: bytes) -> None:
        """It was asked for."""
        entries = self._entries.pop(key, None)
        if entries is not None:
            self._entries[key] = entries

    def drop(self, key: bytes) -> None:
        """Forget all variants; fine if there are none."""
        self.kept_bytes -= _total(self._entries.pop(key, ()))

    def drop_variant(self, stored: Stored) -> None:
        """Forget the variant of `stored`, whichever response it is."""
        key = stored.origin.key
        entries = self._entries.get(key)
        if entries is not None:
            self._put(key, tuple(each for each in entries if each.origin.variant != stored.origin.variant))

    def _shrink(self) -> None:
        while self.kept_bytes > self._limit:
            self.drop(next(iter(self._entries)))

    def _put(self, key: bytes, entries: Entries) -> None:
        self.drop(key)
        if entries:
            self._entries[key] = entries
            self.kept_bytes += _total(entries)


def _total(entries: Sequence[Stored]) -> int:
    return sum(each.size for each in entries)
