"""Servers that let nobody in, and what came of asking. It is believed for a while: of ten thousand mails not each has
to hear it for itself, and a wrong password that is said that often gets an account locked."""

from __future__ import annotations

import time
from collections.abc import Callable

from skitaid.agents.smtpda.envelope import Route
from skitaid.agents.smtpda.errors import AccessError, DeliveryError

__all__ = ["BELIEVED_MOST_S", "MENDED_S", "Refusals"]

BELIEVED_MOST_S = 60.0
"""Until a server is asked again."""
BELIEVED_LEAST_S = 1.0
"""What is shorter is not worth remembering: a connection that is refused takes a millisecond."""
MENDED_S = 2.0
"""Nobody mends a thing in less."""


class Refusals:
    """Any thread's. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[Route, tuple[float, float, DeliveryError]] = {}
        """When, until when it is believed, and what."""

    @property
    def now(self) -> float:
        return self._clock()

    def check(self, route: Route) -> None:
        """Raises DeliveryError: what asking this server came to, not long ago."""
        found = self._said.get(route)
        if found is not None and self._clock() < found[1]:
            raise type(found[2])(str(found[2]))

    def note(self, route: Route, error: DeliveryError, asked_at: float) -> None:
        """A login or TLS that a server refuses is believed for `BELIEVED_MOST_S`; that it does not answer, for as long
        as finding that out took, so that it costs a courier half of its time at most."""
        now = self._clock()
        for old in [each for each, (_, until, _) in self._said.copy().items() if until <= now]:
            self._said.pop(old, None)
        believed_s = BELIEVED_MOST_S if isinstance(error, AccessError) else min(now - asked_at, BELIEVED_MOST_S)
        if believed_s >= BELIEVED_LEAST_S:
            self._said[route] = (now, now + believed_s, error)

    def forget(self) -> None:
        """A person says that it is mended; what was said since is not forgotten."""
        now = self._clock()
        for old in [each for each, (said_at, _, _) in self._said.copy().items() if now - said_at >= MENDED_S]:
            self._said.pop(old, None)
