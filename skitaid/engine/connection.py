"""A client's socket, whatever is spoken on it: its events, its input, and how it is closed.

Only the loop thread closes the descriptor, and never while an app thread works for it: another connection could get the
number, and the app thread's bytes with it. What the bytes mean is for `Http1Connection` and `Http2Connection`.
"""

from __future__ import annotations

import socket
from typing import Final, Protocol

from skitaid.engine.accepted import AcceptedSocket
from skitaid.engine.channel import Channel, ChannelEngine
from skitaid.engine.exchange import Fields
from skitaid.engine.listener import Listener, Peer
from skitaid.engine.phase import Phase
from skitaid.engine.poller import ERROR, HANG_UP, READ, WRITE
from skitaid.engine.secure import SecureSocket
from skitaid.engine.stream import Stream, StreamEngine
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.server import Http1Server

__all__ = ["Connection", "ConnectionEngine"]

_GONE: Final = HANG_UP | ERROR
_INPUT: Final = READ | _GONE
RECEIVE_BYTES: Final = 98304
"""So that a body of 64 KB, a common size of blocks, comes with its head in one piece: two would have to be joined."""


class ConnectionEngine(ChannelEngine, StreamEngine, Protocol):
    """The engine, as a connection sees it."""

    is_draining: bool

    def dispatch(self, stream: Stream) -> None: ...
    def note_done(self, stream: Stream) -> None: ...
    def refuse(self, stream: Stream | None, peer: str, error: ProtocolError) -> tuple[str, Fields, bytes]: ...
    def closed(self, connection: AcceptedSocket) -> None: ...
    def begin_http2(self, connection: Connection, data: bytes) -> bool: ...
    def upgrade_to_http2(self, connection: Connection, head: RequestHead, parser: Http1Server) -> bool: ...


class Connection(Channel):
    """One accepted socket. `peer` and `peer_port` as text, for apps and logs; `client_address` the same as a pair, None
    on a unix socket. `head_at`: when the head of the request in flight, or the goodbye, began; `served`: requests so
    far; `is_closing`: nothing more is taken in."""

    engine: ConnectionEngine

    __slots__ = (
        "_is_closed",
        "_is_lingering",
        "client_address",
        "head_at",
        "is_closing",
        "listener",
        "peer",
        "peer_port",
        "served",
    )

    def __init__(
        self, engine: ConnectionEngine, listener: Listener, sock: socket.socket | SecureSocket, peer: Peer
    ) -> None:
        super().__init__(engine, sock)
        self.listener = listener
        self.peer, self.peer_port = peer
        self.client_address = (self.peer, int(self.peer_port)) if self.peer_port else None
        self._is_closed = self._is_lingering = False
        self.is_closing = False
        self.served = 0
        self.head_at = self.touched

    @property
    def secure(self) -> SecureSocket | None:
        """What was agreed on, where TLS is spoken."""
        return self._socket if isinstance(self._socket, SecureSocket) else None

    @property
    def phase(self) -> Phase:
        """What the connection waits for, as its time-outs see it."""
        if self._is_closed:
            return Phase.CLOSED
        if self._is_lingering:
            return Phase.LINGERING
        return Phase.SENDING if self._outgoing else self._phase_of_requests()

    def release(self) -> socket.socket | SecureSocket:
        """On the loop: the socket goes to another connection, and this one is nobody's any more."""
        self._is_closed = True
        self._is_registered = False
        return self._socket

    # ------------------------------------------------------------ the protocol's part, on the loop thread

    def begin(self, data: bytes) -> None:
        """The connection is registered: say what is to be said first, and take what came before there was one."""

    def _phase_of_requests(self) -> Phase:
        """While nothing waits to be sent."""
        raise NotImplementedError

    def _feed(self, data: bytes) -> None:
        """The client sent something, after `touched` was set."""
        raise NotImplementedError

    def _input_ended(self) -> None:
        """The client will send nothing more. What it asked for is still answered (RFC 9112 section 9.6)."""
        raise NotImplementedError

    def _lose(self) -> None:
        """The connection is gone in both directions."""
        raise NotImplementedError

    def _flush(self) -> None:
        """The socket takes more: send what is queued."""
        raise NotImplementedError

    def _close_when_free(self) -> None:
        """Close now, or as soon as nobody works for this connection any more."""
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        """Whether a request is in flight."""
        raise NotImplementedError

    def time_out(self, phase: Phase) -> None:
        """On the loop: the connection waited too long in `phase`."""
        raise NotImplementedError

    def close_idle(self) -> None:
        """On the loop, when draining: close if nothing is in flight."""
        raise NotImplementedError

    def stop_waiting(self) -> None:
        """The loop has stopped: nobody feeds or drains this connection any more, so no app thread shall wait for it."""
        raise NotImplementedError

    # ------------------------------------------------------------ events, on the loop thread

    def on_event(self, mask: int) -> None:
        if mask & WRITE and self._outgoing:
            self._flush()
        if mask & _INPUT and not self._is_closed:
            self._read(mask)
        if self.is_closing:
            self._begin_close()

    def on_failure(self) -> None:
        self.is_broken = True
        self._close_when_free()

    def _read(self, mask: int) -> None:
        if mask & _GONE and (self.input_ended or not self._interest & READ):
            self._lose()
            return
        # A callable in a slot is quicker as a local than called as if it were a method; so in `Channel.send`.
        receive = self._receive
        try:
            data = receive(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lose()
            return
        self.touched = self.engine.now
        if self._is_lingering:
            self._linger(data)
        elif data:
            self._feed(data)
        else:
            self._input_ended()

    # ------------------------------------------------------------ ends

    def _begin_close(self) -> None:
        """Say goodbye: send what is queued, then our end of file, then wait for the client's, so that the kernel does
        not reset the connection under a response still on its way (RFC 9112 section 9.6)."""
        if self._is_closed or self._is_lingering or self.is_busy:
            return
        if self._outgoing and not self.is_broken:
            return
        if self.is_broken or self.input_ended:
            self._close()
            return
        self._is_lingering = True
        self.touched = self.head_at = self.engine.now
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close()
            return
        if isinstance(self._socket, SecureSocket):
            # Nobody is going to read it: not worth being decrypted.
            self._receive = self._socket.discard
        self.set_reading(True)

    def _linger(self, data: bytes) -> None:
        # Whatever else comes is thrown away, for as long as the time-out says: most clients read why their upload was
        # refused only when they have sent all of it.
        if not data:
            self._close()

    def give_up(self) -> None:
        """After `stop_waiting`: close, unless an app thread is still at work."""
        self.on_failure()
        if not self.is_busy:
            self._close()

    def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self.engine.closed(self)
        self._close_socket()
