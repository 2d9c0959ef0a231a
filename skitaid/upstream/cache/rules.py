"""What a shared cache keeps, and what it may answer with (RFC 9111, RFC 5861). Pure; names of the rules are those of
the sections.

Stricter than the RFC wherever one user's page could get to another: a response to a request that tells who asks, by
Authorization or by a cookie, is kept or used only when it says itself that it is for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from skitaid.protocols.headers import tokens
from skitaid.upstream.cache.asked import Asked
from skitaid.upstream.cache.directives import ResponseControl
from skitaid.upstream.cache.freshness import HEURISTIC_STATUSES, Policy
from skitaid.upstream.cache.vary import is_everything, vary_names

__all__ = [
    "ERRORS", "SAFE", "Refusal", "Reuse", "freshened", "invalidates", "is_for", "judge", "may_answer_error", "refusal",
    "stored_fields",
]  # fmt: skip

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""
ERRORS: Final = frozenset({500, 502, 503, 504})
"""Instead of which a stale response may be sent (RFC 5861 section 4)."""

# Responses to what only this one request had: its range, its conditions, its credentials, its haste, its route, its
# body, or a field that its member can't stand (with which whoever likes could have an error kept for everybody).
_ONE_TIME: Final = frozenset({
    206, 304, 400, 401, 407, 408, 411, 412, 413, 415, 416, 417, 421, 425, 426, 429, 431, 511,
})  # fmt: skip
# Section 3.1: fields for the next hop alone; whoever sends the response makes its own Content-Length.
_NOT_STORED: Final = frozenset({
    b"connection", b"content-length", b"keep-alive", b"proxy-authenticate", b"proxy-authentication-info",
    b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    b"set-cookie", b"set-cookie2", b"age",
})  # fmt: skip
# Section 3.2: what tells of the body that is stored, or was taken from it.
_NOT_FRESHENED: Final = frozenset({b"content-encoding", b"content-range"})


class Refusal(Enum):
    """Why a response is not kept (section 3); the value is what Cache-Status tells."""

    METHOD = "method"
    REQUEST_NO_STORE = "request-no-store"
    STATUS = "status"
    NO_STORE = "no-store"
    PRIVATE = "private"
    AUTHORIZATION = "authorization"
    COOKIE = "cookie"
    SET_COOKIE = "set-cookie"
    VARY = "vary"
    NO_LIFETIME = "no-lifetime"


class Reuse(Enum):
    """What a stored response is good for (section 4)."""

    FRESH = "fresh"
    STALE = "stale"
    """Stale, and the client takes it so."""
    REFRESH = "refresh"
    """Stale, but may be sent while a new one is fetched (RFC 5861 section 3)."""
    VALIDATE = "validate"


def refusal(asked: Asked, status: int, fields: Mapping[bytes, bytes], policy: Policy) -> Refusal | None:
    """Why a response to `asked` is not to be kept; None: it is. `fields` by lower-case names."""
    control = policy.control
    if asked.method != "GET":
        return Refusal.METHOD
    if asked.control.no_store:
        return Refusal.REQUEST_NO_STORE
    if status in _ONE_TIME or status < 200 or (asked.has_range and status != 200):
        return Refusal.STATUS
    if control.no_store and not (control.must_understand and status in HEURISTIC_STATUSES):
        return Refusal.NO_STORE
    if control.private:
        return Refusal.PRIVATE
    return _refusal_of_a_page(asked, fields, control) or _refusal_for_lack_of_use(status, fields, policy)


def _refusal_of_a_page(asked: Asked, fields: Mapping[bytes, bytes], control: ResponseControl) -> Refusal | None:
    """Whether the response could be one user's own."""
    names = vary_names(fields.get(b"vary"))
    if is_everything(names):
        return Refusal.VARY
    # Section 3.5 names must-revalidate too; it is often written by people who mean "don't keep it".
    if asked.has_credentials and not control.is_shared:
        return Refusal.AUTHORIZATION
    if asked.has_cookie and not control.is_shared and b"cookie" not in names:
        return Refusal.COOKIE
    if b"set-cookie" in fields and not control.public and b"set-cookie" not in control.withheld:
        return Refusal.SET_COOKIE
    return None


def _refusal_for_lack_of_use(status: int, fields: Mapping[bytes, bytes], policy: Policy) -> Refusal | None:
    """What neither says how long nor can be validated would never be used."""
    is_told = policy.is_explicit or policy.control.public or status in HEURISTIC_STATUSES
    grace = policy.control.stale_while_revalidate or policy.control.stale_if_error
    is_valid_for_a_while = policy.lifetime_s > policy.initial_age_s and not policy.control.no_cache
    has_validator = b"etag" in fields or b"last-modified" in fields
    return None if is_told and (is_valid_for_a_while or has_validator or grace) else Refusal.NO_LIFETIME


def stored_fields(fields: Iterable[tuple[bytes, bytes]], control: ResponseControl) -> tuple[tuple[bytes, bytes], ...]:
    """The fields that are kept of a response (section 3.1). Cookies are not, whatever the response says: they are for
    the one who asked. Nor is what `private` and `no-cache` name."""
    given = tuple(fields)
    dropped = set(_NOT_STORED | control.withheld)
    for name, value in given:
        if name == b"connection":
            dropped.update(tokens(value))
    return tuple((name, value) for name, value in given if name not in dropped)


def is_for(asked: Asked, control: ResponseControl, varies_by: Iterable[bytes]) -> bool:
    """Whether a stored response may be shown to whoever asks so."""
    if control.is_shared or asked.is_anonymous:
        return True
    return not asked.has_credentials and b"cookie" in varies_by


def judge(policy: Policy, asked: Asked, now: float) -> Reuse:
    """What a stored response is good for at `now` (sections 4.2, 4.2.4, 5.2.1)."""
    wish, control = asked.control, policy.control
    age = policy.age_s(now)
    if control.no_cache or wish.no_cache or (wish.max_age is not None and age > wish.max_age):
        return Reuse.VALIDATE
    left = policy.lifetime_s - age
    if wish.min_fresh is not None and left < wish.min_fresh:
        return Reuse.VALIDATE
    if left > 0:
        return Reuse.FRESH
    if control.must_revalidate:
        return Reuse.VALIDATE
    # s-maxage alone forbids stale responses as well (section 5.2.2.10), unless the response itself allows them by RFC
    # 5861: the two are usually written side by side.
    if wish.max_stale is not None and -left <= wish.max_stale and control.s_maxage is None:
        return Reuse.STALE
    return Reuse.REFRESH if -left < control.stale_while_revalidate else Reuse.VALIDATE


def may_answer_error(policy: Policy, asked: Asked, now: float) -> bool:
    """Whether a stale response may be sent when there is no other (RFC 5861 section 4)."""
    control = policy.control
    if control.no_cache or control.must_revalidate or asked.control.no_cache:
        return False
    wished = asked.control.stale_if_error if control.s_maxage is None else 0
    return policy.age_s(now) - policy.lifetime_s < max(control.stale_if_error, wished)


def freshened(
    stored: Iterable[tuple[bytes, bytes]], news: Iterable[tuple[bytes, bytes]], control: ResponseControl
) -> tuple[tuple[bytes, bytes], ...]:
    """The fields of a stored response after a 304 with the fields `news` (section 3.2)."""
    added = [(name, value) for name, value in stored_fields(news, control) if name not in _NOT_FRESHENED]
    replaced = {name for name, _ in added}
    return (*(pair for pair in stored if pair[0] not in replaced), *added)


def invalidates(method: str, status: int) -> bool:
    """Whether a response tells that what is stored for its target may have changed (section 4.4)."""
    return method not in SAFE and 200 <= status < 400
