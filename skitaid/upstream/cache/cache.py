"""The response cache of one worker: its stores, what is being fetched, and what they may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from skitaid.upstream.cache.asked import Asked
from skitaid.upstream.cache.disk import DiskStore
from skitaid.upstream.cache.fill import Fill
from skitaid.upstream.cache.generations import Generations
from skitaid.upstream.cache.memory import MemoryStore
from skitaid.upstream.cache.rules import is_for
from skitaid.upstream.cache.stored import Stored
from skitaid.upstream.cache.vary import selects

__all__ = ["CacheSettings", "ResponseCache"]

ENTRY_SHARE: Final = 8
MAX_ENTRY_BYTES: Final = 8 * 1024 * 1024
"""One response takes an eighth of a store at most, and no more than this."""
MAX_FILLING_BYTES: Final = 64 * 1024 * 1024
PASS_S: Final = 10.0
MAX_PASSES: Final = 4096
TOUCH_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """How much is kept, and where. `memory_bytes` is for each worker, `disk_bytes` for all of them; 0 is none.
    `folder`: where the workers meet, and responses lie; None: nowhere."""

    memory_bytes: int = 0
    disk_bytes: int = 0
    folder: str | None = None

    @property
    def is_on(self) -> bool:
        return bool(self.memory_bytes or (self.disk_bytes and self.folder))

    @property
    def entry_limit_bytes(self) -> int:
        """What one response may take of the larger store."""
        return min(max(self.memory_bytes, self.disk_bytes) // ENTRY_SHARE, MAX_ENTRY_BYTES)

    @property
    def filling_limit_bytes(self) -> int:
        """What responses that are being fetched may take together."""
        most = max(self.memory_bytes, self.disk_bytes) // 2
        return max(2 * self.entry_limit_bytes, min(most, MAX_FILLING_BYTES))


class ResponseCache:
    """What is stored, and what is being fetched for it. `call_soon(function)` has a function called on the loop thread,
    when others had their turn."""

    def __init__(
        self,
        settings: CacheSettings,
        call_soon: Callable[[Callable[[], None]], None],
        *,
        disk: DiskStore | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.entry_limit_bytes = settings.entry_limit_bytes
        self.memory = MemoryStore(settings.memory_bytes, entry_limit_bytes=settings.memory_bytes // ENTRY_SHARE)
        self.disk = disk
        self.generations = Generations(settings.folder)
        self._numbers = self.generations.numbers
        self.call_soon = call_soon
        self.wall = wall
        self.fills: dict[bytes, Fill] = {}
        self.filling_bytes = 0
        """Of responses that are on their way into the stores, see `account`."""
        self._filling_limit = settings.filling_limit_bytes
        self._passes: dict[tuple[bytes, bool], float] = {}

    # ------------------------------------------------------------ what is stored

    def fresh(self, key: bytes, asked: Asked, now: float, *, has_cookie: bool = False) -> Stored | None:
        """A response in memory that does for `asked`, which `is_plain`, at `now` by `wall`; the quick way for nearly
        all hits. `has_cookie`: the request has one, which `asked` does not tell of; then it gets what is for
        everybody."""
        for stored in self.memory.get(key) or ():
            variant = stored.origin.variant
            if not variant or selects(variant, asked.values.get):
                # A clock that was set back tells nothing of what came after.
                if not stored.moments.received_at - 1.0 <= now < stored.fresh_until:
                    return None
                if self._numbers[stored.place] != stored.origin.generation or not stored.is_direct:
                    return None
                if (has_cookie or not asked.is_anonymous) and not _is_shown(stored, asked, has_cookie=has_cookie):
                    return None
                if now - stored.touched_at > TOUCH_S:
                    stored.touched_at = now
                    self.memory.touch(key)
                return stored
        return None

    def find(self, key: bytes, asked: Asked) -> Stored | None:
        """A response in memory, fresh or not, that `asked` selects; the newest if there are several."""
        for stored in self.memory.get(key) or ():
            if self.is_good(stored, asked):
                self.memory.touch(key)
                return stored
        return None

    def may_lie_on_disk(self, key: bytes) -> bool:
        return self.disk is not None and self.disk.may_have(key)

    def find_on_disk(self, key: bytes, asked: Asked, on_found: Callable[[Stored | None], None]) -> None:
        """The same on disk; `on_found` is called later. What is small enough is in memory from then on."""
        assert self.disk is not None

        def found(stored: Stored | None) -> None:
            if stored is not None and self.is_good(stored, asked):
                self.memory.keep(stored)
                on_found(stored)
            else:
                on_found(None)

        self.disk.find(key, asked.values.get, found)

    def is_good(self, stored: Stored, asked: Asked) -> bool:
        """Whether a stored response may be used, or validated, for `asked`."""
        origin = stored.origin
        is_current = self.is_current(origin.key, origin.generation)
        return is_current and selects(origin.variant, asked.values.get) and is_shown(stored, asked)

    def is_current(self, key: bytes, generation: int) -> bool:
        """Whether nothing has made responses of that generation invalid."""
        return self.generations.of(key) == generation

    def keep(self, stored: Stored) -> None:
        self.memory.keep(stored)
        if self.disk is not None:
            self.disk.keep(stored)

    def renew(self, stale: Stored, fresh: Stored) -> None:
        """Its server says that it still holds. One that has to be asked about each time is not written anew for it."""
        self.memory.keep(fresh)
        if self.disk is not None and fresh.fresh_until > stale.fresh_until:
            self.disk.keep(fresh)

    def forget(self, stored: Stored) -> None:
        """It does not hold any longer."""
        self.memory.drop_variant(stored)
        if self.disk is not None and not stored.origin.variant:
            self.disk.drop(stored.origin.key)

    def invalidate(self, key: bytes) -> None:
        """Whatever is kept for `key` may have changed: in all workers, and what is being fetched too."""
        self.generations.renew(key)
        self.memory.drop(key)
        self.fills.pop(key, None)
        if self.disk is not None and self.disk.may_have(key):
            self.disk.drop(key)

    # ------------------------------------------------------------ what is being fetched

    def has_room(self) -> bool:
        """Whether one more response may be fetched for the stores."""
        return self.filling_bytes <= self._filling_limit

    def account(self, count: int) -> None:
        """So many bytes more, or fewer, are on their way."""
        self.filling_bytes += count

    def register(self, fill: Fill) -> None:
        """Let others find a fill, unless there is one that they can still wait for."""
        known = self.fills.get(fill.purpose.key)
        if known is None or not known.is_open:
            self.fills[fill.purpose.key] = fill

    def closed(self, fill: Fill) -> None:
        """Nobody can join it any more."""
        if self.fills.get(fill.purpose.key) is fill:
            del self.fills[fill.purpose.key]

    def pass_on(self, key: bytes, asked: Asked) -> None:
        """Such requests were answered by something that can't be kept: for a while nobody waits for the response to
        somebody else, which would be of no use."""
        if len(self._passes) >= MAX_PASSES:
            self._passes.clear()
        self._passes[key, asked.is_anonymous] = self.wall() + PASS_S

    def is_passed_on(self, key: bytes, *, is_anonymous: bool) -> bool:
        """Whether that holds for a request that tells who asks, or for one that does not."""
        until = self._passes.get((key, is_anonymous))
        if until is None:
            return False
        if until > self.wall():
            return True
        del self._passes[key, is_anonymous]
        return False

    def knows(self, key: bytes) -> bool:
        """Whether something may be kept for it, fresh or not."""
        return self.memory.get(key) is not None or self.may_lie_on_disk(key)

    def tick(self) -> None:
        """Once a second: have the disk store look at its folder, when it is time to."""
        if self.disk is not None:
            self.disk.look_around(time.monotonic())


def _is_shown(stored: Stored, asked: Asked, *, has_cookie: bool) -> bool:
    """`is_shown`, for a request that may have a cookie of which `asked` does not tell."""
    if has_cookie and any(name == b"cookie" for name, _ in stored.origin.variant):
        return False
    return stored.policy.control.is_shared or (not has_cookie and is_shown(stored, asked))


def is_shown(stored: Stored, asked: Asked) -> bool:
    """Whether a stored response may answer this request (cache.rules.is_for)."""
    if asked.is_anonymous:
        return True
    return is_for(asked, stored.policy.control, [name for name, _ in stored.origin.variant])
