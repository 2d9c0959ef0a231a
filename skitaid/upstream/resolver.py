"""Names to addresses, without blocking the loop: look-ups are made in threads, and answers are kept.

An answer is fresh for `refresh_s`. An older one is still given at once while the name is looked up anew, for up to
STALE_FACTOR times as long; after that callers wait for the look-up. When a look-up fails, the old answer is kept: an
address that worked yesterday is better than none. Literal addresses are answered at once and for good.

Callers that ask for a name while it is looked up share the look-up. Everything happens on the loop thread, but the
look-up itself; at most MAX_THREADS are under way at a time, the others wait their turn.
"""

from __future__ import annotations

import socket
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from skitaid.protocols.hosts import uri_host
from skitaid.upstream.errors import Failure, UpstreamError

__all__ = ["Address", "Answer", "OnAnswer", "Resolver", "literal", "unix_address"]

MAX_THREADS: Final = 4
MAX_NAMES: Final = 1024
STALE_FACTOR: Final = 10
RETRY_S: Final = 1.0
"""After a look-up that failed: a thousand calls a second must not be a thousand look-ups."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect: `socket.socket(family)` and its `connect(sockaddr)`."""

    family: socket.AddressFamily
    sockaddr: Any

    def __str__(self) -> str:
        if self.family is socket.AF_UNIX:
            return f"unix:{self.sockaddr}"
        host, port = self.sockaddr[:2]
        return f"{uri_host(host)}:{port}"


Answer = tuple[Address, ...]
"""At least one, in the order in which they are to be tried (RFC 6724)."""
OnAnswer = Callable[[Answer | UpstreamError], None]
LookUp = Callable[[str, int], Answer]
_Key = tuple[str, int]


def unix_address(path: str) -> Address:
    """The address of a unix socket."""
    return Address(socket.AF_UNIX, path)


def literal(host: str, port: int) -> Answer:
    """The address that `host` is; () when it is a name. Does not block."""
    try:
        return _addresses(host, port, socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        return ()


class Portal(Protocol):
    """The way back onto the loop thread: engine.portal."""

    def call(self, function: Callable[[], None]) -> None: ...


@dataclass(slots=True)
class _Entry:
    """What is known of a name. `look_at`: no look-up before that time. `usable_until`: so long `answer` is given at
    once while a look-up is under way. `error`: of the look-up before, when there is no answer."""

    answer: Answer = ()
    error: UpstreamError | None = None
    look_at: float = float("-inf")
    usable_until: float = float("-inf")
    is_under_way: bool = False
    waiting: list[OnAnswer] = field(default_factory=list)


class Resolver:
    """One a worker. `clock` in seconds; `look_up` blocks, and raises OSError when there is no address."""

    def __init__(
        self,
        portal: Portal,
        *,
        clock: Callable[[], float],
        refresh_s: float = 30.0,
        look_up: LookUp | None = None,
    ) -> None:
        self._portal = portal
        self._clock = clock
        self._refresh_s = refresh_s
        self._look_up = look_up or _addresses
        self._entries: dict[_Key, _Entry] = {}
        self._queue: deque[_Key] = deque()
        self._running = 0

    def resolve(self, host: str, port: int, on_answer: OnAnswer) -> None:
        """Have `on_answer` called with the addresses, or with the error (`Failure.UNRESOLVED`): at once, before this
        returns, if something is known, else when the look-up is done. It must not raise."""
        key = (host, port)
        entry = self._entries.get(key) or self._admit(key)
        if entry is None:
            on_answer(_error(host, "too many names are looked up"))
            return
        now = self._clock()
        if now >= entry.look_at:
            self._begin(key, entry)
            if now >= entry.usable_until:
                entry.waiting.append(on_answer)
                return
        on_answer(entry.answer or entry.error or _error(host, "nothing is known"))

    def close(self) -> None:
        """Answer nobody any more. Look-ups that are under way end with their threads, or with the process."""
        self._queue.clear()
        self._entries.clear()

    def _admit(self, key: _Key) -> _Entry | None:
        """An entry for a new name; None when there is no room, as all others are being looked up."""
        if len(self._entries) >= MAX_NAMES:
            oldest = next((old for old, entry in self._entries.items() if not entry.is_under_way), None)
            if oldest is None:
                return None
            del self._entries[oldest]
        entry = self._entries[key] = _Entry(answer=literal(*key))
        if entry.answer:
            entry.look_at = entry.usable_until = float("inf")
        return entry

    def _begin(self, key: _Key, entry: _Entry) -> None:
        if not entry.is_under_way:
            entry.is_under_way = True
            self._queue.append(key)
            self._start_next()

    def _start_next(self) -> None:
        while self._queue and self._running < MAX_THREADS:
            key = self._queue.popleft()
            self._running += 1
            threading.Thread(target=self._work, args=(key,), name=f"look-up of {key[0]}", daemon=True).start()

    def _work(self, key: _Key) -> None:
        """A thread's root."""
        result: Answer | UpstreamError
        try:
            result = self._look_up(*key) or _error(key[0], "no address")
        except (OSError, ValueError) as error:
            result = _error(key[0], getattr(error, "strerror", None) or str(error))
        except Exception as error:  # noqa: BLE001  # a root: those who wait must hear of it
            traceback.print_exc(file=sys.stderr)
            result = _error(key[0], repr(error))
        self._portal.call(partial(self._done, key, result))

    def _done(self, key: _Key, result: Answer | UpstreamError) -> None:
        self._running -= 1
        self._start_next()
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.is_under_way = False
        self._note(entry, result)
        waiting, entry.waiting = entry.waiting, []
        for on_answer in waiting:
            on_answer(entry.answer or result)

    def _note(self, entry: _Entry, result: Answer | UpstreamError) -> None:
        now = self._clock()
        if isinstance(result, UpstreamError):
            entry.error = result
            entry.look_at = now + RETRY_S
            if entry.answer:
                # until the look-up after this one has failed as well, nobody waits for it
                entry.usable_until = max(entry.usable_until, now + self._refresh_s * STALE_FACTOR)
        else:
            entry.answer = result
            entry.look_at = now + self._refresh_s
            entry.usable_until = now + self._refresh_s * STALE_FACTOR


def _error(host: str, detail: str) -> UpstreamError:
    return UpstreamError(Failure.UNRESOLVED, f"{host}: {detail}", is_unsent=True)


def _addresses(host: str, port: int, flags: int = 0) -> Answer:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return tuple(Address(family, sockaddr) for family, _type, _protocol, _name, sockaddr in found)
