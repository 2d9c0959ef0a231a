"""A master between the one that it follows and the one that follows it."""

from __future__ import annotations

import select
import socket

from skitaid.instance.legacy import Legacy, ask, give
from skitaid.supervisor.succession import CHANNEL_FD, PREDECESSOR_FD, Order, OrderReader, inherited

__all__ = ["Succession"]

_CHUNK = 65536


class Succession:
    """The ends of the channels that the supervisor gave, if one did. `legacy`: another master runs this instance, and
    goes on if we do not come up. `fds` must be closed in a forked child."""

    def __init__(self) -> None:
        self._channel = inherited(CHANNEL_FD)
        self._predecessor = inherited(PREDECESSOR_FD)
        self._reader = OrderReader()
        self.legacy: Legacy | None = None

    @property
    def fd(self) -> int | None:
        """Where orders come."""
        return None if self._channel is None else self._channel.fileno()

    @property
    def fds(self) -> list[int]:
        return [] if self._channel is None else [self._channel.fileno()]

    def inherit(self) -> Legacy | None:
        """What the other master leaves us; None: there is none, or it has ended. Raises LegacyError."""
        if self._predecessor is not None:
            with self._predecessor as predecessor:
                self.legacy = ask(predecessor)
            self._predecessor = None
        return self.legacy

    def hear(self, poll: select.poll) -> list[Order]:
        """The orders that came. When there can't be any more, `poll` forgets the channel."""
        if self._channel is None:
            return []
        data = _read(self._channel)
        if not data:
            poll.unregister(self._channel)
        return self._reader.feed(data)

    def give(self, to: int, legacy: Legacy) -> None:
        if self._channel is not None:
            give(self._channel, to, legacy)


def _read(channel: socket.socket) -> bytes:
    try:
        return channel.recv(_CHUNK)
    except ConnectionResetError:
        return b""
