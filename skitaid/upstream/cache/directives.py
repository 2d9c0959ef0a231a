"""Cache-Control (RFC 9111 section 5.2, RFC 5861, RFC 8246) as it is meant for a shared cache. Pure.

What can't be read is taken in the sense that keeps less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from skitaid.protocols.headers import tokens

__all__ = ["FOREVER_S", "RequestControl", "ResponseControl", "request_control", "response_control"]

FOREVER_S: Final = 1 << 31
"""More seconds than this are this many (RFC 9111 section 1.2.2)."""

_MAX_KNOWN_BYTES: Final = 200
_DIRECTIVE: Final = re.compile(rb'([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)(?:=(?:"((?:[^"\\]++|\\.)*+)"|([^\s",;]*)))?').finditer


@dataclass(frozen=True, slots=True)
class RequestControl:
    """What a request says (section 5.2.1), in seconds. `max_stale`: FOREVER_S where it has no argument."""

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    min_fresh: int | None = None
    max_stale: int | None = None
    stale_if_error: int = 0

    @property
    def is_silent(self) -> bool:
        """Whether it says nothing at all."""
        return self == _SILENT


@dataclass(frozen=True, slots=True)
class ResponseControl:
    """What a response says (section 5.2.2), in seconds. `must_revalidate`: also by proxy-revalidate. `withheld`: the
    fields that `private` and `no-cache` name; without names these hold for all of the response."""

    public: bool = False
    private: bool = False
    no_store: bool = False
    no_cache: bool = False
    must_revalidate: bool = False
    must_understand: bool = False
    s_maxage: int | None = None
    max_age: int | None = None
    stale_while_revalidate: int = 0
    stale_if_error: int = 0
    withheld: frozenset[bytes] = frozenset()

    @property
    def is_shared(self) -> bool:
        """Whether it says that it is for everybody, whoever asked."""
        return (self.public or self.s_maxage is not None) and not self.private


_SILENT: Final = RequestControl()


def request_control(value: bytes | None, pragma: bytes | None = None) -> RequestControl:
    """`value` of Cache-Control, None without one; then Pragma counts (section 5.4)."""
    if value is None:
        return RequestControl(no_cache=True) if pragma is not None and b"no-cache" in tokens(pragma) else _SILENT
    return _request_control(value) if len(value) > _MAX_KNOWN_BYTES else _known_request_control(value)


def response_control(value: bytes | None) -> ResponseControl:
    """`value` of Cache-Control, None without one."""
    if value is None:
        return ResponseControl()
    return _response_control(value) if len(value) > _MAX_KNOWN_BYTES else _known_response_control(value)


def _request_control(value: bytes) -> RequestControl:
    given = _read(value)
    stale = _seconds(given, b"max-stale")
    if b"max-stale" in given and given[b"max-stale"] == [b""]:
        stale = FOREVER_S
    return RequestControl(
        no_store=b"no-store" in given, no_cache=b"no-cache" in given, only_if_cached=b"only-if-cached" in given,
        max_age=_seconds(given, b"max-age"), min_fresh=_seconds(given, b"min-fresh", unread=FOREVER_S),
        max_stale=stale, stale_if_error=_seconds(given, b"stale-if-error") or 0,
    )  # fmt: skip


def _response_control(value: bytes) -> ResponseControl:
    given = _read(value)
    return ResponseControl(
        public=b"public" in given,
        private=b"" in given.get(b"private", ()),
        no_store=b"no-store" in given,
        no_cache=b"" in given.get(b"no-cache", ()),
        must_revalidate=b"must-revalidate" in given or b"proxy-revalidate" in given,
        must_understand=b"must-understand" in given,
        s_maxage=_seconds(given, b"s-maxage"),
        max_age=_seconds(given, b"max-age"),
        stale_while_revalidate=_seconds(given, b"stale-while-revalidate") or 0,
        stale_if_error=_seconds(given, b"stale-if-error") or 0,
        withheld=frozenset(_names(given, b"private")) | frozenset(_names(given, b"no-cache")),
    )


_known_request_control: Final = lru_cache(maxsize=256)(_request_control)
_known_response_control: Final = lru_cache(maxsize=256)(_response_control)


def _read(value: bytes) -> dict[bytes, list[bytes]]:
    """Arguments by directive; one without an argument has b""."""
    found: dict[bytes, list[bytes]] = {}
    for match in _DIRECTIVE(value):
        name, quoted, plain = match.groups(b"")
        found.setdefault(name.lower(), []).append(quoted or plain)
    return found


def _seconds(given: Mapping[bytes, list[bytes]], name: bytes, *, unread: int = 0) -> int | None:
    """None when it is not there; `unread` for what is not a number, or not the same number each time (section
    4.2.1)."""
    values = given.get(name)
    if values is None:
        return None
    first = values[0].strip()
    if not first.isdigit() or any(value.strip() != first for value in values):
        return unread
    return min(int(first), FOREVER_S) if len(first) <= 18 else FOREVER_S


def _names(given: Mapping[bytes, list[bytes]], name: bytes) -> Iterator[bytes]:
    for value in given.get(name, ()):
        yield from tokens(value)
