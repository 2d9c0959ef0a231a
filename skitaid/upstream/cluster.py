"""A cluster: servers of which any can take a call, and what is known of them.

Answers with a status of 500 and more are answers: they are passed on, and say nothing about the member. An app that
fails for one address must not take a member away from all the others; whoever wants a member that says 503 left alone
has it checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from skitaid.upstream.call import Call, Receiver
from skitaid.upstream.connect import Endpoint, prepare
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.exchange import ClusterExchange
from skitaid.upstream.health import MemberHealth, admitted
from skitaid.upstream.member import Member
from skitaid.upstream.pool import Pool
from skitaid.upstream.selection import make_selection
from skitaid.upstream.settings import CheckSettings, ClusterSettings, HttpVersion, MemberSettings

if TYPE_CHECKING:
    from skitaid.upstream.check import Checks

__all__ = ["Cluster"]

_LONG_S: Final = 1.0
"""A caller who waits less for a connection tells more of its own hurry than of the member."""
_SLOW: Final = frozenset({Failure.CONNECT_TIMEOUT, Failure.READ_TIMEOUT})


class Cluster:
    """For the loop thread. `members` in the order of the settings."""

    def __init__(self, settings: ClusterSettings, context: UpstreamContext) -> None:
        self.settings = settings
        self.context = context
        self.name = settings.name
        self.tries = settings.tries
        self.wait_s = settings.pool.wait_s
        self.members = tuple(self._member(each) for each in settings.members)
        self._selection = make_selection(settings.balance)
        self._checks = None if settings.check is None else self._start_checks(settings.check)

    def _start_checks(self, settings: CheckSettings) -> Checks:
        from skitaid.upstream.check import Checks

        checks = Checks(self.name, self.context, settings)
        checks.start(self.members)
        return checks

    def _member(self, settings: MemberSettings) -> Member:
        version = _spoken(self.settings)
        health = MemberHealth(self.settings.health)
        make_http1 = None if version is HttpVersion.HTTP1 else partial(self._pool, settings, HttpVersion.HTTP1)
        return Member(settings.name, settings.weight, health, self._pool(settings, version), make_http1)

    def _pool(self, settings: MemberSettings, version: HttpVersion) -> Pool:
        endpoint = Endpoint(settings, self.settings.tls, version)
        prepare(endpoint)
        return Pool(self.context, endpoint, self.settings.pool)

    def request(self, call: Call, receiver: Receiver) -> ClusterExchange:
        """Make a call; `receiver` hears of it, but not before this has returned. Raises RequestError for a call that
        can't be put on the wire."""
        exchange = ClusterExchange(self, call, receiver)
        exchange.begin()
        return exchange

    def request_member(self, index: int, call: Call, receiver: Receiver) -> ClusterExchange:
        """Make a call to that one of `members`, whatever its health. Raises RequestError."""
        exchange = ClusterExchange(self, call, receiver, only=self.members[index])
        exchange.begin()
        return exchange

    def request_all(self, call: Call, receivers: Sequence[Receiver]) -> list[ClusterExchange]:
        """Make the same call to each of `members`, in their order and whatever their health: a receiver each. Its body
        is not one that comes in pieces. Raises RequestError."""
        pairs = zip(self.members, receivers, strict=True)
        exchanges = [ClusterExchange(self, call, receiver, only=member) for member, receiver in pairs]
        for exchange in exchanges:
            exchange.begin()
        return exchanges

    @property
    def in_flight(self) -> int:
        """Calls that are under way."""
        return sum(member.in_flight for member in self.members)

    # ------------------------------------------------------------ for exchanges

    def choose(self, exchange: ClusterExchange) -> Member | None:
        """Whose turn it is, of those that are let in and not tried yet."""
        now, members = self.context.engine.now, self.members
        tried = exchange.tried
        if not tried:
            if len(members) == 1:
                return members[0]
            welcome = admitted(members, now, is_risky=not exchange.is_safe)
        else:
            left = [member for member in members if member not in tried]
            error = exchange.last_error
            if error is not None and error.failure in _SLOW:
                # Waiting for members one after the other that are known to be dead helps nobody.
                is_risky = not exchange.is_safe
                welcome = [member for member in left if member.health.is_admitted(now, is_risky=is_risky)]
            else:
                welcome = admitted(left, now, is_risky=not exchange.is_safe)
        return self._selection.choose(welcome, exchange.call.affinity) if welcome else None

    def answered(self, member: Member) -> None:
        """A response came."""
        if member.health.succeeded():
            self.context.report(f"@{self.name}: {member.name} is back")

    def failed(self, member: Member, error: UpstreamError, *, is_members_fault: bool, waited_s: float = 0.0) -> None:
        """None came, or it was cut short. `waited_s`: as long as a connection took that was not made in time."""
        now, health = self.context.engine.now, member.health
        if not is_members_fault:
            health.abandoned(now)
        elif health.failed(now, is_costly=waited_s >= _LONG_S):
            wait_s = max(0.0, health.until - now)
            self.context.report(f"@{self.name}: {error}; it is left alone for {wait_s:.1f} s")

    # ------------------------------------------------------------ time

    def tick(self) -> None:
        """Once a second: have the pools close connections that are idle or old."""
        now = self.context.engine.now
        for member in self.members:
            for pool in member.pools:
                pool.tick(now)

    def close(self) -> None:
        """Everything ends; nobody is told."""
        if self._checks is not None:
            self._checks.close()
        for member in self.members:
            for pool in member.pools:
                pool.close()


def _spoken(settings: ClusterSettings) -> HttpVersion:
    """What may come to be spoken. Without TLS nobody can tell what a member prefers; and HTTP/2 is offered only where
    its package is installed, unless the conf insists."""
    if settings.version is HttpVersion.ANY and (settings.tls is None or not _has_http2()):
        return HttpVersion.HTTP1
    return settings.version


@cache
def _has_http2() -> bool:
    return find_spec("h2") is not None
