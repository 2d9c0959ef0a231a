"""Readiness of file descriptors: epoll, or the same interface over the `selectors` module where there is no epoll."""

from __future__ import annotations

import select
import selectors
from typing import Final, Protocol

__all__ = ["ERROR", "EXCLUSIVE", "HANG_UP", "READ", "WRITE", "Poller", "make_poller"]

# epoll's numbers, everywhere.
READ: Final = 0x001
WRITE: Final = 0x004
ERROR: Final = 0x008
HANG_UP: Final = 0x010
EXCLUSIVE: Final = 1 << 28
"""Of several processes that wait on one listening socket, wake one (Linux 4.5)."""


class Poller(Protocol):
    """The part of select.epoll that is used here."""

    def register(self, fd: int, eventmask: int = ...) -> None: ...
    def modify(self, fd: int, eventmask: int) -> None: ...
    def unregister(self, fd: int) -> None: ...
    def poll(self, timeout: float | None = ..., maxevents: int = ...) -> list[tuple[int, int]]: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...


class PortablePoller:
    """A Poller over selectors.DefaultSelector; an empty mask is kept aside, as selectors refuse one."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._muted: set[int] = set()

    def register(self, fd: int, eventmask: int = READ) -> None:
        events = _to_selectors(eventmask)
        if events:
            self._selector.register(fd, events)
        else:
            self._muted.add(fd)

    def modify(self, fd: int, eventmask: int) -> None:
        self.unregister(fd)
        self.register(fd, eventmask)

    def unregister(self, fd: int) -> None:
        if fd in self._muted:
            self._muted.discard(fd)
            return
        try:
            self._selector.unregister(fd)
        except KeyError as error:
            raise OSError(f"descriptor {fd} is not registered") from error

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        ready = self._selector.select(timeout)
        return [(key.fd, _from_selectors(events)) for key, events in ready]

    def close(self) -> None:
        self._selector.close()

    def fileno(self) -> int:
        return -1


def make_poller() -> Poller:
    """The best that the platform has."""
    if hasattr(select, "epoll"):
        return select.epoll()
    return PortablePoller()


def _to_selectors(mask: int) -> int:
    return (selectors.EVENT_READ if mask & READ else 0) | (selectors.EVENT_WRITE if mask & WRITE else 0)


def _from_selectors(events: int) -> int:
    return (READ if events & selectors.EVENT_READ else 0) | (WRITE if events & selectors.EVENT_WRITE else 0)
