"""Bounded tables of what was parsed before: clients repeat themselves.

A thing enters on second sight only, so that a flood of things that never come back pushes nothing useful out, and
costs no memory but that of their hashes.
"""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Kept"]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Kept(Generic[_Key, _Value]):
    """At most `limit` entries in `found`, which is there to be looked up in, of `max_bytes` in all; a full table
    starts anew. Keys are hashed with the secret of this process (str, bytes and tuples of them), or a client
    could choose ones that look alike."""

    __slots__ = ("_bytes", "_limit", "_max_bytes", "_seen", "found")

    def __init__(self, limit: int, max_bytes: int) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self._bytes = 0
        self._seen: set[int] = set()
        self.found: dict[_Key, _Value] = {}

    def offer(self, key: _Key, value: _Value, size: int) -> None:
        """Keep `value` if `key` was offered before. They and what will hang on them take about `size` bytes."""
        sight = hash(key)
        seen, found = self._seen, self.found
        if sight in seen:
            if key in found:
                return
            self._bytes += size
            if len(found) >= self._limit or self._bytes > self._max_bytes:
                found.clear()
                self._bytes = size
            found[key] = value
            return
        if len(seen) >= 4 * self._limit:
            seen.clear()
        seen.add(sight)
