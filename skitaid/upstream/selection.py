"""Which member of a cluster gets a call.

Nothing here knows about health: who asks gives the members that may be chosen, which are those let in and not tried
yet. A selection belongs to one cluster of one worker; what it remembers is kept for each member object.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import cycle
from typing import Final, Protocol, TypeVar

__all__ = ["Balance", "Selectable", "Selection", "make_selection"]

_MAX_ORDER: Final = 1000


class Balance(Enum):
    """How calls are shared out; the value is how a conf says it."""

    ROUND_ROBIN = "round-robin"
    LEAST_CONNECTIONS = "least-connections"
    HASH = "hash"


class Selectable(Protocol):
    """What a selection asks of a member. `name`: its address; the same in every worker, and from run to run.
    `in_flight`: calls that it has now."""

    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> int: ...
    @property
    def in_flight(self) -> int: ...


S = TypeVar("S", bound=Selectable)


class Selection(Protocol):
    """A way of choosing among members."""

    def choose(self, members: Sequence[S], affinity: bytes | None) -> S:
        """One of `members`, of which there is at least one."""


def make_selection(balance: Balance) -> Selection:
    """A selection of that kind, which has chosen nobody yet."""
    return _SELECTIONS[balance]()


class _RoundRobin:
    """Smooth weighted round robin: each member gains its weight at every choice, the richest is chosen and pays what
    all gained. Weights 5, 1, 1 give a a b a c a a, not a a a a a b c.

    After as many choices as the weights sum up to it begins anew. So for the tuple that comes first, which is that of
    all members and comes again and again, the order is found once: 0.1 µs a choice, where three members cost 0.8.
    """

    def __init__(self) -> None:
        self._credit: dict[Selectable, int] = {}
        self._members: object = ()
        self._turns: Iterator[int] = iter(())

    def choose(self, members: Sequence[S], affinity: bytes | None) -> S:
        """The member whose turn it is."""
        if members is self._members:
            return members[next(self._turns)]
        if len(members) == 1:
            return members[0]
        total = sum(member.weight for member in members)
        stays_as_it_is = isinstance(members, tuple)
        if not self._members and stays_as_it_is and total <= _MAX_ORDER:
            self._members = members
            self._turns = cycle([members.index(self._richest(members)) for _ in range(total)])
            return members[next(self._turns)]
        return self._richest(members)

    def _richest(self, members: Sequence[S]) -> S:
        credit = self._credit
        gained = 0
        best, most = members[0], -math.inf
        for member in members:
            weight = member.weight
            gained += weight
            credit[member] = own = credit.get(member, 0) + weight
            if own > most:
                best, most = member, own
        credit[best] -= gained
        return best


class _LeastConnections:
    """The member with the fewest calls for its weight; those that are equal take turns."""

    def __init__(self) -> None:
        self._turns = _RoundRobin()

    def choose(self, members: Sequence[S], affinity: bytes | None) -> S:
        """The member with the least to do."""
        loads = [member.in_flight / member.weight for member in members]
        least = min(loads)
        return self._turns.choose(
            [member for member, load in zip(members, loads, strict=True) if load == least], affinity
        )


class _Hash:
    """Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): every member draws a score from its name and the
    key, the highest wins. When a member goes, only its own keys move, and they spread over all others; when it is
    back, the same keys come back. Calls without a key take turns."""

    def __init__(self) -> None:
        self._turns = _RoundRobin()

    def choose(self, members: Sequence[S], affinity: bytes | None) -> S:
        """The member that the key belongs to."""
        if affinity is None:
            return self._turns.choose(members, None)
        return max(members, key=lambda member: _score(member, affinity))


_SELECTIONS: Final[Mapping[Balance, Callable[[], Selection]]] = {
    Balance.ROUND_ROBIN: _RoundRobin,
    Balance.LEAST_CONNECTIONS: _LeastConnections,
    Balance.HASH: _Hash,
}


def _score(member: Selectable, affinity: bytes) -> float:
    # Python's own hash differs from process to process, and workers must agree
    digest = hashlib.blake2b(affinity, digest_size=8, key=_short(member.name)).digest()
    drawn = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)
    # at 1.0 by rounding the member would win whatever the others drew
    return member.weight / -math.log(min(drawn, 1 - 2**-53))


def _short(name: str) -> bytes:
    """A key for blake2b, which takes 64 bytes."""
    raw = name.encode("utf-8", "surrogateescape")
    return raw if len(raw) <= 64 else hashlib.blake2b(raw, digest_size=64).digest()
