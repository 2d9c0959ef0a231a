"""`was.mbox`: messages for the person in front of the browser, shown by this page or a later one.

What this page shows needs no cookie. What it does not show travels on in a signed one, so a few short messages do.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from weakref import proxy

from skitaid.atila.contracts import Was
from skitaid.atila.sessions.cookies import CookieOptions
from skitaid.atila.sessions.signed_cookie import CookieTooLargeError, SignedCookie, address_of
from skitaid.was.journal import log

__all__ = ["Message", "MessageBox", "mbox_of"]


class Message(NamedTuple):
    """A message in a box. `created` is a time in seconds, `valid` seconds from there; 0: it is shown once, whenever
    that is."""

    id: str
    category: str
    created: float
    valid: float
    msg: str
    extra: dict[str, Any]

    def is_over(self, now: float) -> bool:
        return bool(self.valid) and self.created + self.valid <= now

    def fits(self, asked: tuple[Any, ...]) -> bool:
        """Its category is one of `asked`, or `asked` is a key and a value that its extra has."""
        if not asked or self.category in asked:
            return True
        return len(asked) == 2 and self.extra.get(asked[0]) == asked[1]


class _Kept:
    """The messages of one box."""

    def __init__(self, was: Was, cookie: SignedCookie, now: float) -> None:
        self.cookie = cookie
        self.messages: list[Message] = []
        self.shown: set[str] = set()
        self.address: str | None = None
        found = cookie.read(was)
        if isinstance(found, list):
            messages, self.address = found
            self.messages = [message for each in messages if not (message := Message(*each)).is_over(now)]
            self.changed = len(self.messages) != len(messages)
        else:
            self.changed = False

    def commit(self, was: Was) -> None:
        if self.shown and _is_shown(was):
            self.messages = [each for each in self.messages if each.id not in self.shown]
            self.changed = True
        if self.changed and not self._write(was):
            self.cookie.forget(was)

    def _write(self, was: Was) -> bool:
        """Whether there was something to be written."""
        while self.messages:
            try:
                self.cookie.write(was, [[list(each) for each in self.messages], address_of(was)], None)
            except CookieTooLargeError as error:
                log(f"a message is lost that no page has shown, {self.messages.pop(0).msg!r}: {error}", "warn")
            else:
                return True
        return False


def _is_shown(was: Was) -> bool:
    """Whether somebody sees the page."""
    return str(was.response.get_status()).startswith("2") and was.env.get("REQUEST_METHOD") != "HEAD"


class MessageBox:
    """The one that was mounted last; that of the app, if none was."""

    def __init__(self, was: Was, clock: Callable[[], float] = time.time) -> None:
        # Weakly: was has this, and both are to be gone with the request, without the garbage collector.
        self._was: Was = proxy(was)
        self._clock = clock
        self._kept = _Kept(was, SignedCookie.of_app(was, "mbox", None, None), clock())
        self._mounted: dict[str | None, _Kept] = {None: self._kept}
        was.before_commit(self._commit)

    def mount(
        self, name: str | None = None, securekey: str | Sequence[str] | None = None, *args: Any, **options: Any
    ) -> None:
        """Go on with the box `name`; None: that of the app. `securekey` is that of the app if it is not given; options:
        path, domain, secure, http_only, same_site, as in CookieOptions. Raises NoSecureKeyError."""
        if name not in self._mounted or args or options or securekey:
            cookie = SignedCookie.of_app(self._was, "mbox", name, securekey)
            cookie = replace(cookie, options=CookieOptions.read(args, options, http_only=True))
            if name not in self._mounted:
                self._mounted[name] = _Kept(self._was, cookie, self._clock())
            self._mounted[name].cookie = cookie
        self._kept = self._mounted[name]

    def send(self, msg: object, category: str = "", valid: float = 0, **extra: Any) -> str:
        """Leave a message. `valid`: seconds in which every page shows it; 0: one page does. The id is given back."""
        message = Message(secrets.token_urlsafe(6), category, int(self._clock()), valid, str(msg), extra)
        self._kept.messages.append(message)
        self._kept.changed = True
        return message.id

    push = send

    def get(self, *asked: Any) -> list[Message]:
        """The messages, or those of a category, or those whose extra has a key with a value. Those of `valid` 0 are
        gone with that, when the page succeeds."""
        found = [each for each in self._kept.messages if each.fits(asked) and not each.is_over(self._clock())]
        self._kept.shown.update(each.id for each in found if not each.valid)
        return found

    def getv(self, *asked: Any) -> list[Message]:
        """As `get`; nothing for a client that comes from another address than before."""
        return self.get(*asked) if self.source_verified() else []

    def search(self, key: str, val: Any = None) -> list[str]:
        """Ids of the messages whose extra has `key` with `val`; without `val`, of those of the category `key`."""
        return [
            each.id
            for each in self._kept.messages
            if (each.category == key if val is None else each.extra.get(key) == val)
        ]

    def remove(self, message_id: str) -> None:
        """Nothing happens if there is none of that id."""
        before = len(self._kept.messages)
        self._kept.messages = [each for each in self._kept.messages if each.id != message_id]
        self._kept.changed = self._kept.changed or len(self._kept.messages) != before

    def clear(self) -> None:
        self._kept.changed = self._kept.changed or bool(self._kept.messages)
        self._kept.messages.clear()

    def exists(self, name: str | None = None) -> bool:
        """Whether there is a box of that name with something in it; the app's key verifies one that is not mounted."""
        if name in self._mounted:
            return bool(self._mounted[name].messages)
        cookie = SignedCookie.of_app(self._was, "mbox", name, None)
        return bool(_Kept(self._was, cookie, self._clock()).messages)

    def source_verified(self) -> bool:
        """Whether the request comes from the address that left messages last."""
        return self._kept.address in (None, address_of(self._was))

    def __len__(self) -> int:
        return len(self._kept.messages)

    def _commit(self, was: Was) -> None:
        for kept in self._mounted.values():
            kept.commit(was)


def mbox_of(was: Was) -> MessageBox:
    """`was.mbox`. Raises NoSecureKeyError."""
    return MessageBox(was)
