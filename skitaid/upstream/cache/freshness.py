"""How long a response may be used, and how old it is (RFC 9111 section 4.2). Pure: clocks are the caller's.

All moments are seconds since the epoch, as stored responses outlive the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from skitaid.protocols.dates import parse_http_date
from skitaid.upstream.cache.directives import FOREVER_S, ResponseControl, response_control

__all__ = ["HEURISTIC_CAP_S", "HEURISTIC_STATUSES", "Moments", "Policy", "policy_of", "told_age_s"]

HEURISTIC_STATUSES: Final = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Responses that may be kept without saying how long (RFC 9110 section 15.1); 206 is not kept at all."""
HEURISTIC_SHARE: Final = 0.1
HEURISTIC_CAP_S: Final = 3600.0
"""A tenth of the time since it last changed, as section 4.2.2 has it, but no more: nobody asked for it."""
_CLOCK_SLACK_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Moments:
    """When a request was sent, and when its response came. `has_query`: the request's target has one; then nothing is
    guessed. `told_age_s`: by its Age field."""

    requested_at: float
    received_at: float
    has_query: bool = False
    told_age_s: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """What follows from a stored response's fields, in seconds. `lifetime_s`: from its making on; `initial_age_s`: its
    age when it came (section 4.2.3); `is_explicit`: it says how long itself."""

    control: ResponseControl
    received_at: float
    initial_age_s: float
    lifetime_s: float
    is_explicit: bool

    @property
    def fresh_until(self) -> float:
        """From then on it is stale; in the past for one that must be validated each time."""
        return 0.0 if self.control.no_cache else self.received_at + self.lifetime_s - self.initial_age_s

    def age_s(self, now: float) -> float:
        """The current age. A clock that was set back tells nothing: then the response counts as stale."""
        resident = now - self.received_at
        if resident < -_CLOCK_SLACK_S:
            return max(self.lifetime_s, self.initial_age_s)
        return self.initial_age_s + max(0.0, resident)


def told_age_s(fields: Mapping[bytes, bytes]) -> int:
    """The age that a response says it has; 0 for what can't be read, of several the first (section 5.1)."""
    told = fields.get(b"age", b"").partition(b",")[0].strip()
    if not told.isdigit():
        return 0
    return min(int(told), FOREVER_S) if len(told) <= 18 else FOREVER_S


def policy_of(status: int, fields: Mapping[bytes, bytes], moments: Moments) -> Policy:
    """The policy of a response with `fields`, by lower-case names, repeated ones joined."""
    control = response_control(fields.get(b"cache-control"))
    date = _date(fields.get(b"date"))
    made_at = moments.received_at if date is None else float(date)
    explicit = _explicit_lifetime(control, fields, made_at)
    lifetime = explicit
    if lifetime is None and (status in HEURISTIC_STATUSES or control.public) and not moments.has_query:
        lifetime = _guessed_lifetime(fields, made_at)
    return Policy(control, moments.received_at, _initial_age(made_at, moments), lifetime or 0.0, explicit is not None)


def _explicit_lifetime(control: ResponseControl, fields: Mapping[bytes, bytes], made_at: float) -> float | None:
    """Section 4.2.1, for a shared cache."""
    if control.s_maxage is not None:
        return float(control.s_maxage)
    if control.max_age is not None:
        return float(control.max_age)
    expires = fields.get(b"expires")
    if expires is None:
        return None
    moment = _date(expires)
    # What is not a date, `0` above all, lies in the past (section 5.3).
    return 0.0 if moment is None else min(max(0.0, moment - made_at), float(FOREVER_S))


def _guessed_lifetime(fields: Mapping[bytes, bytes], made_at: float) -> float:
    modified = _date(fields.get(b"last-modified"))
    return 0.0 if modified is None else min(max(0.0, made_at - modified) * HEURISTIC_SHARE, HEURISTIC_CAP_S)


def _initial_age(made_at: float, moments: Moments) -> float:
    """Section 4.2.3: corrected_initial_age."""
    apparent = max(0.0, moments.received_at - made_at)
    return max(apparent, moments.told_age_s + max(0.0, moments.received_at - moments.requested_at))


def _date(value: bytes | None) -> int | None:
    return None if value is None else parse_http_date(value.decode("latin-1"))
