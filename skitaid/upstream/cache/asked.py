"""What a request says to a cache. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from skitaid.protocols.conditions import CONDITIONAL
from skitaid.upstream.cache.directives import RequestControl, request_control

__all__ = ["CREDENTIALS", "PROBING", "Asked", "asked_of", "join"]

CREDENTIALS: Final = frozenset({
    b"authorization", b"x-api-key", b"x-access-token", b"x-auth-token", b"x-gateway-user", b"x-gateway-roles",
})  # fmt: skip
"""Fields by which a server may know who asks; the last two are the gateway's. Cookie is apart, as Vary may name it."""

_CONDITIONS: Final = frozenset(CONDITIONAL - {b"range", b"if-range"})
PROBING: Final = frozenset({b"if-none-match", b"if-modified-since"})
"""Conditions that a stored response can answer with 304."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a cache sees it. `values`: its fields by lower-case name, repeated ones joined. `conditions`: those
    of its fields that make it conditional, RFC 9110 section 13, without ranges. `is_anonymous`: nothing in it tells who
    asks. `is_plain`: any fresh response will do, and all of it, as far as `conditions` do not say otherwise."""

    method: str
    control: RequestControl = field(default_factory=RequestControl)
    values: dict[bytes, bytes] = field(default_factory=dict)
    has_credentials: bool = False
    has_cookie: bool = False
    has_range: bool = False
    conditions: frozenset[bytes] = frozenset()
    is_anonymous: bool = True
    is_plain: bool = True


def asked_of(method: str, fields: Iterable[tuple[bytes, bytes]]) -> Asked:
    """What a request with these fields, names in lower case, says."""
    values = join(fields)
    control = request_control(values.get(b"cache-control"), values.get(b"pragma"))
    has_credentials = not CREDENTIALS.isdisjoint(values)
    has_cookie, has_range = b"cookie" in values, b"range" in values
    return Asked(
        method, control, values, has_credentials, has_cookie, has_range, _CONDITIONS.intersection(values),
        is_anonymous=not has_credentials and not has_cookie,
        is_plain=not has_range and control.is_silent,
    )  # fmt: skip


def join(fields: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Values by name; those of repeated fields are joined with a comma (RFC 9110 section 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        found[name] = b"%b, %b" % (found[name], value) if name in found else value
    return found
