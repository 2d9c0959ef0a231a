"""The engine of one worker: loop, listeners, connections, app threads, and what happens every second."""

from __future__ import annotations

import socket
import sys
import time
import traceback
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from skitaid.engine.accepted import AcceptedSocket
from skitaid.engine.access import AccessLog, record_of, refusal_record
from skitaid.engine.body import RequestBody
from skitaid.engine.connection import Connection
from skitaid.engine.disk import DiskThreads
from skitaid.engine.http1_connection import Http1Connection
from skitaid.engine.listener import Listener, Peer, Security
from skitaid.engine.phase import Phase
from skitaid.engine.portal import Portal
from skitaid.engine.proxy_headers import ProxyHeaders
from skitaid.engine.quota import Admission, Quota
from skitaid.engine.secure import SecureSocket
from skitaid.engine.selector import EngineLoop, EngineSelector
from skitaid.engine.settings import EngineSettings
from skitaid.engine.spool import Spool
from skitaid.engine.stream import Fields, Stream
from skitaid.engine.threads import BUSY_WAIT_S, AppThreads
from skitaid.engine.transaction import gtxnid_source
from skitaid.logs.request import Record
from skitaid.protocols.dates import http_date
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.response import Stamp
from skitaid.protocols.http1.server import Http1Server
from skitaid.protocols.http2.limits import Http2Limits

if TYPE_CHECKING:
    from skitaid.engine.http2_connection import Http2Connection

__all__ = ["Engine", "Handler"]

TICK_S: Final = 1.0
RETRY_AFTER_S: Final = 1
ROOM_AFTER_S: Final = 60
"""A disk that is full is not empty a second later."""
_NO_ROOM: Final = 507
FRESH_S: Final = 1.0
"""How long a connection that was made secure while the worker drains is not taken for an idle one."""
ROOM_SHARE: Final = 16
"""Of the idle connections, one in so many goes when room is needed: looking for them costs as much as closing them."""


class Handler(Protocol):
    """The way into `handlers`: everything that answers requests."""

    def dispatch(self, stream: Stream) -> None:
        """Answer a request whose head is complete, now or later. On the loop thread; must not block."""

    def error_page(self, stream: Stream | None, code: int, text: str) -> tuple[str, Fields, bytes]:
        """Status, fields and body for an error of the engine's; `stream` None when there was no request."""


class Engine:
    """Made in the worker, after the fork. `now` is the time of `clock`, in seconds, taken once a batch; `requests`
    counts the responses done."""

    def __init__(
        self,
        settings: EngineSettings,
        handler: Handler,
        *,
        log: AccessLog | Callable[[Record], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.handler = handler
        self.selector = EngineSelector()
        self.loop = EngineLoop(self.selector)
        self.portal = Portal(self.selector)
        self.disk = DiskThreads(self.portal)
        self.spool = None if settings.spool is None else Spool(settings.spool, self.disk)
        self._clock = clock
        self.now = clock()
        self.stamp = Stamp()
        self.is_draining = False
        self.requests = 0
        self._done = count(1)
        self.batch = 0
        self.on_tick: list[Callable[[], None]] = []
        self._note: Callable[[Stream, int], None] | None = None
        self._note_record: Callable[[Record], None] | None = None
        if isinstance(log, AccessLog):
            self._note, self._note_record = log.note, log.note_record
        elif log is not None:
            self._note, self._note_record = _recorder(log), log
        self._is_unlogged = settings.is_unlogged
        self.next_gtxnid = gtxnid_source()
        self.proxy_headers = ProxyHeaders(settings.trusted)
        self._connections: set[AcceptedSocket] = set()
        self._spared_until: dict[AcceptedSocket, float] = {}
        self._of_http2: set[Http2Connection] = set()
        self._quota = Quota(settings.quota)
        self._listeners: list[Listener] = []
        self.threads = _make_threads(settings)
        self._next_tick = 0.0
        self.tick()
        self.selector.turn = self

    # ------------------------------------------------------------ sockets

    def listen(self, sock: socket.socket, security: Security | None = None) -> Listener:
        """Accept on a socket that is bound and listening. `security`: what connections begin with, such as TLS."""
        listener = Listener(self, sock, security)
        self._listeners.append(listener)
        listener.open()
        return listener

    @property
    def connection_count(self) -> int:
        """Connections open now."""
        return len(self._connections)

    def accepted(self, listener: Listener, sock: socket.socket, peer: Peer) -> AcceptedSocket | None:
        """A listener's new connection, which does not block. None: it is not let in."""
        address = peer[0]
        is_counted = not self.proxy_headers.may_pass_on(address)
        if self._quota.enter(address, is_counted=is_counted) is not Admission.WELCOME:
            sock.close()
            return None
        accepted: AcceptedSocket
        if listener.security is None:
            accepted = self._connect(listener, sock, peer)
        else:
            accepted = listener.security.begin(self, listener, sock, peer)
        self.selector.serve(accepted.fd, accepted)
        self._connections.add(accepted)
        if self._quota.is_full:
            self._make_room()
        return accepted

    def secured(self, accepted: AcceptedSocket, listener: Listener, sock: SecureSocket, peer: Peer) -> None:
        """A handshake is done: in its place stands the connection that it was for."""
        connection = self._connect(listener, sock, peer)
        self.selector.hand_over(connection.fd, connection)
        self._connections.discard(accepted)
        self._connections.add(connection)
        connection.begin(b"")
        if self.is_draining:
            # The client's request is on its way: it begins when the client has heard that the handshake is done.
            self._spared_until[connection] = self.now + FRESH_S

    def _connect(self, listener: Listener, sock: socket.socket | SecureSocket, peer: Peer) -> Connection:
        if isinstance(sock, SecureSocket) and sock.alpn == "h2" and self.settings.http2 is not None:
            return self._make_http2(listener, sock, peer, limits=self.settings.http2)
        return Http1Connection(self, listener, sock, peer)

    def _make_room(self) -> None:
        """There are as many connections as there may be: those that have been idle for longest go, if for a tick at
        least. If there are none, new ones wait in the kernel's queue until the next tick."""
        since = self.now - TICK_S
        idle = [each for each in self._connections if each.touched <= since and each.phase is Phase.IDLE]
        idle.sort(key=lambda connection: connection.touched)
        for connection in idle[: len(idle) // ROOM_SHARE + 1]:
            connection.close_idle()
        if self._quota.is_full:
            for listener in self._listeners:
                listener.pause()

    def begin_http2(self, connection: Connection, data: bytes) -> bool:
        """A client's first bytes are those of HTTP/2. False: it is not spoken here."""
        if self.settings.http2 is None:
            return False
        self._take_over(connection, self.settings.http2).begin(data)
        return True

    def upgrade_to_http2(self, connection: Connection, head: RequestHead, parser: Http1Server) -> bool:
        """A client asks for HTTP/2 with its first request. False: it gets its answer by HTTP/1. So does a proxy that
        passes the wish on: it would see no request of that connection any more, and its rules would not count. TLS has
        ALPN for it (RFC 7540 section 3.3)."""
        from skitaid.protocols.http2.upgrade import upgrade_settings

        is_direct = connection.listener.security is None and self.proxy_headers.is_direct(connection.peer, head.fields)
        if self.settings.http2 is None or not is_direct:
            return False
        settings = upgrade_settings(head, parser.buffered)
        if settings is None:
            return False
        self._take_over(connection, self.settings.http2).upgrade(head, settings, parser)
        return True

    def _take_over(self, old: Connection, limits: Http2Limits) -> Http2Connection:
        new = self._make_http2(old.listener, old.release(), (old.peer, old.peer_port), limits=limits)
        self.selector.hand_over(new.fd, new)
        self._connections.discard(old)
        self._connections.add(new)
        return new

    def _make_http2(
        self, listener: Listener, sock: socket.socket | SecureSocket, peer: Peer, *, limits: Http2Limits
    ) -> Http2Connection:
        # Imported by those whose clients speak it.
        from skitaid.engine.http2_connection import Http2Connection

        connection = Http2Connection(self, listener, sock, peer, limits=limits)
        self._of_http2.add(connection)
        return connection

    def closed(self, connection: AcceptedSocket) -> None:
        """A connection's last word."""
        self._connections.discard(connection)
        if self._of_http2:
            self._of_http2.discard(connection)
        self._quota.leave(connection.peer)

    def on_shortage(self, listener: Listener, error: OSError) -> None:
        """No descriptors left: leave connections in the kernel's queue until the next tick."""
        listener.pause()

    def drain(self) -> None:
        """Accept nothing more; let what is in flight end. `connection_count` says when that is so."""
        if not self.is_draining:
            self.is_draining = True
            for listener in self._listeners:
                listener.close()
            self._listeners.clear()

    def close_idle(self) -> None:
        """Close the connections on which nothing is in flight."""
        for connection in list(self._connections):
            if self.now >= self._spared_until.get(connection, 0.0):
                connection.close_idle()

    # ------------------------------------------------------------ requests

    def dispatch(self, stream: Stream) -> None:
        """A head is complete. Raises ProtocolError."""
        if stream.head.fields.has_hearsay:
            self.proxy_headers.apply(stream)
        try:
            self.handler.dispatch(stream)
        except ProtocolError:
            raise
        except Exception:  # noqa: BLE001  # the root of every handler: its failure is that of one request alone
            traceback.print_exc(file=sys.stderr)
            self._dispatch_failed(stream)

    def _dispatch_failed(self, stream: Stream) -> None:
        if stream.is_dispatched and not stream.is_on_loop:
            # An app thread has it already.
            return
        if stream.is_started:
            stream.abort()
        else:
            self.respond_error(stream, 500, "The server failed. What happened is in its log.")

    def submit(self, stream: Stream) -> None:
        """Have `stream.job` run: in an app thread, or here and now when there are none."""
        stream.is_dispatched = True
        threads = self.threads
        if threads is None:
            stream.run()
            return
        stream.is_on_loop = False
        body = stream.body if isinstance(stream.body, RequestBody) else None
        if (body is not None and not body.promise(is_needed=True)) or not threads.submit(stream):
            stream.is_on_loop = True
            if body is not None:
                body.close()
            self.respond_error(stream, 503, "more requests are waiting than this server can take", retry=True)

    def respond_error(self, stream: Stream, code: int, text: str, *, retry: bool = False) -> None:
        """Answer with the engine's own page. On the loop, or in the thread that runs the stream."""
        status, fields, body = self.handler.error_page(stream, code, text)
        if retry:
            fields = [*fields, ("Retry-After", str(RETRY_AFTER_S))]
        stream.respond(status, fields, body)

    def refuse(self, stream: Stream | None, peer: str, error: ProtocolError) -> tuple[str, Fields, bytes]:
        """The answer to bytes that are no request, or no longer one: status, fields and body. It is counted and
        logged."""
        status, fields, body = self.handler.error_page(stream, error.status, error.reason)
        if error.status == _NO_ROOM:
            fields = [*fields, ("Retry-After", str(ROOM_AFTER_S))]
        if stream is not None:
            stream.status = status[:3]
            stream.reply_bytes = len(body)
            self.note_done(stream)
        else:
            self._note_refused(peer, status, len(body))
        return status, fields, body

    def note_done(self, stream: Stream) -> None:
        """A response is done: count and log it. From any thread."""
        # Not +=: of two threads that count at once one would be lost.
        self.requests = next(self._done)
        if not stream.is_dispatched and isinstance(stream.body, RequestBody):
            # Nobody else will: no app has begun with it.
            stream.body.close()
        note, is_unlogged = self._note, self._is_unlogged
        if note is not None and stream.is_logged and not (is_unlogged and is_unlogged(stream.head.line.target)):
            note(stream, len(self._connections))

    def _note_refused(self, peer: str, status: str, size: int) -> None:
        self.requests = next(self._done)
        if self._note_record is not None:
            count, code = len(self._connections), int(status[:3])
            self._note_record(refusal_record(peer, self.next_gtxnid(), code, size=size, connections=count))

    # ------------------------------------------------------------ turns of the poll (selector.Turn)

    def begin(self, event_count: int) -> None:
        self.now = self._clock()
        self.batch += 1
        if self.threads is not None:
            self.threads.begin_batch(event_count)

    def end(self) -> float:
        if self.now >= self._next_tick:
            self.tick()
        if self.threads is not None and self.threads.end_batch():
            return BUSY_WAIT_S
        return max(0.0, self._next_tick - self._clock())

    def tick(self) -> None:
        """Once a second: the Date field, time-outs, room for connections, and what others asked for (`on_tick`)."""
        self._next_tick = self.now + TICK_S
        date = f"Date: {http_date(time.time())}\r\n".encode("ascii")
        server = b"Server: skitaid\r\n"
        self.stamp = Stamp(date, server, server + date)
        self._sweep()
        if self._quota.is_full:
            self._make_room()
        for listener in self._listeners:
            if listener.is_paused and not self._quota.is_full:
                listener.open()
        for call in self.on_tick:
            try:
                call()
            except Exception:  # noqa: BLE001  # a root: a figure that can't be taken must not end the loop
                traceback.print_exc(file=sys.stderr)

    def _sweep(self) -> None:
        """Look for connections that waited too long. 0.3 µs each."""
        timeouts = self.settings.timeouts
        now = self.now
        late: list[tuple[AcceptedSocket, Phase]] = []
        for connection in self._connections:
            # The shortest time-out there is: most connections need no closer look.
            if now - connection.touched > 1.0 or now - connection.head_at > timeouts.head_s:
                phase = connection.phase
                if timeouts.is_over(phase, now - connection.touched, now - connection.head_at):
                    late.append((connection, phase))
        for connection, phase in late:
            connection.time_out(phase)
        for of_http2 in list(self._of_http2):
            of_http2.sweep(timeouts)

    # ------------------------------------------------------------ the end

    def close(self, timeout_s: float) -> None:
        """After the loop has stopped: let app threads finish for `timeout_s`, and give up everything."""
        if self.loop.is_closed():
            return
        self.drain()
        connections = list(self._connections)
        for connection in connections:
            connection.stop_waiting()
        if self.threads is not None:
            self.threads.close(timeout_s)
        for connection in connections:
            connection.give_up()
        self.disk.close()
        self.portal.close()
        self.loop.close()


def _make_threads(settings: EngineSettings) -> AppThreads | None:
    if not settings.threads:
        return None
    return AppThreads(settings.threads, limit=settings.queue_limit, aside_limit=settings.slow_client_threads)


def _recorder(log: Callable[[Record], None]) -> Callable[[Stream, int], None]:
    return lambda stream, connections: log(record_of(stream, connections))
