"""The threads that deliver. One is started when there is more to do than those that are there can take at once, and
leaves when it had nothing to do for a while; an idle agent has none.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from skitaid.agents.smtpda.envelope import Route
from skitaid.agents.smtpda.ready_queue import Key, ReadyQueue
from skitaid.agents.smtpda.session import Session

__all__ = ["Couriers", "Limits", "ServeResult"]

IDLE_S = 5.0
"""A connection is kept that long for the next mail; servers like it when clients do not linger."""
UNREACHABLE_MOST = 1000
"""Servers that are known to be so; apps may name another one with each mail."""
STAY_MAX = 50
"""Mails for one server in a row, while others wait for a courier."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Couriers at the same time: in all, and for one server. `home`: the server of the conf; others never have all
    couriers, if there are several, whatever apps name as theirs and however long those take."""

    total: int = 4
    per_host: int = 4
    home: Route | None = None


@dataclass(frozen=True, slots=True)
class ServeResult:
    """How it went: the session, if it can be used again, and whether the server was reached."""

    session: Session | None
    is_reachable: bool


Serve = Callable[[str, Route, Session | None], ServeResult]
"""Delivers one mail, over the session if there is one (it is to that server). Never raises."""


class Couriers:
    """The threads, and the queue of mails that wait for them."""

    def __init__(self, limits: Limits, serve: Serve) -> None:
        self.limits = limits
        self._serve = serve
        self._changed = threading.Condition()
        self._ready = ReadyQueue()
        self._active: dict[str, Route] = {}
        self._again: dict[str, Key] = {}
        """What is due again while a courier has it: an agent that starts meets a bounce in the queue, and hears of it
        once more from the mail that it speaks of. It must not have two couriers."""
        self._unreachable: set[Route] = set()
        self._threads = 0
        self._idle = 0
        self._is_stopping = False

    def add(self, key: Key, mail_id: str) -> None:
        """A mail that is due."""
        with self._changed:
            if mail_id in self._active:
                self._again[mail_id] = key
            elif mail_id not in self._ready:
                self._ready.add(key, mail_id)
                self._changed.notify()
                self._reinforce()

    def drop(self, mail_id: str) -> bool:
        """Take back a mail that nobody has begun with."""
        with self._changed:
            return self._ready.drop(mail_id)

    def is_active(self, mail_id: str) -> bool:
        with self._changed:
            return mail_id in self._active

    def change(self, limits: Limits, serve: Serve) -> list[str]:
        """Work otherwise from the next mail on. Mails that nobody has begun with are given back: they may have to go
        elsewhere now."""
        with self._changed:
            self.limits, self._serve = limits, serve
            again = list(self._again)
            self._again.clear()
            return self._ready.clear() + again

    @property
    def in_hand(self) -> int:
        """Mails that are due, begun with or not."""
        with self._changed:
            return len(self._ready) + len(self._active)

    @property
    def is_over(self) -> bool:
        """After `stop`: every courier has left."""
        with self._changed:
            return not self._threads

    def stop(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def _reinforce(self) -> None:
        if self._is_stopping or self._threads >= self.limits.total or self._idle >= len(self._ready):
            return
        if self._ready.has_room_for(self._may):
            self._threads += 1
            threading.Thread(target=self._run, name="courier", daemon=True).start()

    def _may(self, route: Route) -> bool:
        """A server that could not be reached gets one courier at a time, until it answers: the others are for mail that
        can go."""
        most = 1 if route in self._unreachable else self.limits.per_host
        if sum(active == route for active in self._active.values()) >= most:
            return False
        if self.limits.home in (None, route):
            return True
        others = sum(active != self.limits.home for active in self._active.values())
        return others < max(1, self.limits.total - 1)

    # ------------------------------------------------------------ in a courier's thread

    def _run(self) -> None:
        session: Session | None = None
        stay: Counter[Route] = Counter()
        try:
            while (taken := self._next(session, stay)) is not None:
                session = self._carry(*taken, session)
        finally:
            with self._changed:
                self._threads -= 1
            if session is not None:
                session.quit()

    def _next(self, session: Session | None, stay: Counter[Route]) -> tuple[Route, str] | None:
        prefer = session.route if session is not None and stay[session.route] < STAY_MAX else None
        with self._changed:
            taken = self._take(prefer)
            if taken is None and not self._is_stopping:
                self._idle += 1
                self._changed.wait_for(lambda: self._is_stopping or self._ready.has_room_for(self._may), IDLE_S)
                self._idle -= 1
                taken = self._take(prefer)
            if taken is None:
                return None
            key, mail_id = taken
            self._active[mail_id] = key.route
            if stay[key.route] >= STAY_MAX or key.route not in stay:
                stay.clear()
            stay[key.route] += 1
            return key.route, mail_id

    def _learn(self, route: Route, *, is_reachable: bool) -> None:
        self._unreachable.discard(route)
        if not is_reachable:
            if len(self._unreachable) == UNREACHABLE_MOST:
                self._unreachable.clear()
            self._unreachable.add(route)

    def _take(self, prefer: Route | None) -> tuple[Key, str] | None:
        return None if self._is_stopping else self._ready.take(self._may, prefer)

    def _carry(self, route: Route, mail_id: str, session: Session | None) -> Session | None:
        if session is not None and session.route != route:
            session.quit()
            session = None
        result = ServeResult(None, is_reachable=True)
        try:
            result = self._serve(mail_id, route, session)
        finally:
            # At once: whoever takes the next mail has to know of the server.
            with self._changed:
                del self._active[mail_id]
                if mail_id in self._again:
                    self._ready.add(self._again.pop(mail_id), mail_id)
                self._learn(route, is_reachable=result.is_reachable)
                self._changed.notify()
                self._reinforce()
        return result.session
