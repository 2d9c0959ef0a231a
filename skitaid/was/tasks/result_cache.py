"""Results that are kept for those who ask the same again, and calls that several who ask the same share.

A result is kept because an app said so (`dispatch(cache=60)`), for as long as it said. The least recently used goes
when there are too many, or too many bytes. What is kept is not decoded: everyone gets data of its own.

A call for something that is kept, or is going to be, while the same call is under way, waits for that one: when a
result gets too old, one call renews it, however many ask.
"""

from __future__ import annotations

import time
from _thread import allocate_lock
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from skitaid.was.tasks.flight import Flight
from skitaid.was.tasks.result import Result
from skitaid.was.tasks.work import Work

__all__ = ["Entry", "KeyMemo", "ResultCache"]

MAX_BYTES: Final = 32 << 20
LARGEST_SHARE: Final = 8
"""A result above this part of all bytes is not kept: it would cost too many others."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A result that is kept. `asked_at` in seconds since the epoch, for those who know when what they ask for has
    changed: an answer is as old as its question. `until` by the monotonic clock. `size` in bytes."""

    result: Result
    asked_at: float
    until: float
    size: int

    def is_fit(self, use_cache: bool | float, now: float) -> bool:
        """Whether it may be given to someone who says `use_cache`."""
        if use_cache is False or now >= self.until:
            return False
        return use_cache is True or self.asked_at > use_cache


class ResultCache:
    """The results that a worker keeps, at most `limit`. From any thread. `clock` is monotonic, `wall_clock` the time of
    day."""

    def __init__(
        self,
        limit: int,
        *,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = allocate_lock()
        # Those that are too old stay until they are the least recently used: they say that their key is one of those
        # that are kept.
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._bytes = 0
        self._flights: dict[Hashable, Flight] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """What all results together take, in bytes."""
        return self._bytes

    def find(self, key: Hashable, use_cache: bool | float = True) -> Entry | None:
        """A result that is fit to be given; a copy of it."""
        if key not in self._entries:
            # Most are not, and threads that do not meet at the lock do not wait there.
            return None
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or not entry.is_fit(use_cache, self._clock()):
                return None
            self._entries.move_to_end(key)
        return entry

    def keep(self, key: Hashable, result: Result, seconds: float, *, asked_at: float) -> None:
        """Give it to those who ask the same in the next seconds."""
        size = result.size
        if size > self._max_bytes // LARGEST_SHARE or not self._limit:
            return
        entry = Entry(result.copy(), asked_at, self._clock() + seconds, size)
        with self._lock:
            self._drop(key)
            self._entries[key] = entry
            self._bytes += size
            while len(self._entries) > self._limit or self._bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))

    def flight(self, key: Hashable, make: Callable[[], Work], *, use_cache: bool | float, is_asked: bool) -> Flight:
        """What shall carry out a call: the one that is under way for somebody who asked the same, or a new one.
        `is_asked`: the app said that it wants a kept result."""
        if not is_asked and key not in self._entries and key not in self._flights:
            return Flight(make(), self._wall_clock())
        with self._lock:
            found = self._flights.get(key)
            if found is not None and not found.is_over and found.is_fit(use_cache):
                return found
            new = Flight(make(), self._wall_clock())
            if is_asked or key in self._entries:
                self._register(key, new)
        return new

    def announce(self, key: Hashable, flight: Flight) -> None:
        """Its result is going to be kept: who asks the same from now on may share it."""
        with self._lock:
            there = self._flights.get(key)
            if there is None or there.is_over:
                self._register(key, flight)
                if flight.is_over:
                    # It landed before it was told whom to tell.
                    self._flights.pop(key, None)

    def _register(self, key: Hashable, flight: Flight) -> None:
        self._flights[key] = flight
        flight.on_over = lambda: self._unregister(key, flight)

    def _unregister(self, key: Hashable, flight: Flight) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size


class KeyMemo:
    """The place of one key in the cache (result.Memo), for a task that got a kept result, or whose call is `flight`."""

    __slots__ = ("_asked_at", "_cache", "_flight", "_key")

    def __init__(self, cache: ResultCache, key: Hashable, source: Entry | Flight) -> None:
        self._cache = cache
        self._key = key
        self._flight = source if isinstance(source, Flight) else None
        self._asked_at = source.asked_at

    def keep(self, result: Result, seconds: float) -> None:
        self._cache.keep(self._key, result, seconds, asked_at=self._asked_at)

    def announce(self) -> None:
        """The result is going to be kept."""
        if self._flight is not None:
            self._cache.announce(self._key, self._flight)
