"""A listening socket, shared with the other workers of the instance."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Final, Protocol

from skitaid.engine.accepted import AcceptedSocket
from skitaid.engine.poller import EXCLUSIVE, READ
from skitaid.engine.secure import SecureSocket
from skitaid.engine.selector import EngineSelector

__all__ = ["Listener", "ListenerEngine", "Peer", "Security", "SecurityEngine"]

ACCEPTS_PER_EVENT: Final = 64
_UNSENT_BYTES: Final = 524288
"""What the kernel takes of a response beyond what the client's window lets it send. Without a limit it takes 2.5 MB for
each client that reads nothing, which costs 0.8 ms and that memory; with it a quick client gets as much as before."""
_NOTSENT_LOWAT: Final[int | None] = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_SHORTAGE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


Peer = tuple[str, str]
"""Address and port of a client as text, both "" on a unix socket."""


class ListenerEngine(Protocol):
    """The engine, as a listener sees it."""

    selector: EngineSelector

    def accepted(self, listener: Listener, sock: socket.socket, peer: Peer) -> object:
        """A new connection, which does not block."""

    def on_shortage(self, listener: Listener, error: OSError) -> None:
        """No descriptors left to accept with."""


class SecurityEngine(Protocol):
    """The engine, as a handshake sees it. `batch`: how many batches of events there were."""

    now: float
    batch: int
    selector: EngineSelector

    def secured(self, accepted: AcceptedSocket, listener: Listener, sock: SecureSocket, peer: Peer) -> None:
        """TLS is agreed on: the handshake `accepted` gives its place to a connection."""

    def closed(self, connection: AcceptedSocket) -> None:
        """`connection` is closed, and not to be looked after any more."""


class Security(Protocol):
    """What a listener's connections begin with, before any protocol."""

    asks_for_certificates: bool

    def begin(self, engine: SecurityEngine, listener: Listener, sock: socket.socket, peer: Peer) -> AcceptedSocket: ...


class Listener:
    """Accepts connections and hands them to the engine. `host` and `port` as apps see them (SERVER_NAME,
    SERVER_PORT). `security`: what connections begin with, None: in the clear; `scheme` and
    `asks_for_certificates` follow from it."""

    __slots__ = (
        "_accept", "_engine", "_is_stream_inet", "_socket", "asks_for_certificates", "fd", "host", "is_paused", "port",
        "scheme", "security",
    )  # fmt: skip

    def __init__(self, engine: ListenerEngine, sock: socket.socket, security: Security | None = None) -> None:
        sock.setblocking(False)
        self._engine = engine
        self._socket = sock
        self._accept = sock.accept
        self._is_stream_inet = sock.family != socket.AF_UNIX
        if self._is_stream_inet and _NOTSENT_LOWAT is not None:
            # Connections inherit it from their listening socket.
            sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, _UNSENT_BYTES)
        self.fd = sock.fileno()
        self.is_paused = False
        self.security = security
        self.scheme = "http" if security is None else "https"
        self.asks_for_certificates = security is not None and security.asks_for_certificates
        self.host, self.port = self._name(sock)

    @property
    def address(self) -> tuple[str, int | None]:
        """Host and port as ASGI has them: of a unix socket the path, and None."""
        return (self.host, int(self.port)) if self.port else (str(self._socket.getsockname()), None)

    def open(self) -> None:
        """Begin to accept."""
        self.is_paused = False
        self._engine.selector.serve(self.fd, self, READ | EXCLUSIVE)

    def pause(self) -> None:
        """Leave connections in the kernel's queue, for another worker or for later."""
        self.is_paused = True
        self._engine.selector.forget(self.fd)

    def close(self) -> None:
        """Take the connections that wait already: if nobody else listens there, the kernel would reset their
        connections."""
        if not self.is_paused:
            with suppress(OSError):
                self.on_event(READ)
        self.pause()
        self._socket.close()

    def on_event(self, mask: int) -> None:
        for _ in range(ACCEPTS_PER_EVENT):
            try:
                sock, address = self._accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _SHORTAGE:
                    raise
                self._engine.on_shortage(self, error)
                return
            self._take(sock, address)

    def on_failure(self) -> None:
        """One connection could not be taken; the listener goes on."""

    def _take(self, sock: socket.socket, address: tuple[str, int] | str) -> None:
        sock.setblocking(False)
        peer = ("", "")
        if self._is_stream_inet:
            # Head and body go out together; Nagle's delay would only add 40 ms to what remains.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = (str(address[0]), str(address[1]))
        self._engine.accepted(self, sock, peer)

    @staticmethod
    def _name(sock: socket.socket) -> tuple[str, str]:
        if sock.family == socket.AF_UNIX:
            return "localhost", ""
        host, port = sock.getsockname()[:2]
        return (socket.gethostname() if host in ("0.0.0.0", "::") else host), str(port)
