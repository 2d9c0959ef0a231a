"""Digest authentication (RFC 7616, with MD5 and qop=auth): the password does not travel.

A nonce is good for a while, in the process that made it, and each of its counts once: what was overheard can't be sent
again. A client that meets another process of the instance, or is late, is told so (stale) and comes back with a nonce
of that one; browsers do so without asking anybody.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from _thread import allocate_lock
from collections.abc import Callable, Mapping
from enum import Enum
from hashlib import md5
from typing import Final
from urllib.parse import unquote

__all__ = ["NONCE_LIFE_S", "Nonces", "Seen", "a1_hash", "is_for", "is_right", "parse_fields"]

NONCE_LIFE_S: Final = 300
_MAX_FIELD: Final = 8192
_MAX_NONCES: Final = 4096
_WINDOW: Final = 64
_FIELDS: Final = re.compile(r'([A-Za-z0-9*]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_NEEDED: Final = frozenset(("username", "realm", "nonce", "uri", "response", "nc", "cnonce", "qop"))
_IS_COUNT: Final = re.compile(r"[0-9a-fA-F]{8}").fullmatch


class Seen(Enum):
    """What is to be thought of a nonce and its count."""

    NEW = "new"
    STALE = "stale"
    REPLAYED = "replayed"


def parse_fields(credentials: str) -> dict[str, str] | None:
    """Those of an Authorization field, behind its scheme; None: something that it needs is missing or wrong."""
    if len(credentials) > _MAX_FIELD:
        return None
    fields = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        for name, quoted, plain in _FIELDS.findall(credentials)
    }
    if not fields.keys() >= _NEEDED or fields["qop"] != "auth" or _IS_COUNT(fields["nc"]) is None:
        return None
    return fields if fields.get("algorithm", "MD5").upper() == "MD5" else None


def a1_hash(username: str, realm: str, password: str) -> str:
    """What stands for a password: an app may keep this, and never see the password itself."""
    return _md5(f"{username}:{realm}:{password}")


def is_right(fields: Mapping[str, str], method: str, a1: str) -> bool:
    """Whether the response was made by someone who knows the password behind `a1`. Takes the same time if not."""
    parts = (a1, fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], _md5(f"{method}:{fields['uri']}"))
    return hmac.compare_digest(_md5(":".join(parts)).encode(), fields["response"].lower().encode())


def is_for(fields: Mapping[str, str], uri: str) -> bool:
    """Whether it was made for that request: an answer to one address is none to another."""
    return unquote(fields["uri"]) == unquote(uri)


def _md5(text: str) -> str:
    return md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


class Nonces:
    """Those of this process. One is remembered from its first right answer on, so that asking costs no memory."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._counts: dict[str, tuple[int, int]] = {}
        self._forgotten_until = 0.0
        self._lock = allocate_lock()

    def make(self) -> str:
        """A new one."""
        text = f"{int(self._clock() * 1000):x}.{secrets.token_hex(8)}"
        return f"{text}.{self._sign(text)}"

    def see(self, nonce: str, count: str) -> Seen:
        """Note that a right answer came with that count, and say what to think of it. Requests that a client sends at
        the same time may arrive in another order than they were counted in."""
        made_at = self._made_at(nonce)
        if made_at is None or not made_at <= self._clock() < made_at + NONCE_LIFE_S:
            return Seen.STALE
        number = int(count, 16)
        with self._lock:
            if nonce not in self._counts and made_at <= self._forgotten_until:
                return Seen.STALE
            highest, seen = self._counts.get(nonce, (0, 0))
            ahead = number - highest
            if number < 1 or ahead <= -_WINDOW or (ahead <= 0 and seen >> -ahead & 1):
                return Seen.REPLAYED
            seen = (seen << ahead | 1) if 0 < ahead < _WINDOW else 1 if ahead > 0 else seen | 1 << -ahead
            self._counts[nonce] = max(number, highest), seen & (1 << _WINDOW) - 1
            if len(self._counts) > _MAX_NONCES:
                self._forget()
        return Seen.NEW

    def _forget(self) -> None:
        """Half of them, the oldest: what is forgotten is stale."""
        oldest = sorted((self._made_at(nonce) or 0, nonce) for nonce in self._counts)[: _MAX_NONCES // 2]
        for _, nonce in oldest:
            del self._counts[nonce]
        self._forgotten_until = max(self._forgotten_until, oldest[-1][0])

    def _made_at(self, nonce: str) -> float | None:
        text, _, signature = nonce.rpartition(".")
        if not hmac.compare_digest(self._sign(text).encode(), signature.encode("utf-8", "replace")):
            return None
        return int(text.partition(".")[0], 16) / 1000

    def _sign(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode("utf-8", "surrogateescape"), "sha256").hex()[:32]
