"""Responses on disk, shared by the workers of an instance and kept over restarts.

On the loop thread, which never waits for the disk: reading and writing are orders to the disk threads. What lies there
is known from a list in memory, some 110 bytes for each response, so that asking for what is not there costs a look at
it; files that other workers wrote are found within `LOOK_EVERY_S`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from skitaid.upstream.cache.files import SHARDS, Folder, Name, name_of
from skitaid.upstream.cache.stored import Marker, Stored, decode, encode, encode_marker
from skitaid.upstream.cache.vary import Get, Variant, variant_of

__all__ = ["DiskStore", "DiskWork"]

LOOK_EVERY_S: Final = 5.0
_MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
"""Of responses on their way to the disk; while it is further behind, it gets none."""
_TELL_EVERY_S: Final = 60.0

OnFound = Callable[[Stored | None], None]


class DiskWork(Protocol):
    """engine.disk, as it is needed here."""

    def do(self, work: Callable[[], None], on_done: Callable[[], None]) -> None: ...


class DiskStore:
    """For one worker. `limit_bytes` is for all of them. `on_trouble` is told, once a minute at most, what keeps
    responses from being written or read."""

    def __init__(self, folder: Folder, disk: DiskWork, *, entry_limit_bytes: int) -> None:
        self._folder = folder
        self._disk = disk
        self.entry_limit_bytes = min(folder.limit_bytes, entry_limit_bytes)
        self._shards: list[dict[Name, int]] = [{} for _ in range(SHARDS)]
        self._moments: dict[int, int] = {}
        self._bytes = 0
        self._waiting_bytes = 0
        self._is_looking = self._is_known = False
        self._looked_at = 0.0
        self._told_at = -_TELL_EVERY_S
        self.on_trouble: Callable[[str], None] = lambda text: print(text, file=sys.stderr)

    def may_have(self, key: bytes) -> bool:
        """Whether it is worth looking for `key`; it is while nothing is known yet."""
        name = name_of(key)
        return name in self._shards[name >> 56] or not self._is_known

    def find(self, key: bytes, get: Get, on_found: OnFound) -> None:
        """Have the response looked for that a request with these fields selects; then `on_found` is called on the
        loop thread."""
        found: list[Stored] = []
        self._order(partial(self._read, key, get, found), lambda: on_found(found[0] if found else None))

    def keep(self, stored: Stored) -> None:
        """Have a response written, unless it is too large or the disk is behind."""
        size = len(stored.body)
        if stored.size > self.entry_limit_bytes or self._waiting_bytes + size > _MAX_WAITING_BYTES:
            return
        self._waiting_bytes += size
        names: list[tuple[Name, int]] = []
        needs_room = self._bytes + self._waiting_bytes + stored.size > self._folder.limit_bytes
        self._order(partial(self._write, stored, names, needs_room=needs_room), partial(self._written, size, names))

    def drop(self, key: bytes) -> None:
        """Forget a key. Its variants can't be found without it, and go with time."""
        name = name_of(key)
        self._forget(name)
        self._order(lambda: self._folder.remove(name), _nothing)

    def look_around(self, now: float) -> None:
        """Have the folder looked at again if that is due; `now` in seconds of any clock. To be called every second."""
        if self._is_looking or (self._looked_at and now - self._looked_at < LOOK_EVERY_S):
            return
        self._is_looking = True
        self._looked_at = now
        news: dict[int, dict[Name, int]] = {}
        moments: dict[int, int] = {}
        self._order(partial(self._look, news, moments), partial(self._looked, news, moments))

    # ------------------------------------------------------------ in a disk thread

    def _read(self, key: bytes, get: Get, found: list[Stored]) -> None:
        entry = self._decode(name_of(key), key)
        if isinstance(entry, Marker):
            variant = variant_of(entry.names, get)
            entry = self._decode(name_of(key, _text(variant)), key)
        if isinstance(entry, Stored):
            found.append(entry)

    def _decode(self, name: Name, key: bytes) -> Stored | Marker | None:
        data = self._folder.read(name)
        if data is None:
            return None
        try:
            entry = decode(data)
        except (ValueError, KeyError, TypeError):
            entry = None
        if entry is None:
            self._folder.remove(name)
            return None
        # 64 bits may be the same for two keys, if somebody works at it.
        return entry if (entry.key if isinstance(entry, Marker) else entry.origin.key) == key else None

    def _write(self, stored: Stored, names: list[tuple[Name, int]], *, needs_room: bool) -> None:
        if needs_room and not self._folder.make_room():
            return
        origin = stored.origin
        name = name_of(origin.key, _text(origin.variant))
        data = encode(stored)
        self._folder.write(name, data)
        names.append((name, len(data)))
        if origin.variant:
            marker = encode_marker(Marker(origin.key, tuple(each for each, _ in origin.variant), origin.generation))
            name = name_of(origin.key)
            self._folder.write(name, marker)
            names.append((name, len(marker)))

    def _look(self, news: dict[int, dict[Name, int]], moments: dict[int, int]) -> None:
        moments.update(self._folder.shard_moments())
        for shard in range(SHARDS):
            if moments.get(shard) != self._moments.get(shard):
                news[shard] = self._folder.list(shard)

    def _make_room(self) -> None:
        self._folder.make_room()

    # ------------------------------------------------------------ on the loop thread

    def _order(self, work: Callable[[], None], on_done: Callable[[], None]) -> None:
        troubles: list[OSError] = []

        def work_or_tell() -> None:
            try:
                work()
            except OSError as error:
                troubles.append(error)

        def done() -> None:
            if troubles:
                self._tell(troubles[0])
            on_done()

        self._disk.do(work_or_tell, done)

    def _written(self, size: int, names: list[tuple[Name, int]]) -> None:
        self._waiting_bytes -= size
        for name, length in names:
            self._forget(name)
            self._shards[name >> 56][name] = length
            self._bytes += length
            # To be looked at again, whatever became of it by then.
            self._moments[name >> 56] = 0

    def _forget(self, name: Name) -> None:
        self._bytes -= self._shards[name >> 56].pop(name, 0)

    def _looked(self, news: dict[int, dict[Name, int]], moments: dict[int, int]) -> None:
        self._is_looking, self._is_known = False, True
        for shard, names in news.items():
            self._shards[shard] = names
        self._moments = moments
        self._bytes = sum(sum(names.values()) for names in self._shards)
        if self._bytes > self._folder.limit_bytes:
            self._order(self._make_room, _nothing)

    def _tell(self, error: OSError) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            self.on_trouble(
                f"cannot use the response cache in {self._folder.path}: {error.strerror or error}; responses are not"
                " kept on disk (make room there, let the workers' user write there, or name another cache_dir)"
            )


def _text(variant: Variant) -> bytes:
    return b"\n".join(b"%b: %b" % (name, b"\0" if value is None else value) for name, value in variant)


def _nothing() -> None:
    """Nobody waits for it."""
