"""Whether a call that failed is made again, and where. Pure.

The law: what a member may have executed is executed once, unless the caller said that twice is fine (RFC 9110 section
9.2.2), and what the receiver has heard something of is not begun again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from skitaid.upstream.errors import Failure, UpstreamError

__all__ = ["Attempt", "Step", "is_members_fault", "next_step"]

MAX_FRESH: Final = 5
_FINAL: Final = frozenset({Failure.TOTAL_TIMEOUT, Failure.CANCELLED, Failure.TOO_LARGE})
_OURS: Final = frozenset({Failure.SATURATED, Failure.CANCELLED, Failure.TOO_LARGE})


class Step(Enum):
    """What is to be done."""

    FAIL = "tell the receiver"
    OTHER = "try another member"
    FRESH = "try the same member on a new connection"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of a call when a carrier failed it. `is_heard`: the receiver heard something. `is_stale`: see
    upstream.carrier. `is_spent`: some of a body that is not kept is gone. `may_repeat`: executing it twice is fine.
    `fresh`: so often the same member was tried again because a connection had been stale."""

    error: UpstreamError
    is_heard: bool
    is_stale: bool
    is_spent: bool
    may_repeat: bool
    fresh: int


def next_step(attempt: Attempt) -> Step:
    """The decision, but for whether another member is left."""
    error = attempt.error
    if attempt.is_heard or attempt.is_spent or error.failure in _FINAL:
        return Step.FAIL
    if not error.is_unsent and not attempt.may_repeat:
        return Step.FAIL
    # A member that retires connections of HTTP/2 one after the other may do so with each that this call is given.
    limit = MAX_FRESH if error.is_unsent else 1
    return Step.FRESH if attempt.is_stale and attempt.fresh < limit else Step.OTHER


def is_members_fault(error: UpstreamError, *, is_stale: bool, is_waited_for: bool) -> bool:
    """Whether a failure says something about the member's health. A stale connection does not, nor does what happens
    on our side. `is_waited_for`: the member had the request, and had said nothing yet."""
    if error.failure is Failure.TOTAL_TIMEOUT:
        return is_waited_for
    return not is_stale and error.failure not in _OURS
