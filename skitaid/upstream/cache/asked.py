"""What a request says to a cache. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from skitaid.protocols.conditions import CONDITIONAL
from skitaid.upstream.cache.directives import RequestControl, request_control

__all__ = ["CREDENTIALS", "PROBING", "Asked", "asked_of", "join"]

CREDENTIALS: Final = frozenset({
    b"authorization", b"x-api-key", b"x-access-token", b"x-auth-token", b"x-auth-user", b"x-auth-roles",
})  # fmt: skip
"""Fields by which a server may know who asks; the last two are the gateway's. Cookie is apart, as Vary may name it."""

_CONDITIONS: Final = frozenset(CONDITIONAL - {b"range", b"if-range"})
PROBING: Final = frozenset({b"if-none-match", b"if-modified-since"})
"""Conditions that a stored response can answer with 304."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a cache sees it. `values`: its fields by lower-case name, repeated ones joined. `conditions`: those
    of its fields that make it conditional, RFC 9110 section 13, without ranges."""

    method: str
    control: RequestControl = field(default_factory=RequestControl)
    values: dict[bytes, bytes] = field(default_factory=dict)
    has_credentials: bool = False
    has_cookie: bool = False
    has_range: bool = False
    conditions: frozenset[bytes] = frozenset()

    @property
    def is_plain(self) -> bool:
        """Whether any fresh response will do, all of it, as far as the request says."""
        return not self.has_range and not self.conditions and self.control.is_silent

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing in it tells who asks."""
        return not self.has_credentials and not self.has_cookie


def asked_of(method: str, fields: Iterable[tuple[bytes, bytes]]) -> Asked:
    """What a request with these fields, names in lower case, says."""
    values = join(fields)
    names = values.keys()
    return Asked(
        method,
        request_control(values.get(b"cache-control"), values.get(b"pragma")),
        values,
        has_credentials=not CREDENTIALS.isdisjoint(names),
        has_cookie=b"cookie" in names,
        has_range=b"range" in names,
        conditions=_CONDITIONS.intersection(names),
    )


def join(fields: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Values by name; those of repeated fields are joined with a comma (RFC 9110 section 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        found[name] = b"%b, %b" % (found[name], value) if name in found else value
    return found
