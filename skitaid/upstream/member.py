"""One server of a cluster."""

from __future__ import annotations

from skitaid.upstream.health import MemberHealth
from skitaid.upstream.pool import Pool

__all__ = ["Member"]


class Member:
    """`name` is its address. `in_flight`: calls that it has now, those included that wait for a connection."""

    __slots__ = ("health", "in_flight", "name", "pool", "weight")

    def __init__(self, name: str, weight: int, pool: Pool, health: MemberHealth) -> None:
        self.name = name
        self.weight = weight
        self.pool = pool
        self.health = health
        self.in_flight = 0
