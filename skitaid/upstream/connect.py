"""A connection in the making: name, TCP or unix socket, TLS; within one time-out for all of it.

Of several addresses the next is tried as soon as one fails, and beside it when nothing was heard of it for a quarter of
a second (RFC 8305 section 5); the first that is connected is taken. On the loop thread; nothing here blocks.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from skitaid.engine.poller import READ, WRITE
from skitaid.upstream.context import UpstreamContext, UpstreamEngine
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.resolver import Address, Answer, unix_address
from skitaid.upstream.settings import HttpVersion, MemberSettings, TlsSettings
from skitaid.upstream.transport import StreamSocket

if TYPE_CHECKING:
    from skitaid.upstream.tls import TlsSocket

__all__ = ["Connected", "Dial", "Endpoint", "prepare"]

FALLBACK_S: Final = 0.25
_PENDING: Final = (errno.EINPROGRESS, errno.EINTR)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a pool's connections lead, and what is spoken there."""

    member: MemberSettings
    tls: TlsSettings | None = None
    version: HttpVersion = HttpVersion.HTTP1

    @property
    def alpn(self) -> tuple[str, ...]:
        """What is offered in TLS (RFC 7301)."""
        return _ALPN[self.version]


_ALPN: Final = {
    HttpVersion.HTTP1: ("http/1.1",),
    HttpVersion.HTTP2: ("h2",),
    HttpVersion.ANY: ("h2", "http/1.1"),
}


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection that was made. `protocol`: what ALPN agreed on."""

    socket: StreamSocket
    protocol: str | None = None


OnDone = Callable[["Dial", Connected | UpstreamError], None]


class Dial:
    """One attempt to connect; `on_done` hears of its end, once, perhaps before `start` returns. `deadline` by the
    engine's clock."""

    __slots__ = ("_addresses", "_context", "_endpoint", "_error", "_next_at", "_on_done", "_pending", "deadline")

    def __init__(self, context: UpstreamContext, endpoint: Endpoint, deadline: float, on_done: OnDone) -> None:
        self._context = context
        self._endpoint = endpoint
        self._on_done: OnDone | None = on_done
        self._addresses: list[Address] = []
        self._pending: list[_Connecting | _Handshake] = []
        self._next_at = deadline
        self._error: UpstreamError | None = None
        self.deadline = deadline

    def start(self) -> None:
        """Look the name up and connect; `on_done` hears what came of it."""
        self._context.deadlines.add(self)
        member = self._endpoint.member
        if member.path is not None:
            self._resolved((unix_address(member.path),))
        else:
            self._context.resolver.resolve(member.host, member.port, self._resolved)

    def cancel(self) -> None:
        """Nobody wants it any more; nobody is told."""
        self._on_done = None
        self._end()

    def sweep(self, now: float) -> None:
        """See deadlines.Timed: give up, or try the next address beside those that do not answer."""
        if now >= self.deadline:
            self._finish(self._failure(Failure.CONNECT_TIMEOUT, ""))
        elif now >= self._next_at and self._addresses:
            self._try_next()

    def _resolved(self, answer: Answer | UpstreamError) -> None:
        if self._on_done is None:
            return
        if isinstance(answer, UpstreamError):
            self._finish(answer)
            return
        self._addresses = list(answer)
        self._try_next()

    def _try_next(self) -> None:
        """Begin with the next address; past those that fail at once."""
        while self._addresses:
            address = self._addresses.pop(0)
            self._next_at = self._context.engine.now + FALLBACK_S
            try:
                sock, is_connected = _open(address)
            except OSError as error:
                self._note(address, error)
                continue
            if is_connected:
                self._connected(sock)
            else:
                self._pending.append(_Connecting(self._context.engine, sock, address, self))
            return
        if not self._pending:
            self._finish(self._error or self._failure(Failure.UNREACHABLE, "no address"))

    def _note(self, address: Address, error: OSError) -> None:
        detail = str(error.strerror or error)
        # A member that is written as an address need not be told twice.
        where = "" if str(address) == self._endpoint.member.name else f"{address}: "
        self._error = self._failure(Failure.UNREACHABLE, where + detail)

    # ------------------------------------------------------------ what is under way says

    def connecting_failed(self, one: _Connecting, error: OSError) -> None:
        """One address failed."""
        self._pending.remove(one)
        self._note(one.address, error)
        self._try_next()

    def connecting_done(self, one: _Connecting) -> None:
        """One address is connected: the others are not needed."""
        self._pending.remove(one)
        self._connected(one.release())

    def _connected(self, sock: socket.socket) -> None:
        self._abort_pending()
        self._addresses.clear()
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = self._endpoint.tls
        if tls is None:
            self._finish(Connected(sock))
            return
        try:
            secured = _secure(sock, self._endpoint, tls)
        except (OSError, ValueError) as error:
            sock.close()
            self._finish(self._failure(Failure.UNTRUSTED, _reason(error)))
            return
        handshake = _Handshake(self._context.engine, secured, self)
        self._pending.append(handshake)
        handshake.step()

    def secured(self, sock: TlsSocket) -> None:
        """The handshake is done."""
        self._pending.clear()
        self._finish(Connected(sock, sock.protocol))

    def securing_failed(self, error: OSError) -> None:
        """No secure connection came of it."""
        self._pending.clear()
        self._finish(self._failure(Failure.UNTRUSTED, _reason(error)))

    # ------------------------------------------------------------ the end

    def _failure(self, failure: Failure, detail: str) -> UpstreamError:
        return UpstreamError(failure, detail, member=self._endpoint.member.name, is_unsent=True)

    def _finish(self, result: Connected | UpstreamError) -> None:
        on_done, self._on_done = self._on_done, None
        self._end()
        if on_done is not None:
            on_done(self, result)

    def _end(self) -> None:
        self._context.deadlines.discard(self)
        self._addresses.clear()
        self._abort_pending()

    def _abort_pending(self) -> None:
        for one in self._pending:
            one.abort()
        self._pending.clear()


def _open(address: Address) -> tuple[socket.socket, bool]:
    """A socket, and whether it is connected already. Raises OSError."""
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        code = sock.connect_ex(address.sockaddr)
        if code and code not in _PENDING:
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return sock, not code


def prepare(endpoint: Endpoint) -> None:
    """Read what TLS needs now, which takes 20 ms, and not when a call waits for it. What can't be read the calls tell,
    each of them."""
    if endpoint.tls is not None:
        from skitaid.upstream.tls import context_for

        with suppress(OSError):
            context_for(endpoint.tls, endpoint.alpn)


def _secure(sock: socket.socket, endpoint: Endpoint, settings: TlsSettings) -> TlsSocket:
    from skitaid.upstream.tls import context_for, wrap

    return wrap(sock, context_for(settings, endpoint.alpn), settings.server_name or endpoint.member.host)


def _reason(error: Exception) -> str:
    # OpenSSL's texts end in where in its source they come from.
    return str(getattr(error, "verify_message", "") or getattr(error, "reason", "") or error)


class _Connecting:
    """A socket on its way to an address."""

    __slots__ = ("_dial", "_engine", "_socket", "address")

    def __init__(self, engine: UpstreamEngine, sock: socket.socket, address: Address, dial: Dial) -> None:
        self._engine = engine
        self._socket = sock
        self._dial = dial
        self.address = address
        engine.selector.serve(sock.fileno(), self, WRITE)

    def on_event(self, mask: int) -> None:
        """Of the selector. Also called for events of another socket that had the number a moment ago."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not code:
            code = self._peer_error()
        if code == errno.ENOTCONN:
            return
        if code:
            self.abort()
            self._dial.connecting_failed(self, OSError(code, os.strerror(code)))
        else:
            self._dial.connecting_done(self)

    def _peer_error(self) -> int:
        try:
            self._socket.getpeername()
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def on_failure(self) -> None:
        self._dial.connecting_failed(self, OSError(errno.EIO, "an error of ours"))

    def release(self) -> socket.socket:
        """It is somebody else's from here on."""
        self._engine.selector.forget(self._socket.fileno())
        return self._socket

    def abort(self) -> None:
        self.release().close()


class _Handshake:
    """TLS on its way."""

    __slots__ = ("_dial", "_engine", "_interest", "_socket")

    def __init__(self, engine: UpstreamEngine, sock: TlsSocket, dial: Dial) -> None:
        self._engine = engine
        self._socket = sock
        self._dial = dial
        self._interest = READ
        engine.selector.serve(sock.fileno(), self, READ)

    def step(self) -> None:
        """On with it, as far as it goes."""
        try:
            wants_read = self._socket.handshake()
        except OSError as error:
            self.abort()
            self._dial.securing_failed(error)
            return
        if wants_read is None:
            self._engine.selector.forget(self._socket.fileno())
            self._dial.secured(self._socket)
            return
        interest = READ if wants_read else WRITE
        if interest != self._interest:
            self._interest = interest
            self._engine.selector.poller.modify(self._socket.fileno(), interest)

    def on_event(self, mask: int) -> None:
        """Of the selector."""
        self.step()

    def on_failure(self) -> None:
        self.abort()
        self._dial.securing_failed(OSError(errno.EIO, "an error of ours"))

    def abort(self) -> None:
        self._engine.selector.forget(self._socket.fileno())
        self._socket.close()
