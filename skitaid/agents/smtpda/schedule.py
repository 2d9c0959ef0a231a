"""Which mails wait for their time. Pure: the time is given."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

__all__ = ["Schedule"]


class Schedule:
    """Ids with the time they are due, and ids that are held."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._held: set[str] = set()

    def __len__(self) -> int:
        """Those that are not held."""
        return len(self._due)

    def __contains__(self, mail_id: str) -> bool:
        return mail_id in self._due or mail_id in self._held

    def ids(self) -> list[str]:
        """Those that are not held."""
        return list(self._due)

    @property
    def held(self) -> int:
        return len(self._held)

    def add(self, mail_id: str, due_s: float) -> None:
        """Also: at another time; also: held no more."""
        self._held.discard(mail_id)
        self._due[mail_id] = due_s
        heappush(self._heap, (due_s, mail_id))

    def hold(self, mail_id: str) -> None:
        self._due.pop(mail_id, None)
        self._held.add(mail_id)

    def drop(self, mail_id: str) -> None:
        self._due.pop(mail_id, None)
        self._held.discard(mail_id)

    def take_due(self, now: float) -> Iterator[str]:
        """Those whose time has come, in order; each is forgotten when it is given, not before."""
        while self._heap and self._heap[0][0] <= now:
            due_s, mail_id = heappop(self._heap)
            if self._due.get(mail_id) == due_s:
                del self._due[mail_id]
                yield mail_id

    def next_s(self) -> float | None:
        """When the next may be due."""
        return self._heap[0][0] if self._heap else None
