"""The order in which mails are delivered. Pure.

Mails stand in a queue for each server and sender, and the queues take turns: a thousand mails of one sender do not
hold up one mail of another, and a server that is down only its own.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from skitaid.agents.smtpda.envelope import Route

__all__ = ["Key", "ReadyQueue"]


@dataclass(frozen=True, slots=True)
class Key:
    """Mails with the same key are delivered in the order in which they came."""

    route: Route
    sender: str


class ReadyQueue:
    """Ids of mails that are due, and wait for a courier."""

    def __init__(self) -> None:
        self._queues: dict[Key, deque[str]] = {}
        self._routes: Counter[Route] = Counter()
        self._ids: set[str] = set()

    def __contains__(self, mail_id: str) -> bool:
        return mail_id in self._ids

    def __len__(self) -> int:
        return self._routes.total()

    def add(self, key: Key, mail_id: str) -> None:
        """Put a mail, which is not in the queue, at the end."""
        self._queues.setdefault(key, deque()).append(mail_id)
        self._ids.add(mail_id)
        self._routes[key.route] += 1

    def has_room_for(self, may: Callable[[Route], bool]) -> bool:
        """Whether `take` would give something."""
        return any(may(route) for route in self._routes)

    def take(self, may: Callable[[Route], bool], prefer: Route | None = None) -> tuple[Key, str] | None:
        """The next mail whose server `may` get one more courier, None: there is none; one for the server `prefer`, if
        there is any. Its queue goes to the end."""
        able = {route for route in self._routes if may(route)}
        if prefer in able:
            able = {prefer}
        key = next((key for key in self._queues if key.route in able), None)
        if key is None:
            return None
        queue = self._queues.pop(key)
        mail_id = queue.popleft()
        self._ids.discard(mail_id)
        if queue:
            self._queues[key] = queue
        self._took(key)
        return key, mail_id

    def drop(self, mail_id: str) -> bool:
        """Take a mail out of the queue; whether it was in it."""
        for key, queue in self._queues.items():
            if mail_id in queue:
                queue.remove(mail_id)
                self._ids.discard(mail_id)
                if not queue:
                    del self._queues[key]
                self._took(key)
                return True
        return False

    def clear(self) -> list[str]:
        """All of them, taken out."""
        left = [mail_id for queue in self._queues.values() for mail_id in queue]
        self._queues.clear()
        self._routes.clear()
        self._ids.clear()
        return left

    def _took(self, key: Key) -> None:
        self._routes[key.route] -= 1
        if not self._routes[key.route]:
            del self._routes[key.route]
