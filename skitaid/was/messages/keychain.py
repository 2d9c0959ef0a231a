"""What servers asked for when they were given no credentials, or wrong ones: kept for each worker, so that the next
call needs no challenge.

Bounded: the servers that were asked longest ago are forgotten, and ask again.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from skitaid.was.messages.authorization import Credentials, Login, Verbatim, basic, parse_challenges
from skitaid.was.messages.digest import DigestSession, Protected, choose_digest

__all__ = ["Keychain"]

_MAX_PLACES: Final = 1000

Place = tuple[str, ...]
"""An origin (Target.origin)."""


class _Basic:
    """The server takes the password as it is."""


class Keychain:
    """From any thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Place, str], DigestSession | _Basic] = OrderedDict()
        self._lock = Lock()

    def authorize(self, place: Place, credentials: Credentials | None, request: Protected) -> bytes | None:
        """The value of Authorization; None when there is nothing to be sent, or the server must be asked first."""
        if credentials is None or isinstance(credentials, Verbatim):
            return None if credentials is None else credentials.value
        with self._lock:
            known = self._known.get((place, credentials.user))
        if isinstance(known, DigestSession):
            return known.authorize(credentials, request)
        # Over TLS the password is safe, and many services hide what they have where none is shown.
        return basic(credentials) if known is not None or place[0] == "https" else None

    def learn(self, place: Place, login: Login, challenge: str, *, sent: bytes | None, has_body: bool = True) -> bool:
        """A server refused (401) with that WWW-Authenticate; `sent` is the Authorization it refused. True: asking again
        makes sense."""
        challenges = parse_challenges(challenge)
        digest = choose_digest(challenges, has_body=has_body)
        found: DigestSession | _Basic
        if digest is not None:
            if sent is not None and sent.startswith(b"Digest ") and not digest.is_stale:
                return False
            found = DigestSession(digest)
        elif any(each.scheme == "basic" for each in challenges):
            if sent is not None and sent.startswith(b"Basic "):
                return False
            found = _Basic()
        else:
            return False
        self._remember((place, login.user), found)
        return True

    def _remember(self, key: tuple[Place, str], found: DigestSession | _Basic) -> None:
        with self._lock:
            self._known[key] = found
            self._known.move_to_end(key)
            while len(self._known) > _MAX_PLACES:
                self._known.popitem(last=False)
