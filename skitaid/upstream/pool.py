"""The connections to one member: those that are idle, those in the making, and the calls that wait for one.

The connection that was used last is used next, so that the others grow old and are closed. A call that finds none idle
has one made, up to a limit, and takes whichever is free first: its own, or one that another call leaves.
"""

from __future__ import annotations

from typing import Final, Protocol

from skitaid.upstream.clients.http1 import Http1Connection
from skitaid.upstream.connect import Connected, Dial, Endpoint
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.settings import PoolSettings

__all__ = ["Pool", "Waiter"]

_PORTS: Final = {False: 80, True: 443}


class Waiter(Protocol):
    """A call that needs a connection. `connect_s`: how long making one may take. `is_safe`: nothing is lost if the
    connection turns out to be closed."""

    @property
    def connect_s(self) -> float: ...
    @property
    def is_safe(self) -> bool: ...

    def granted(self, connection: Http1Connection) -> None:
        """Here it is."""

    def failed(self, error: UpstreamError, *, is_stale: bool = False) -> None:
        """There is none. Called at most once, and then `granted` is not."""


class Pool:
    """`open`: connections that there are, in use or idle or in the making."""

    def __init__(self, context: UpstreamContext, endpoint: Endpoint, settings: PoolSettings) -> None:
        self._context = context
        self._endpoint = endpoint
        self._settings = settings
        self._host = _host_field(endpoint)
        self._idle: list[Http1Connection] = []
        self._in_use: set[Http1Connection] = set()
        self._dials: dict[Dial, Waiter] = {}
        # A call, and whether a connection is being made for it. In order.
        self._waiting: dict[Waiter, bool] = {}
        self._is_closed = False

    @property
    def open(self) -> int:
        """See the class."""
        return len(self._idle) + len(self._in_use) + len(self._dials)

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return len(self._waiting)

    def take(self, waiter: Waiter, *, is_fresh: bool = False) -> None:
        """Have a connection given to `waiter`, now or later. `is_fresh`: one that nobody has used."""
        idle = self._idle
        while idle and not is_fresh:
            connection = idle.pop()
            if waiter.is_safe or connection.is_still_open():
                self._in_use.add(connection)
                waiter.granted(connection)
                return
            connection.close()
        if self.open < self._settings.max_connections or self._make_room(is_fresh):
            self._waiting[waiter] = True
            self._dial(waiter)
        elif len(self._waiting) < self._settings.max_waiting:
            self._waiting[waiter] = False
        else:
            waiter.failed(self._saturated())

    def is_queued(self, waiter: Waiter) -> bool:
        """Whether it waits for others to be done: no connection is made for it."""
        return self._waiting.get(waiter) is False

    def give_up(self, waiter: Waiter) -> None:
        """It waits no longer. The connection made for it is for others."""
        self._waiting.pop(waiter, None)

    def queue_timed_out(self, waiter: Waiter) -> None:
        """It has waited for as long as it may."""
        if self._waiting.pop(waiter, None) is not None:
            waiter.failed(self._saturated())

    def _saturated(self) -> UpstreamError:
        detail = f"{self.open} connections are in use"
        return UpstreamError(Failure.SATURATED, detail, member=self._endpoint.member.name, is_unsent=True)

    def _make_room(self, is_fresh: bool) -> bool:
        if is_fresh and self._idle:
            self._idle[0].close()
            return True
        return False

    # ------------------------------------------------------------ connections in the making

    def _dial(self, waiter: Waiter) -> None:
        deadline = self._context.engine.now + waiter.connect_s
        dial = Dial(self._context, self._endpoint, deadline, self._dialled)
        self._dials[dial] = waiter
        dial.start()

    def _dialled(self, dial: Dial, result: Connected | UpstreamError) -> None:
        waiter = self._dials.pop(dial)
        if isinstance(result, UpstreamError):
            self._dial_failed(waiter, result)
            return
        connection = self._connection(result)
        self._in_use.add(connection)
        self.released(connection)

    def _connection(self, connected: Connected) -> Http1Connection:
        member = self._endpoint.member.name
        return Http1Connection(self._context.engine, connected.socket, self, member=member, host=self._host)

    def _dial_failed(self, waiter: Waiter, error: UpstreamError) -> None:
        """Whoever it was made for hears of it. Without any other connection so do those who wait for one to be free:
        each would find out for itself, one after the other."""
        told = [waiter] if self._waiting.pop(waiter, None) is not None else []
        if not self._in_use and not self._dials:
            told.extend(self._waiting)
            self._waiting.clear()
        for one in told:
            one.failed(error)
        self._dial_for_next()

    def _dial_for_next(self) -> None:
        """There is room for another connection."""
        if self._is_closed or self.open >= self._settings.max_connections:
            return
        for waiter, is_dialled in self._waiting.items():
            if not is_dialled:
                self._waiting[waiter] = True
                self._dial(waiter)
                return

    # ------------------------------------------------------------ of the connections

    def released(self, connection: Http1Connection) -> None:
        """It is free: for who waits longest, or for who comes."""
        now, settings = self._context.engine.now, self._settings
        if now - connection.born > settings.max_age_s or self._is_closed:
            connection.close()
            return
        if self._waiting:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            waiter.granted(connection)
            return
        self._in_use.discard(connection)
        if len(self._idle) < settings.max_idle and settings.keep_alive_s > 0:
            self._idle.append(connection)
        else:
            connection.close()

    def closed(self, connection: Http1Connection) -> None:
        """It is gone."""
        if connection in self._in_use:
            self._in_use.discard(connection)
        elif connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self._dial_for_next()

    # ------------------------------------------------------------ time

    def tick(self, now: float) -> None:
        """Once a second: close what has been idle for long, oldest first."""
        limit = now - self._settings.keep_alive_s
        old = [connection for connection in self._idle if connection.idle_since <= limit]
        for connection in old:
            connection.close()

    def close_idle(self) -> None:
        """Keep nothing open for later."""
        for connection in list(self._idle):
            connection.close()

    def close(self) -> None:
        """Nothing more is carried. Those in use end with their calls."""
        self._is_closed = True
        self.close_idle()
        for dial in list(self._dials):
            dial.cancel()
        self._dials.clear()


def _host_field(endpoint: Endpoint) -> bytes:
    """RFC 9110 section 7.2. A unix socket has no name that would mean anything to the member."""
    member = endpoint.member
    if member.path is not None:
        return b"localhost"
    host = member.host.encode("ascii" if member.host.isascii() else "idna")
    if ":" in member.host:
        host = b"[%b]" % host
    return host if member.port == _PORTS[endpoint.tls is not None] else b"%b:%d" % (host, member.port)
