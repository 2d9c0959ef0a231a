"""Nonces of digest authentication, and which of their counts have come: what was overheard can't be sent again.

What is known of a nonce is in a table of fixed size, in a file that the workers of an instance share, else in memory.
A nonce enters it with its first right answer, so that asking costs no memory. When there is no room the oldest goes,
and what is as old and unknown is stale from then on: a client is given another nonce, and nothing is taken twice.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
import time
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from hashlib import blake2b
from mmap import mmap
from struct import Struct
from typing import Final

__all__ = ["NONCE_LIFE_S", "Nonces", "Seen", "open_table"]

NONCE_LIFE_S: Final = 300
_WINDOW: Final = 64
_HEAD: Final = Struct("<32sd")
"""The secret that nonces are signed with; until when nonces were forgotten."""
_SLOT: Final = Struct("<8sdQQ")
"""Of a nonce: a hash, when it was made, the highest count, and which of the 64 up to it have come."""
_SLOTS: Final = 2048
_PROBES: Final = 16
_SIZE: Final = _HEAD.size + _SLOTS * _SLOT.size


class Seen(Enum):
    """What is to be thought of a nonce and its count."""

    NEW = "new"
    STALE = "stale"
    REPLAYED = "replayed"


class Nonces:
    """Makes nonces, and knows of those that came back. `descriptor`: of the file that `table` maps; None: it is this
    process's own memory."""

    def __init__(self, table: mmap, descriptor: int | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._descriptor = descriptor
        self._clock = clock
        self._lock = allocate_lock()
        with self._locked():
            secret, _ = _HEAD.unpack_from(table, 0)
            if not any(secret):
                secret = secrets.token_bytes(32)
                _HEAD.pack_into(table, 0, secret, 0.0)
        self._secret: bytes = secret

    def make(self) -> str:
        """A new nonce, signed."""
        text = f"{int(self._clock() * 1000):x}.{secrets.token_hex(8)}"
        return f"{text}.{self._sign(text)}"

    def see(self, nonce: str, count: str) -> Seen:
        """Note that a right answer came with that count, eight hexadecimal digits, and say what to think of it. What a
        client sends at the same time may arrive in another order than it was counted in."""
        made_at = self._made_at(nonce)
        if made_at is None or not made_at <= self._clock() < made_at + NONCE_LIFE_S:
            return Seen.STALE
        key = blake2b(nonce.encode(), digest_size=8).digest()
        with self._locked():
            return self._note(key, made_at, int(count, 16))

    def _note(self, key: bytes, made_at: float, number: int) -> Seen:
        at, highest, seen = self._find(key)
        if at is None:
            if made_at <= _HEAD.unpack_from(self._table, 0)[1]:
                return Seen.STALE
            at = self._make_room(key)
        ahead = number - highest
        if number < 1 or ahead <= -_WINDOW or (ahead <= 0 and seen >> -ahead & 1):
            return Seen.REPLAYED
        if ahead > 0:
            seen = (seen << ahead | 1) & (1 << _WINDOW) - 1 if ahead < _WINDOW else 1
        else:
            seen |= 1 << -ahead
        _SLOT.pack_into(self._table, at, key, made_at, max(number, highest), seen)
        return Seen.NEW

    def _find(self, key: bytes) -> tuple[int | None, int, int]:
        for at in _places(key):
            found, _, highest, seen = _SLOT.unpack_from(self._table, at)
            if found == key:
                return at, highest, seen
        return None, 0, 0

    def _make_room(self, key: bytes) -> int:
        """Of the places that a nonce may have, the one whose nonce is the oldest; none is the oldest of all."""
        made_at, at = min((_SLOT.unpack_from(self._table, at)[1], at) for at in _places(key))
        if made_at + NONCE_LIFE_S > self._clock():
            _, forgotten_until = _HEAD.unpack_from(self._table, 0)
            _HEAD.pack_into(self._table, 0, self._secret, max(made_at, forgotten_until))
        return at

    def _made_at(self, nonce: str) -> float | None:
        text, _, signature = nonce.rpartition(".")
        if not hmac.compare_digest(self._sign(text).encode(), signature.encode("utf-8", "replace")):
            return None
        return int(text.partition(".")[0], 16) / 1000

    def _sign(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode("utf-8", "surrogateescape"), "sha256").hex()[:32]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Against other threads, and other processes. It is held for microseconds."""
        with self._lock:
            if self._descriptor is None:
                yield
                return
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)


def _places(key: bytes) -> Iterator[int]:
    first = int.from_bytes(key, "little")
    return (_HEAD.size + (first + step) % _SLOTS * _SLOT.size for step in range(_PROBES))


def open_table(folder: str | None) -> tuple[mmap, int | None]:
    """The table in that folder, made if there is none; without a folder that can be used, one in memory."""
    if folder:
        try:
            descriptor = os.open(os.path.join(folder, ".digest-nonces"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(descriptor, _SIZE)
            return mmap(descriptor, _SIZE), descriptor
        except OSError:
            # The site may not write there: each of its processes has its own, and clients are asked once more.
            return mmap(-1, _SIZE), None
    return mmap(-1, _SIZE), None
