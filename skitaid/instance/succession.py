"""A master between the one that it follows and the one that follows it."""

from __future__ import annotations

import select
import socket

from skitaid.instance.inheritance import Inheritance, ask, give
from skitaid.supervisor.succession import CHANNEL_FD, PREDECESSOR_FD, Order, OrderReader, inherited

__all__ = ["Succession"]

_CHUNK = 65536


class Succession:
    """The ends of the channels that the supervisor gave, if one did. `inheritance`: what the master that runs this
    instance gave us; it goes on if we do not come up. `fds` must be closed in a forked child."""

    def __init__(self) -> None:
        self._channel = inherited(CHANNEL_FD)
        self._predecessor = inherited(PREDECESSOR_FD)
        self._reader = OrderReader()
        self.inheritance: Inheritance | None = None

    @property
    def fd(self) -> int | None:
        """Where orders come."""
        return None if self._channel is None else self._channel.fileno()

    @property
    def fds(self) -> list[int]:
        return [] if self._channel is None else [self._channel.fileno()]

    def inherit(self) -> Inheritance | None:
        """What the other master leaves us; None: there is none, or it has ended. Raises InheritanceError."""
        if self._predecessor is not None:
            with self._predecessor as predecessor:
                self.inheritance = ask(predecessor)
            self._predecessor = None
        return self.inheritance

    def hear(self, poll: select.poll) -> list[Order]:
        """The orders that came. When there can't be any more, `poll` forgets the channel."""
        if self._channel is None:
            return []
        data = _read(self._channel)
        if not data:
            poll.unregister(self._channel)
        return self._reader.feed(data)

    def give(self, to: int, inheritance: Inheritance) -> None:
        if self._channel is not None:
            give(self._channel, to, inheritance)


def _read(channel: socket.socket) -> bytes:
    try:
        return channel.recv(_CHUNK)
    except ConnectionResetError:
        return b""
