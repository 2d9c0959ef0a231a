"""The connections to one member: those that are idle, those in the making, and the calls that wait for one.

The connection that was used last is used next, so that the others grow old and are closed. A call that finds none idle
has one made, up to a limit, and takes whichever is free first: its own, or one that another call leaves.

Connections of HTTP/2 carry many calls at a time. Where a member may speak it, calls wait for the first connection that
is made instead of having one made each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from skitaid.upstream.carrier import Connection, Peer
from skitaid.upstream.clients.http1 import Http1Connection
from skitaid.upstream.connect import Connected, Dial, Endpoint
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.settings import HttpVersion, PoolSettings
from skitaid.upstream.shared import Shared

if TYPE_CHECKING:
    from skitaid.upstream.clients.http2 import Http2Connection

__all__ = ["Pool", "Waiter"]

_AHEAD_S: Final = 1.0
_PORTS: Final = {False: 80, True: 443}


class Waiter(Protocol):
    """A call that needs a connection. `connect_s`: how long making one may take. `is_safe`: nothing is lost if the
    connection turns out to be closed."""

    @property
    def connect_s(self) -> float: ...
    @property
    def is_safe(self) -> bool: ...

    def granted(self, connection: Connection) -> None:
        """Here it is."""

    def failed(self, error: UpstreamError, *, is_stale: bool = False) -> None:
        """There is none. Called at most once, and then `granted` is not."""


class Pool:
    """The connections to a member, by either version of HTTP. On the loop thread."""

    def __init__(self, context: UpstreamContext, endpoint: Endpoint, settings: PoolSettings) -> None:
        self._context = context
        self._endpoint = endpoint
        self._settings = settings
        member = endpoint.member
        self._peer = Peer(member.name, _host_field(endpoint), endpoint.tls is not None, member.authorization)
        self._idle: list[Http1Connection] = []
        # Of HTTP/1.1: those that are idle, and those that are not.
        self._connections: set[Http1Connection] = set()
        self._dials: dict[Dial, Waiter] = {}
        # A call, and whether a connection is being made for it. In order.
        self._waiting: dict[Waiter, bool] = {}
        self._shared = Shared(self)
        self._may_share = _may_share(endpoint)
        self._is_closed = False

    @property
    def open(self) -> int:
        """Connections that there are: in use, idle, or in the making."""
        return len(self._connections) + len(self._shared.connections) + len(self._dials)

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return len(self._waiting)

    def take(self, waiter: Waiter, *, is_fresh: bool = False) -> None:
        """Have a connection given to `waiter`, now or later. `is_fresh`: one that nobody has used."""
        if self._may_share and not is_fresh:
            shared = self._shared.with_room()
            if shared is not None:
                waiter.granted(shared)
                return
        idle = self._idle
        while idle and not is_fresh:
            connection = idle.pop()
            if waiter.is_safe or (self._context.engine.now < connection.idle_until and connection.is_still_open()):
                waiter.granted(connection)
                return
            connection.close()
        if not self._is_one_coming() and self.open < self._settings.max_connections:
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

    # ------------------------------------------------------------ connections in the making

    def _is_one_coming(self) -> bool:
        """Whether what is on its way may do for all that wait."""
        return self._may_share and (bool(self._dials) or self._shared.is_promising)

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
        if result.protocol == "h2" or self._endpoint.version is HttpVersion.HTTP2:
            self._share(waiter, result)
            return
        connection = self._connection(result)
        self._connections.add(connection)
        self.released(connection)
        if self._may_share:
            # Those that waited for it hoped for HTTP/2.
            self._may_share = False
            self._dial_for_all()

    def _share(self, waiter: Waiter, connected: Connected) -> None:
        """A connection of HTTP/2."""
        member = self._endpoint.member.name
        if self._endpoint.tls is not None and connected.protocol != "h2":
            connected.socket.close()
            text = "the member does not speak HTTP/2, which its conf asks for"
            self._dial_failed(waiter, UpstreamError(Failure.INVALID, text, member=member, is_unsent=True))
            return
        from skitaid.upstream.clients.http2 import Http2Connection

        connection = Http2Connection(self._context.engine, connected.socket, self._shared, self._peer)
        self._may_share = True
        self._shared.connections.append(connection)
        self.shared_released(connection)
        if waiter in self._waiting:
            # There was no room for it: others came first.
            self._waiting[waiter] = False

    def _connection(self, connected: Connected) -> Http1Connection:
        return Http1Connection(self._context.engine, connected.socket, self, self._peer)

    def _dial_failed(self, waiter: Waiter, error: UpstreamError) -> None:
        """Whoever it was made for hears of it. Without any other connection so do those who wait for one to be free:
        each would find out for itself, one after the other."""
        told = [waiter] if self._waiting.pop(waiter, None) is not None else []
        if not self.open:
            told.extend(self._waiting)
            self._waiting.clear()
        for one in told:
            one.failed(error)
        self._dial_for_next()

    def _dial_for_next(self) -> None:
        """There is room for another connection."""
        if self._is_closed or self.open >= self._settings.max_connections or self._is_one_coming():
            return
        for waiter, is_dialled in self._waiting.items():
            if not is_dialled:
                self._waiting[waiter] = True
                self._dial(waiter)
                return

    def _dial_for_all(self) -> None:
        for _ in range(len(self._waiting)):
            self._dial_for_next()

    # ------------------------------------------------------------ of the connections

    def shared_released(self, connection: Http2Connection) -> None:
        """A connection of HTTP/2 may have room, for the calls that wait longest."""
        while self._waiting and connection.has_room:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            waiter.granted(connection)
        if self._waiting and connection.is_settled:
            self._dial_for_next()

    def shared_closed(self) -> None:
        """A connection of HTTP/2 is closed: there is room for another."""
        if self._waiting:
            self._dial_for_next()

    def released(self, connection: Http1Connection) -> None:
        """A connection of HTTP/1.1 is free: for the call that waits longest, else for the next that comes."""
        now, settings = self._context.engine.now, self._settings
        if now - connection.born > settings.max_age_s or self._is_closed:
            connection.close()
            return
        if self._waiting:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            waiter.granted(connection)
            return
        keep_s, theirs_s = settings.keep_alive_s, connection.keep_alive_s
        if theirs_s is not None:
            # Before the member closes it, or a request would meet its goodbye.
            keep_s = min(keep_s, theirs_s - _AHEAD_S)
        if len(self._idle) < settings.max_idle and keep_s > 0:
            connection.idle_until = now + keep_s
            self._idle.append(connection)
        else:
            connection.close()

    def closed(self, connection: Http1Connection) -> None:
        """A connection of HTTP/1.1 is closed: there is room for another."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self._dial_for_next()

    # ------------------------------------------------------------ time

    def tick(self, now: float) -> None:
        """Once a second: close what has been idle for long."""
        for connection in [connection for connection in self._idle if connection.idle_until <= now]:
            connection.close()
        if self._may_share:
            limit = now - self._settings.keep_alive_s
            self._shared.tick(idle_before=limit, born_before=now - self._settings.max_age_s)

    def close(self) -> None:
        """Everything ends; nobody is told."""
        self._is_closed = True
        self._waiting.clear()
        for connection in (*self._connections, *self._shared.connections):
            connection.close()
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


def _may_share(endpoint: Endpoint) -> bool:
    """Without TLS nobody can tell what a member speaks but its conf."""
    if endpoint.version is HttpVersion.HTTP2:
        return True
    return endpoint.version is HttpVersion.ANY and endpoint.tls is not None
