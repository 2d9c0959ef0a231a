"""A cookie whose value is signed: where sessions and messages are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from skitaid.atila.contracts import Was
from skitaid.atila.security.signing import Keys, UnverifiedError, keys_of, sign, verify
from skitaid.atila.sessions.cookies import CookieOptions, set_cookie_field
from skitaid.was.errors import WasError

__all__ = ["MAX_BYTES", "CookieTooLargeError", "SignedCookie", "address_of"]

MAX_BYTES: Final = 4096
"""Of name, value and attributes together: what every browser keeps (RFC 6265, 6.1)."""


class CookieTooLargeError(WasError):
    """Browsers would drop it without a word; the app's author must act."""

    def __init__(self, what: str, size: int) -> None:
        super().__init__(
            f"the {what} makes a cookie of {size} bytes, and browsers keep {MAX_BYTES}: keep the data elsewhere, and a"
            " key to it here"
        )


@dataclass(frozen=True)
class SignedCookie:
    """A cookie that holds a value and its signature. `kind` is what it is for ("session"), `name` its own among those;
    None: the default one."""

    kind: str
    name: str | None
    keys: Keys
    options: CookieOptions

    @classmethod
    def of_app(cls, was: Was, kind: str, name: str | None, securekey: str | Sequence[str] | None) -> SignedCookie:
        """The one of that name, with the app's key if none is given. Raises NoSecureKeyError."""
        keys = keys_of(securekey or was.app.securekey, f"was.{kind}")
        return cls(kind, name, keys, CookieOptions(http_only=True))

    @property
    def cookie_name(self) -> str:
        base = f"atila-{self.kind}"
        return base if self.name is None else f"{base}-{quote(self.name, safe='')}"

    def read(self, was: Was) -> Any:
        """What was kept; None: nothing that we signed. An app above in the tree of mount points may have one of the
        same name with another key, so each is tried."""
        for text in was.cookie.received(self.cookie_name):
            try:
                return verify(text, self.keys, self.cookie_name)
            except UnverifiedError:
                continue
        return None

    def write(self, was: Was, value: object, expires_s: float | None) -> None:
        """Have the browser keep it. Raises CookieTooLargeError; TypeError for what can't be kept."""
        field = self._field(was, sign(value, self.keys, self.cookie_name), expires_s)
        if len(field) > MAX_BYTES:
            raise CookieTooLargeError(self.kind, len(field))
        was.response.add_header("Set-Cookie", field)

    def forget(self, was: Was) -> None:
        """Have the browser forget it, if it has one."""
        if was.cookie.received(self.cookie_name):
            was.response.add_header("Set-Cookie", self._field(was, "", 0))

    def _field(self, was: Was, text: str, expires_s: float | None) -> str:
        return set_cookie_field(self.cookie_name, text, self.options.settled(was.env), expires_s)


def address_of(was: Was) -> str:
    """Whom a session or messages are for, as far as an address tells."""
    return str(was.env.get("REMOTE_ADDR", ""))
