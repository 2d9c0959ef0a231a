"""`was.cookie`: what the browser sent, and what it is to keep (RFC 6265)."""

from __future__ import annotations

import re
import time
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, unquote

from skitaid.atila.contracts import Was
from skitaid.protocols.dates import http_date

__all__ = ["CookieOptions", "Cookies", "cookie_of", "parse_cookies", "set_cookie_field"]

_SAFE: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"
"""What RFC 6265 lets stand in a value (cookie-octet), bar %, which marks what it does not."""
_IS_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_IS_ATTRIBUTE: Final = re.compile(r"[\x20-\x3a\x3c-\x7e]*").fullmatch
_ESCAPED: Final = re.compile(r"\\([0-3][0-7][0-7]|.)", re.DOTALL)
_CENTURY_S: Final = 100 * 365 * 86400
_POSITIONS: Final = ("path", "domain", "secure", "http_only")
_SAME_SITE: Final = ("Lax", "Strict", "None")


@dataclass(frozen=True)
class CookieOptions:
    """Where a cookie is valid, and who sees it. `path` None: below the app's mount point. `secure` None: where the
    request came by TLS. `same_site`: Lax, Strict or None (the text), which browsers take from secure cookies alone."""

    path: str | None = None
    domain: str | None = None
    secure: bool | None = None
    http_only: bool = False
    same_site: str = "Lax"

    @classmethod
    def read(cls, args: tuple[Any, ...], named: dict[str, Any], **defaults: Any) -> CookieOptions:
        """As they were given, by position (path, domain, secure, http_only) or by name. Raises TypeError."""
        return cls(**{**defaults, **dict(zip(_POSITIONS, args, strict=False)), **named})

    def settled(self, env: dict[str, Any]) -> CookieOptions:
        """With what the request at hand says. Raises ValueError for what can't stand in a field."""
        same_site = self.same_site.capitalize()
        if same_site not in _SAME_SITE:
            raise ValueError(f"{self.same_site!r} is not a value of SameSite, expected Lax, Strict or None")
        path = self.path or env.get("SCRIPT_NAME") or "/"
        for text in (path, self.domain or ""):
            if _IS_ATTRIBUTE(text) is None:
                raise ValueError(f"{text!r} can't be a path or domain of a cookie: it has a semicolon or other signs")
        secure = env.get("wsgi.url_scheme") == "https" if self.secure is None else self.secure
        return replace(self, path=path, secure=secure or same_site == "None", same_site=same_site)


def parse_cookies(field: str) -> dict[str, list[str]]:
    """Values by name, in the order in which they came: a browser sends the one with the longest path first. What makes
    no sense is left out. The time is linear in the length."""
    if not field.isascii():
        # WSGI hands over bytes as latin-1; what is beyond ASCII is UTF-8 as scripts of pages write it.
        field = field.encode("latin-1", "replace").decode("utf-8", "replace")
    found: dict[str, list[str]] = {}
    for pair in field.split(";"):
        name, separator, value = pair.partition("=")
        name = name.strip(" \t")
        if separator and name:
            found.setdefault(name, []).append(_read_value(value.strip(" \t")))
    return found


def _read_value(text: str) -> str:
    if len(text) > 1 and text[0] == '"' == text[-1]:
        text = _ESCAPED.sub(_unescape, text[1:-1]) if "\\" in text else text[1:-1]
    return unquote(text) if "%" in text else text


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 8)) if len(match[1]) == 3 else match[1]


def set_cookie_field(name: str, value: str, options: CookieOptions, expires_s: float | None = None) -> str:
    """The value of a Set-Cookie field. `expires_s`: seconds from now; None: when the browser is closed; 0: at once.
    `options` are settled ones. Raises ValueError for a name that is not a token."""
    if _IS_NAME(name) is None:
        raise ValueError(f"{name!r} is not the name of a cookie: letters, digits and -_. are")
    parts = [f"{name}={quote(value, safe=_SAFE)}"]
    if expires_s is not None:
        seconds = max(0, int(expires_s))
        date = http_date(time.time() + seconds if seconds else 0)
        parts += [f"Expires={date}", f"Max-Age={seconds}"]
    parts.append(f"Path={options.path}")
    if options.domain:
        parts.append(f"Domain={options.domain}")
    if options.secure:
        parts.append("Secure")
    if options.http_only:
        parts.append("HttpOnly")
    parts.append(f"SameSite={options.same_site}")
    return "; ".join(parts)


def _seconds(expires: float | str | None) -> float | None:
    if isinstance(expires, str):
        known = {"now": 0.0, "never": float(_CENTURY_S)}
        if expires not in known:
            raise ValueError(f"expires={expires!r}: expected seconds, 'now' or 'never'")
        return known[expires]
    return expires


class Cookies:
    """Those of a request, with what was changed in it since. Reading and writing is that of a dict of texts."""

    def __init__(self, was: Was) -> None:
        self._env = was.env
        self._received = parse_cookies(was.env.get("HTTP_COOKIE", ""))
        self._values = {name: values[0] for name, values in self._received.items()}
        self._fields: dict[tuple[str, str | None, str | None], str] = {}
        was.before_commit(self._commit)

    def received(self, name: str) -> list[str]:
        """Every value of that name that came: cookies of several paths may share a name."""
        return self._received.get(name, [])

    def set(self, key: str, val: object, expires: float | str | None = None, *args: Any, **options: Any) -> None:
        """Have the browser keep `val`. `expires`: seconds; None: until the browser is closed; 0 or "now": away with it;
        "never": a hundred years. Options: path, domain, secure, http_only, same_site, as in CookieOptions. Raises
        ValueError."""
        seconds, text = _seconds(expires), str(val)
        settled = CookieOptions.read(args, options).settled(self._env)
        self._fields[key, settled.path, settled.domain] = set_cookie_field(key, text, settled, seconds)
        if seconds is not None and seconds <= 0:
            self._values.pop(key, None)
        else:
            self._values[key] = text

    def remove(self, key: str, path: str | None = None, domain: str | None = None) -> None:
        """Have the browser forget it; it does for the path and domain it was set with."""
        self.set(key, "", 0, path=path, domain=domain)

    def clear(self, path: str | None = None, domain: str | None = None) -> None:
        """Remove all that there are."""
        for key in list(self._values):
            if _IS_NAME(key):
                self.remove(key, path, domain)
            else:
                del self._values[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self._values.get(key, default)

    def has_key(self, key: str) -> bool:
        return key in self._values

    def keys(self) -> KeysView[str]:
        return self._values.keys()

    def values(self) -> ValuesView[str]:
        return self._values.values()

    def items(self) -> ItemsView[str, str]:
        return self._values.items()

    def iterkeys(self) -> Iterator[str]:
        return iter(self._values)

    def itervalues(self) -> Iterator[str]:
        return iter(self._values.values())

    def iteritems(self) -> Iterator[tuple[str, str]]:
        return iter(self._values.items())

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __setitem__(self, key: str, val: object) -> None:
        self.set(key, val)

    def __delitem__(self, key: str) -> None:
        if key not in self._values:
            raise KeyError(key)
        self.remove(key)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _commit(self, was: Was) -> None:
        was.response.add_header("Vary", "Cookie")
        for field in self._fields.values():
            was.response.add_header("Set-Cookie", field)


def cookie_of(was: Was) -> Cookies:
    """`was.cookie`."""
    return Cookies(was)
