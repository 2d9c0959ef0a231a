"""The members of an alias: `host:port [weight]`, `user:password@host:port/db weight`, the older
`host:port/db/user/password`, `unix:/path[:db]`, and for files a path.

In `user:password@` a character that has a meaning of its own is percent-encoded: `%40` stands for @.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from skitaid.config.addresses import is_host, parse_port, split_port
from skitaid.config.fields import Place
from skitaid.config.model import Member
from skitaid.config.paths import resolve
from skitaid.config.report import UnfitError
from skitaid.protocols.hosts import uri_host

__all__ = ["ALIAS_TYPES", "DATABASE_TYPES", "TLS_TYPES", "masked", "parse_member", "show_member"]

ALIAS_TYPES = ("http", "https", "ws", "wss", "postgresql", "sqlite3", "redis", "mongodb", "django")
DATABASE_TYPES = frozenset({"postgresql", "sqlite3", "redis", "mongodb", "django"})
TLS_TYPES = frozenset({"https", "wss"})
FILE_TYPES = frozenset({"sqlite3", "django"})
DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443, "postgresql": 5432, "redis": 6379, "mongodb": 27017}
MAX_WEIGHT = 1000

_OLD_FORM = re.compile(r"(?P<address>[^/@]+)/(?P<database>[^/]*)/(?P<user>[^/]*)/(?P<password>.*)")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")
_NEEDS_ENCODING = re.compile(r"[^A-Za-z0-9._~!$&()*+=-]")


@dataclass(frozen=True, slots=True)
class _Parts:
    """A member taken apart, whichever form it was written in."""

    address: str
    database: str | None = None
    user: str | None = None
    password: str | None = None


def parse_member(text: str, place: Place, *, alias_type: str, is_tls: bool = False) -> Member:
    """One member of an alias of that type. Raises UnfitError, without showing a password."""
    scheme = _SCHEME.match(text)
    if scheme:
        tls = "; type = https speaks TLS" if scheme[1] == "https" else ""
        fix = f"write host:port, without {scheme[0]} and path{tls}"
        raise UnfitError(f"{masked(text)!r}: a URL is not a member", fix)
    body, weight = _split_weight(text)
    if alias_type in FILE_TYPES:
        return Member("", path=str(resolve(body, place.folder)), weight=weight)
    parts = _split(body)
    if parts.database is not None and alias_type not in DATABASE_TYPES:
        raise UnfitError(f"{masked(text)!r}: a path has no place here", "write it where the alias is mounted or called")
    host, port, path = "", None, None
    if parts.address.startswith("unix:"):
        path = str(resolve(parts.address[5:], place.folder))
    else:
        host, port = _host_and_port(parts.address, masked(text), alias_type=alias_type, is_tls=is_tls)
    return Member(host, port, path, parts.database or None, parts.user or None, parts.password or None, weight)


def _host_and_port(address: str, shown: str, *, alias_type: str, is_tls: bool) -> tuple[str, int]:
    host, port = split_port(address)
    if not is_host(host):
        fix = "write host:port, user:password@host:port/db or unix:/path"
        raise UnfitError(f"{shown!r}: {host!r} is not a host", fix)
    if port is not None:
        return host.lower(), _port(port, shown)
    return host.lower(), DEFAULT_PORTS["https" if is_tls and alias_type in ("http", "ws") else alias_type]


def _port(text: str, shown: str) -> int:
    try:
        return parse_port(text, 1)
    except UnfitError as error:
        raise UnfitError(f"{shown!r}: {error.text}", error.fix) from None


def _split_weight(text: str) -> tuple[str, int]:
    body, _, last = text.rpartition(" ")
    if not body or not re.fullmatch(r"[0-9]+", last, re.ASCII):
        return text, 1
    if not 1 <= int(last) <= MAX_WEIGHT:
        raise UnfitError(f"{masked(text)!r}: weight {last}", f"write a whole number from 1 to {MAX_WEIGHT}")
    return body.strip(), int(last)


def _split(body: str) -> _Parts:
    old = _OLD_FORM.fullmatch(body)
    if old and not body.startswith("unix:"):
        return _Parts(old["address"], old["database"], old["user"], old["password"])
    credentials, at, rest = body.rpartition("@")
    user, colon, password = credentials.partition(":")
    if "/" in credentials:
        raise UnfitError(f"{masked(body)!r}: a / stands before the @", "in user and password write / as %2F")
    address, database = _split_database(rest)
    return _Parts(address, database, _decoded(user) if at else None, _decoded(password) if colon else None)


def _split_database(rest: str) -> tuple[str, str | None]:
    if rest.startswith("unix:"):
        path, colon, database = rest[5:].partition(":")
        return f"unix:{path}", _decoded(database) if colon else None
    address, slash, database = rest.partition("/")
    return address, _decoded(database) if slash else None


def masked(text: str) -> str:
    """A member without its credentials, for messages."""
    old = _OLD_FORM.fullmatch(text)
    if old:
        return f"{old['address']}/{old['database']}/…"
    return re.sub(r"^.*@", "…@", text)


def show_member(member: Member, alias_type: str) -> str:
    """The member in the newer form, which `parse_member` reads back."""
    if alias_type in FILE_TYPES:
        return _with_weight(member.path or "", member.weight)
    database = _encoded(member.database) if member.database else ""
    if member.path is not None:
        address = f"unix:{member.path}" + (f":{database}" if database else "")
    else:
        address = f"{uri_host(member.host)}:{member.port}" + (f"/{database}" if database else "")
    return _with_weight(_show_credentials(member) + address, member.weight)


def _with_weight(text: str, weight: int) -> str:
    # a path may end in a blank and a number: then the weight must be said, or the number would be read as one
    return f"{text} {weight}" if weight != 1 or re.search(r" [0-9]+$", text) else text


def _show_credentials(member: Member) -> str:
    if member.user is None and member.password is None:
        return ""
    password = "" if member.password is None else f":{_encoded(member.password)}"
    return f"{_encoded(member.user or '')}{password}@"


def _decoded(text: str) -> str:
    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", lambda found: _decode_run(found[0]), text)


def _decode_run(run: str) -> str:
    try:
        return bytes.fromhex(run.replace("%", "")).decode("utf-8")
    except UnicodeDecodeError:
        return run  # no percent-encoding after all: as written


def _encoded(text: str) -> str:
    return _NEEDS_ENCODING.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)
