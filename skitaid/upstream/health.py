"""What is known of a member's health from the calls it was given, and from checks.

A member that fails some times in a row, or once in a way that costs the caller much time, is ejected: it gets no calls
for a while. When that is over one call, the probe, is let through; if it fails the member waits twice as long, and so
on up to a limit; one success and it is back at full. A probe of which nothing is heard for as long as the member waited
is given up, and another may go, which has twice the time.

Nothing here reads a clock: whoever asks says what time it is, in seconds on any clock that never goes back. A call is
told by `begin` and then by one of `succeeded` (the member answered: whether well is for the caller to judge), `failed`
and `abandoned` (the caller gave up, which says nothing).

Where members are checked beside that (upstream.check), the checks are a second judge: some bad ones in a row, and the
member gets nothing until one is good. Both must be content: calls do not clear what a check found, nor a check what
calls found.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeVar

__all__ = ["HealthSettings", "Healthy", "MemberHealth", "State", "admitted"]

_SPREAD: Final = 0.2


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """When a member is ejected, and for how long. `fails` in a row eject a member; 0: never. `first_s` is its first
    wait, `longest_s` the longest."""

    fails: int = 3
    first_s: float = 1.0
    longest_s: float = 60.0


class State(Enum):
    """Where a member stands."""

    UP = "up"
    EJECTED = "ejected"
    PROBED = "probed"


# Looking a member up in its Enum costs 0.1 µs on 3.11, for each member at each call.
_UP: Final = State.UP


class MemberHealth:
    """Whether a member gets calls, by what became of those before. `jitter` gives numbers from 0 to 1: waits differ by
    up to a tenth to either side, so that workers do not probe in step."""

    __slots__ = (
        "_bad_checks", "_jitter", "_patience_s", "_settings", "_until", "_wait_s", "fails", "is_unwell",
        "last_failure", "state",
    )  # fmt: skip

    def __init__(self, settings: HealthSettings, *, jitter: Callable[[], float] = random.random) -> None:
        self.state = State.UP
        self.fails = 0
        self.is_unwell = False
        self.last_failure = float("-inf")
        self._bad_checks = 0
        self._settings = settings
        self._jitter = jitter
        self._wait_s = 0.0
        self._patience_s = 0.0
        self._until = 0.0

    @property
    def until(self) -> float:
        """When an ejected member may be probed; when the probe of one that is probed is given up. 0 while it is up."""
        return self._until

    def is_admitted(self, now: float, *, is_risky: bool = False) -> bool:
        """Whether a call may go there. `is_risky`: it could not be made again elsewhere, so that it makes a bad probe;
        it is one only when none came for as long as the member had waited."""
        if self.is_unwell or self.state is State.UP:
            return not self.is_unwell
        return now >= (self._until + self._patience_s if is_risky else self._until)

    def is_answering(self, now: float) -> bool:
        """The same, as far as calls can tell."""
        return self.state is State.UP or now >= self._until

    def begin(self, now: float) -> None:
        """A call goes there. To an ejected member whose wait is over it is the probe."""
        if self.state is not State.UP and now >= self._until:
            if self.state is State.PROBED:
                # Nothing was heard of the probe before: whoever hangs must not get a visitor a second.
                self._patience_s = min(2 * self._patience_s, self._settings.longest_s)
            self.state = State.PROBED
            self._until = now + self._patience_s

    def succeeded(self) -> bool:
        """The member answered. True when that brings it back."""
        self.fails = 0
        if self.state is State.UP:
            return False
        self.state = State.UP
        self._wait_s = self._until = 0.0
        return True

    def failed(self, now: float, *, is_costly: bool = False) -> bool:
        """The member did not answer, or not to the end. True when that ejects it, or keeps it out for longer. One that
        `is_costly`, as the caller waited for long, ejects alone.

        Of the calls that were under way when it was ejected, those that fail later change nothing.
        """
        self.fails += 1
        self.last_failure = now
        limit = self._settings.fails
        is_spared = self.state is State.UP and self.fails < limit and not is_costly
        if not limit or self.state is State.EJECTED or is_spared:
            return False
        self._eject(now)
        return True

    def abandoned(self, now: float) -> None:
        """The call was given up by its caller. If it was the probe, another may go."""
        if self.state is State.PROBED:
            self.state = State.EJECTED
            self._until = now

    def checked(self, is_well: bool) -> bool:
        """A check came to its end. True when that changes what checks say of the member."""
        self._bad_checks = 0 if is_well else self._bad_checks + 1
        was_unwell = self.is_unwell
        limit = self._settings.fails
        self.is_unwell = not is_well and (was_unwell or 0 < limit <= self._bad_checks)
        return self.is_unwell is not was_unwell

    def _eject(self, now: float) -> None:
        self.state = State.EJECTED
        settings = self._settings
        self._wait_s = min(max(settings.first_s, self._wait_s * 2), settings.longest_s)
        self._patience_s = self._wait_s * (1 - _SPREAD / 2 + _SPREAD * self._jitter())
        self._until = now + self._patience_s


class Healthy(Protocol):
    """A member as `admitted` sees it."""

    @property
    def health(self) -> MemberHealth: ...


M = TypeVar("M", bound=Healthy)


def admitted(members: Sequence[M], now: float, *, is_risky: bool = False) -> Sequence[M]:
    """The members that a call may go to. Empty only when `members` is. `is_risky`: see MemberHealth.is_admitted.

    When there are none, because of what checks say, their word does not count. When calls failed as well, it is the
    member whose last failure is longest ago, alone: a wrong verdict on all of them must not take a site down, and a
    call must not wait for one dead member after the other. Such calls go round, as each failure puts its member at the
    end.
    """
    for member in members:
        health = member.health
        if health.state is not _UP or health.is_unwell:
            break
    else:
        return members
    welcome = [member for member in members if member.health.is_admitted(now, is_risky=is_risky)]
    if welcome or not members:
        return welcome
    answering = [member for member in members if member.health.is_answering(now)]
    return answering or [min(members, key=lambda member: member.health.last_failure)]
