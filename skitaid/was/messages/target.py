"""Where a call goes: `http://host:port/path?query` or `@alias/path?query`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote

from skitaid.protocols.headers import is_host
from skitaid.protocols.hosts import uri_host
from skitaid.was.messages.errors import CallError

__all__ = ["Target", "parse_target"]

_PORTS: Final = {"http": 80, "https": 443}
_H2C: Final = "h2c"
_ALIAS: Final = re.compile(r"@([\w.-]+)([/?#].*)?", re.DOTALL).fullmatch
_URL: Final = re.compile(r"(\w+)://([^/?#]*)(.*)", re.DOTALL).fullmatch
_PORT: Final = re.compile(r"[0-9]{1,5}").fullmatch
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What may stand in a path and a query as it is (RFC 3986 section 3.3), and % of what is encoded already.
_PLAIN: Final = "/?:@!$&'()*+,;=~%-._[]|"
# RFC 1035 section 2.3.4. Checked before a name is encoded: the IDNA codec takes the square of the length.
_MAX_HOST: Final = 253


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes. `alias` without its @, or None and an origin (`scheme`, `host` in lower case and ASCII,
    `port`). `path` begins with / and may have a query; it is as it goes onto the wire. `user` and `password`:
    credentials of a URL.

    `scheme` is http, https, or h2c: cleartext to a server that is known to speak HTTP/2 (RFC 9113 section 3.3)."""

    alias: str | None
    scheme: str
    host: str
    port: int
    path: str
    user: str | None = None
    password: str | None = None

    @property
    def origin(self) -> tuple[str, ...]:
        """Equal for targets that may see each other's credentials (RFC 9110 section 4.3.1)."""
        return ("@", self.alias) if self.alias is not None else (self.scheme, self.host, str(self.port))

    @property
    def authority(self) -> str:
        """What stands for the target in logs and messages: `@alias`, or host and port."""
        if self.alias is not None:
            return f"@{self.alias}"
        host = uri_host(self.host)
        return host if self.port == _PORTS.get(self.scheme) else f"{host}:{self.port}"

    def by_http2(self) -> Target:
        """The same, where nothing but HTTP/2 will do. Over TLS and of an alias, that is found out or configured."""
        return replace(self, scheme=_H2C) if self.scheme == "http" else self

    def with_query(self, query: str) -> Target:
        """The same, with `query` (encoded) added to what is there."""
        if not query:
            return self
        glue = "&" if "?" in self.path else "?"
        return replace(self, path=f"{self.path}{glue}{query}")


def parse_target(text: str) -> Target:
    """Where `http://…`, `https://…` or `@alias…` leads. Raises CallError."""
    if text.startswith("@"):
        return _alias(text)
    match = _URL(text)
    # A backslash is a slash to browsers: two readers of such a URL would see two hosts.
    if match is None or match[1].lower() not in _PORTS or "\\" in match[2]:
        raise CallError(f"{_shown(text)!r}: expected http://host/path, https://host/path or @alias/path")
    scheme = match[1].lower()
    credentials, at, address = match[2].rpartition("@")
    host, port = _address(address, scheme, text)
    user, password = _credentials(credentials) if at else (None, None)
    return Target(None, scheme, host, port, _path(match[3]), user, password)


def _alias(text: str) -> Target:
    match = _ALIAS(text)
    if match is None:
        raise CallError(f"{text!r}: expected @alias/path, an alias being letters, digits, '.', '-' and '_'")
    return Target(match[1], "", "", 0, _path(match[2] or ""))


def _address(address: str, scheme: str, text: str) -> tuple[str, int]:
    host, port = address, ""
    if not address.endswith("]"):
        before, colon, after = address.rpartition(":")
        if colon:
            host, port = before, after
    if port and not (_PORT(port) and 0 < int(port) < 65536):
        raise CallError(f"{_shown(text)!r}: {port!r} is not a port, expected a number from 1 to 65535")
    return _host(host, text), int(port) if port else _PORTS[scheme]


def _host(host: str, text: str) -> str:
    """In ASCII and lower case, IPv6 without brackets."""
    name = _ascii(host, text).lower()
    bare = name[1:-1] if name.startswith("[") else name
    is_one = name and "%" not in name and is_host(name.encode())
    # Brackets are for IPv6 alone; without them, what follows a colon would be a port.
    if not is_one or (":" in name) is (bare == name):
        raise CallError(f"{_shown(text)!r}: {host!r} is not a host name")
    return bare


def _ascii(host: str, text: str) -> str:
    if len(host) > _MAX_HOST:
        raise CallError(f"{_shown(text)!r}: a host name has {_MAX_HOST} characters at most")
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise CallError(f"{_shown(text)!r}: {host!r} is not a host name: {error}") from None


def _credentials(text: str) -> tuple[str, str]:
    user, _, password = text.partition(":")
    return unquote(user), unquote(password)


def _path(text: str) -> str:
    """As it goes onto the wire: no fragment, everything else than ASCII percent-encoded as UTF-8."""
    path = text.partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path
    try:
        return quote(_BARE_PERCENT.sub("%25", path), safe=_PLAIN)
    except UnicodeEncodeError:
        raise CallError(f"{path!r} has a lone surrogate, which no URL can carry") from None


def _shown(text: str) -> str:
    """Without the password: messages end in logs."""
    return re.sub(r"//[^/?#]*@", "//…@", text[:200])
