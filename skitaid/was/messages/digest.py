"""Digest authorization (RFC 7616): a challenge and a login make the value of Authorization. Pure but for the client's
own nonce.

A `DigestSession` keeps the server's nonce, so that later calls need no challenge of their own; each of them counts
(section 3.4, nc).
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from skitaid.was.messages.authorization import Challenge, Login

__all__ = ["DigestChallenge", "DigestSession", "Protected", "choose_digest"]

# Sections 3.3 and 6.1, the stronger first. hashlib has SHA-512/256 where OpenSSL has it.
_ALGORITHMS: Final = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
_ORDER: Final = tuple(_ALGORITHMS)


@dataclass(frozen=True, slots=True)
class DigestChallenge:
    """A challenge that we can answer. `algorithm`: as the server wrote it, "" when it did not; `quality`: `auth`,
    `auth-int`, or "" as before RFC 2617. `is_stale`: the login was fine, its nonce too old."""

    realm: str
    nonce: str
    algorithm: str
    quality: str
    opaque: str | None
    hashes_user: bool
    is_stale: bool = False

    @property
    def rank(self) -> int:
        """0 for the strongest algorithm."""
        return _ORDER.index(_base(self.algorithm))

    @property
    def is_session(self) -> bool:
        return self.algorithm.upper().endswith("-SESS")

    def hash(self, data: str | bytes) -> str:
        """H of section 3.4.1."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        return hashlib.new(_ALGORITHMS[_base(self.algorithm)], raw, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Protected:
    """What of a request the response vouches for. `path`: as it goes onto the wire, with its query. `body`: None when
    it is not in memory."""

    method: str
    path: str
    body: bytes | None = b""


def choose_digest(challenges: Sequence[Challenge], *, has_body: bool = True) -> DigestChallenge | None:
    """The strongest digest that we can answer; None when there is none. `has_body`: the body is in memory, so that it
    can be hashed."""
    usable = [found for each in challenges if (found := _read(each, has_body=has_body)) is not None]
    return min(usable, key=lambda each: each.rank, default=None)


class DigestSession:
    """What a server's challenge allows. Its nonce serves until the server says that it is stale."""

    __slots__ = ("_client_nonce", "_counter", "challenge")

    def __init__(self, challenge: DigestChallenge, client_nonce: str | None = None) -> None:
        self.challenge = challenge
        self._client_nonce = client_nonce or os.urandom(16).hex()
        self._counter = itertools.count(1)  # its next is atomic: several threads may ask

    def authorize(self, login: Login, request: Protected) -> bytes:
        """The value of Authorization for one request."""
        count = f"{next(self._counter):08x}"
        given = self.challenge
        parts = [f'username="{_quoted(self._user(login))}"', f'realm="{_quoted(given.realm)}"',
                 f'nonce="{_quoted(given.nonce)}"', f'uri="{_quoted(request.path)}"',
                 f'response="{self._response(login, request, count)}"']  # fmt: skip
        if given.algorithm:
            parts.append(f"algorithm={given.algorithm}")
        if given.opaque is not None:
            parts.append(f'opaque="{_quoted(given.opaque)}"')
        if given.quality:
            parts.append(f'qop={given.quality}, nc={count}, cnonce="{self._client_nonce}"')
        if given.hashes_user:
            parts.append("userhash=true")
        return ("Digest " + ", ".join(parts)).encode("utf-8", "surrogateescape")

    def _user(self, login: Login) -> str:
        """Section 3.4.4: some servers want the name hashed."""
        given = self.challenge
        return given.hash(f"{login.user}:{given.realm}") if given.hashes_user else login.user

    def _response(self, login: Login, request: Protected, count: str) -> str:
        """Section 3.4.1; without a quality, as RFC 2069 had it."""
        given = self.challenge
        counted = f":{count}:{self._client_nonce}:{given.quality}" if given.quality else ""
        return given.hash(f"{self._secret(login)}:{given.nonce}{counted}:{self._asked(request)}")

    def _secret(self, login: Login) -> str:
        """Section 3.4.2."""
        given = self.challenge
        secret = given.hash(f"{login.user}:{given.realm}:{login.password}")
        return given.hash(f"{secret}:{given.nonce}:{self._client_nonce}") if given.is_session else secret

    def _asked(self, request: Protected) -> str:
        """Section 3.4.3."""
        asked = f"{request.method}:{request.path}"
        if self.challenge.quality == "auth-int":
            asked += ":" + self.challenge.hash(request.body or b"")
        return self.challenge.hash(asked)


def _read(challenge: Challenge, *, has_body: bool) -> DigestChallenge | None:
    given = challenge.parameters
    algorithm = given.get("algorithm", "")
    quality = _quality(given.get("qop", ""), has_body=has_body)
    is_known = _ALGORITHMS.get(_base(algorithm)) in hashlib.algorithms_available
    if challenge.scheme != "digest" or "nonce" not in given or quality is None or not is_known:
        return None
    return DigestChallenge(
        given.get("realm", ""), given["nonce"], algorithm, quality, given.get("opaque"),
        hashes_user=given.get("userhash", "").lower() == "true", is_stale=given.get("stale", "").lower() == "true",
    )  # fmt: skip


def _quality(offered: str, *, has_body: bool) -> str | None:
    """The one that we use of those offered; None when we can use none of them."""
    options = {option.strip().lower() for option in offered.split(",") if option.strip()}
    if not options:
        return ""
    if "auth" in options:
        return "auth"
    return "auth-int" if has_body and "auth-int" in options else None


def _base(algorithm: str) -> str:
    return algorithm.upper().removesuffix("-SESS") or "MD5"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
