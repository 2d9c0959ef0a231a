"""The connections of a pool that carry many calls at a time: those of HTTP/2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from skitaid.upstream.clients.http2 import Http2Connection

__all__ = ["Shared", "SharedPool"]


class SharedPool(Protocol):
    """The pool, as they see it."""

    def shared_released(self, connection: Http2Connection) -> None:
        """A connection may have room for another call."""

    def shared_closed(self) -> None:
        """A connection is closed."""


class Shared:
    """The connections of HTTP/2 to one member, which carry many calls each."""

    def __init__(self, pool: SharedPool) -> None:
        self._pool = pool
        self.connections: list[Http2Connection] = []

    def with_room(self) -> Http2Connection | None:
        """One that takes another call: the oldest, so that the others fall idle when there is little to do."""
        return next((connection for connection in self.connections if connection.has_room), None)

    @property
    def is_promising(self) -> bool:
        """Whether one is so new that nobody knows yet how many calls it takes."""
        return any(not connection.is_settled and not connection.is_retired for connection in self.connections)

    def released(self, connection: Http2Connection) -> None:
        """See Http2Owner: a call is done."""
        self._pool.shared_released(connection)

    def closed(self, connection: Http2Connection) -> None:
        """See Http2Owner: the connection is closed."""
        if connection in self.connections:
            self.connections.remove(connection)
            self._pool.shared_closed()

    def tick(self, *, idle_before: float, born_before: float) -> None:
        """Close those that have been idle since before that time, and let those that are as old take no more calls."""
        for connection in list(self.connections):
            if connection.born <= born_before or (not connection.in_flight and connection.idle_since <= idle_before):
                connection.retire()
