"""`was.session`: values that a browser keeps for an app, signed, so that it can read but not change them.

Nothing is stored on the server. A session is written when something in it was changed, also inside of a list or dict
that it holds, and then lives for app.session_timeout from there on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, ItemsView, Iterator, KeysView, Sequence, ValuesView
from dataclasses import replace
from typing import Any
from weakref import proxy

from skitaid.atila.contracts import Was
from skitaid.atila.security import tagged
from skitaid.atila.sessions.cookies import CookieOptions
from skitaid.atila.sessions.signed_cookie import SignedCookie, address_of

__all__ = ["Session", "session_of"]


class _Kept:
    """One session: what the cookie said, and what has become of it."""

    def __init__(self, was: Was, cookie: SignedCookie, timeout_s: float | None, now: float) -> None:
        self.cookie = cookie
        self.timeout_s = timeout_s
        self.data: dict[str, Any] = {}
        self.expires_at: float | None = None
        self.address: str | None = None
        self.changed = False
        found = cookie.read(was)
        if isinstance(found, list) and (found[1] is None or found[1] > now):
            self.data, self.expires_at, self.address = found
        # What may change inside is compared at the end.
        self._before = tagged.dumps(self.data) if _may_change_inside(self.data) else None

    def extend(self, now: float) -> None:
        """It was changed: it lives for the time-out from now on, or for longer if that was asked for."""
        self.changed = True
        if self.timeout_s:
            self.expires_at = max(self.expires_at or 0, math.ceil(now + self.timeout_s))

    def is_verified(self, address: str) -> bool:
        return self.address is None or self.address == address

    def commit(self, was: Was, now: float) -> None:
        if not self.changed and self._before is not None and tagged.dumps(self.data) != self._before:
            self.extend(now)
        if not self.changed:
            return
        if not self.data:
            self.cookie.forget(was)
            return
        left_s = None if self.expires_at is None else self.expires_at - now
        self.cookie.write(was, [self.data, self.expires_at, address_of(was)], left_s)


def _may_change_inside(data: dict[str, Any]) -> bool:
    return any(isinstance(value, (list, dict, set, tuple)) for value in data.values())


class Session:
    """The one that was mounted last; that of the app, if none was. Reading and writing is that of a dict."""

    def __init__(self, was: Was, clock: Callable[[], float] = time.time) -> None:
        # Weakly: was has this, and both are to be gone with the request, without the garbage collector.
        self._was: Was = proxy(was)
        self._clock = clock
        self._mounted: dict[str | None, _Kept] = {}
        self._kept = self._mount(SignedCookie.of_app(was, "session", None, None), was.app.session_timeout)
        was.before_commit(self._commit)

    def _mount(self, cookie: SignedCookie, timeout_s: float | None) -> _Kept:
        kept = self._mounted[cookie.name] = _Kept(self._was, cookie, timeout_s, self._clock())
        return kept

    def mount(
        self,
        name: str | None = None,
        securekey: str | Sequence[str] | None = None,
        *args: Any,
        session_timeout: float | None = None,
        **options: Any,
    ) -> None:
        """Go on with the session `name`, which is made if there is none; None: that of the app. `securekey` and
        `session_timeout`, in seconds, are those of the app if they are not given; options: path, domain, secure,
        http_only, same_site, as in CookieOptions. Raises NoSecureKeyError."""
        if name not in self._mounted or args or options or securekey:
            cookie = SignedCookie.of_app(self._was, "session", name, securekey)
            cookie = replace(cookie, options=CookieOptions.read(args, options, http_only=True))
            self._was.app.named_keys["session", name] = cookie.keys
            kept = self._mounted.get(name)
            if kept is None:
                kept = self._mount(cookie, session_timeout or self._was.app.session_timeout)
            kept.cookie = cookie
        self._kept = self._mounted[name]
        if session_timeout is not None:
            self._kept.timeout_s = session_timeout

    def exists(self, name: str | None = None, securekey: str | Sequence[str] | None = None) -> bool:
        """Whether there is a session of that name with something in it. One that this request did not mount is
        verified with `securekey`, else with the key it was mounted with before in this process, else the app's."""
        if name not in self._mounted:
            known = securekey or self._was.app.named_keys.get(("session", name))
            cookie = SignedCookie.of_app(self._was, "session", name, known)
            return bool(_Kept(self._was, cookie, None, self._clock()).data)
        return bool(self._mounted[name].data)

    # ---------------------------------------------------------------- life

    def touch(self) -> None:
        """It lives for app.session_timeout from now on."""
        self._kept.extend(self._clock())

    def set_expiry(self, timeout: float) -> None:
        """It lives for `timeout` seconds from now on. Changes make it live longer only when the time-out of the app
        reaches further than that."""
        self._kept.changed = True
        self._kept.expires_at = math.ceil(self._clock() + timeout)

    def expire(self) -> None:
        """It ends here; what is set afterwards begins a new one."""
        self._kept.data.clear()
        self._kept.changed, self._kept.expires_at = True, None

    def source_verified(self) -> bool:
        """Whether the request comes from the address that changed it last."""
        return self._kept.is_verified(address_of(self._was))

    # ---------------------------------------------------------------- values

    def set(self, key: str, val: object) -> None:
        self._kept.data[key] = val
        self._kept.extend(self._clock())

    def get(self, key: str, default: Any = None) -> Any:
        return self._kept.data.get(key, default)

    def getv(self, key: str, default: Any = None) -> Any:
        """As `get`; `default` for a client that comes from another address than before."""
        return self._kept.data.get(key, default) if self.source_verified() else default

    def remove(self, key: str) -> None:
        """Nothing happens if there is none."""
        if key in self._kept.data:
            del self[key]

    def clear(self) -> None:
        self._kept.data.clear()
        self._kept.extend(self._clock())

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self._kept.data:
            self.set(key, default)
        return self._kept.data[key]

    def pop(self, key: str, default: Any = None) -> Any:
        found = self.get(key, default)
        self.remove(key)
        return found

    def update(self, values: dict[str, Any]) -> None:
        self._kept.data.update(values)
        self._kept.extend(self._clock())

    def has_key(self, key: str) -> bool:
        return key in self._kept.data

    def keys(self) -> KeysView[str]:
        return self._kept.data.keys()

    def values(self) -> ValuesView[Any]:
        return self._kept.data.values()

    def items(self) -> ItemsView[str, Any]:
        return self._kept.data.items()

    def iterkeys(self) -> Iterator[str]:
        return iter(self._kept.data)

    def itervalues(self) -> Iterator[Any]:
        return iter(self._kept.data.values())

    def iteritems(self) -> Iterator[tuple[str, Any]]:
        return iter(self._kept.data.items())

    def __getitem__(self, key: str) -> Any:
        return self._kept.data[key]

    def __setitem__(self, key: str, val: object) -> None:
        self.set(key, val)

    def __delitem__(self, key: str) -> None:
        del self._kept.data[key]
        self._kept.extend(self._clock())

    def __contains__(self, key: object) -> bool:
        return key in self._kept.data

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept.data)

    def __len__(self) -> int:
        return len(self._kept.data)

    def _commit(self, was: Was) -> None:
        now = self._clock()
        for kept in self._mounted.values():
            kept.commit(was, now)


def session_of(was: Was) -> Session:
    """`was.session`. Raises NoSecureKeyError."""
    return Session(was)
