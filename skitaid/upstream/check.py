"""Members that are asked how they are: a GET every some seconds, whatever calls they have. See upstream.health for what
becomes of the answers.

Only clusters that ask for it have checks, and each worker makes its own. A check goes the way of a call, so that it
finds what a call would find: name, connection, TLS and all; but it says nothing to the health that calls have found.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from skitaid.protocols.response_head import ResponseHead
from skitaid.upstream.call import Call, CallTimeouts, Fields, Tunnel
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.errors import UpstreamError
from skitaid.upstream.exchange import ClusterExchange
from skitaid.upstream.member import Member
from skitaid.upstream.settings import CheckSettings

__all__ = ["Checks"]

MAX_BODY_BYTES: Final = 65536
"""Enough to leave the connection usable behind the page that a health check is."""
_SPREAD: Final = 0.2
_FIELDS: Final = ((b"user-agent", b"skitaid"), (b"accept", b"*/*"))


class Checks:
    """Those of one cluster. `jitter` gives numbers from 0 to 1: intervals differ by up to a tenth to either side, so
    that workers do not ask in step, and the first check of a member is made within its first interval."""

    def __init__(
        self, name: str, context: UpstreamContext, settings: CheckSettings, jitter: Callable[[], float] = random.random
    ) -> None:
        self.name = name
        self.context = context
        self.tries = 1
        self.wait_s = settings.timeout_s
        self._settings = settings
        self._jitter = jitter
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._is_closed = False

    def start(self, members: Iterable[Member]) -> None:
        """Ask these members from now on, each at a time of its own."""
        for member in members:
            self._later(member, self._settings.interval_s * self._jitter())

    def close(self) -> None:
        """Ask nobody any more."""
        self._is_closed = True
        for timer in self._timers.values():
            timer.cancel()

    def _later(self, member: Member, seconds: float) -> None:
        if not self._is_closed:
            self._timers[member.name] = self.context.engine.loop.call_later(seconds, self._check, member)

    def _check(self, member: Member) -> None:
        if self._is_closed:
            return
        settings = self._settings
        timeouts = CallTimeouts(settings.timeout_s, settings.timeout_s, settings.timeout_s)
        call = Call("GET", settings.target, _FIELDS, host=settings.host, timeouts=timeouts)
        look = _Look(partial(self._told, member))
        look.exchange = ClusterExchange(self, call, look, only=member)
        look.exchange.begin()

    def _told(self, member: Member, trouble: str) -> None:
        if member.health.checked(not trouble):
            path = self._settings.target.decode("latin-1")
            verdict = f"gets no calls: {path} {trouble}" if trouble else f"is well again: {path}"
            self.context.report(f"@{self.name}: {member.name} {verdict}")
        self._later(member, self._settings.interval_s * (1 - _SPREAD / 2 + _SPREAD * self._jitter()))

    # ------------------------------------------------------------ for exchanges

    def choose(self, exchange: ClusterExchange) -> Member | None:
        """Nobody: a check is of one member."""
        return None

    def answered(self, member: Member) -> None:
        """See exchange.ExchangeCluster: what a check found is told by its receiver; calls judge for themselves."""
        member.health.abandoned(self.context.engine.now)

    def failed(self, member: Member, error: UpstreamError, *, is_members_fault: bool, waited_s: float = 0.0) -> None:
        """As with `answered`."""
        member.health.abandoned(self.context.engine.now)


class _Look:
    """The receiver of a check. `tell` hears what is wrong, "" for nothing, once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._status = 0
        self._left = MAX_BODY_BYTES
        self.exchange: ClusterExchange | None = None

    def on_information(self, head: ResponseHead) -> None:
        """Says nothing."""

    def on_response(self, head: ResponseHead) -> None:
        self._status = head.status

    def on_data(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0 and self.exchange is not None:
            self.exchange.cancel()
            self._judge()

    def on_flush(self) -> None:
        """Says nothing."""

    def on_end(self, trailers: Fields) -> None:
        self._judge()

    def on_failure(self, error: UpstreamError) -> None:
        self._tell(f"fails: {error}")

    def on_writable(self) -> None:
        """There is nothing to write."""

    def on_upgrade(self, head: ResponseHead, tunnel: Tunnel) -> None:
        """Nobody asked for it."""

    def _judge(self) -> None:
        self._tell("" if 200 <= self._status < 400 else f"answers {self._status}")
