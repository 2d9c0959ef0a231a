"""One server of a cluster."""

from __future__ import annotations

from collections.abc import Callable

from skitaid.upstream.call import Call
from skitaid.upstream.health import MemberHealth
from skitaid.upstream.pool import Pool

__all__ = ["Member"]


class Member:
    """A server that takes calls. `name` is its address. `in_flight`: calls that it has now, those included that wait
    for a connection. `pool`: where most calls find their connection; `is_mixed`: not all do. `make_http1_pool`: for
    calls that HTTP/2 has no place for."""

    __slots__ = ("_make_http1_pool", "health", "in_flight", "is_mixed", "name", "pool", "pools", "weight")

    def __init__(
        self, name: str, weight: int, health: MemberHealth, pool: Pool, make_http1_pool: Callable[[], Pool] | None
    ) -> None:
        self.name = name
        self.weight = weight
        self.health = health
        self.pool = pool
        self.pools = [pool]
        self.is_mixed = make_http1_pool is not None
        self.in_flight = 0
        self._make_http1_pool = make_http1_pool

    def pool_for(self, call: Call) -> Pool:
        """Where a call finds its connection."""
        if self._make_http1_pool is None or (call.upgrade is None and call.method != "CONNECT"):
            return self.pool
        if len(self.pools) == 1:
            self.pools.append(self._make_http1_pool())
        return self.pools[1]
