"""HTTP/1.1 with a member: one call at a time on a connection, which is kept for the next when all went well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from skitaid.engine.poller import READ
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.client import Http1Client
from skitaid.protocols.http1.request import BodyWriter, RequestError, replaced_line
from skitaid.upstream.carrier import Carried, Peer
from skitaid.upstream.context import UpstreamEngine
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.transport import HIGH_BYTES, StreamSocket, Transport

__all__ = ["Http1Connection", "Http1Owner"]


class Http1Owner(Protocol):
    """A pool, as its connections see it."""

    def released(self, connection: Http1Connection) -> None:
        """It may carry another call."""

    def closed(self, connection: Http1Connection) -> None:
        """It is gone, whatever for."""


class Http1Connection(Transport):
    """A connection that carries one call at a time. `born`, and `idle_until` when it is not in use, by the engine's
    clock. `calls`: so many were begun on it."""

    __slots__ = (
        "_authorization",
        "_exchange",
        "_is_refused",
        "_is_sent",
        "_owner",
        "_parser",
        "_writer",
        "born",
        "calls",
        "host",
        "idle_until",
        "member",
    )

    def __init__(self, engine: UpstreamEngine, sock: StreamSocket, owner: Http1Owner, peer: Peer) -> None:
        super().__init__(engine, sock)
        self._owner = owner
        self._parser = Http1Client()
        self._exchange: Carried | None = None
        self._writer: BodyWriter | None = None
        self._is_sent = True
        self._is_refused = False
        self._authorization = peer.authorization
        self.member = peer.member
        self.host = peer.host
        self.calls = 0
        self.born = self.idle_until = engine.now

    # ------------------------------------------------------------ for the exchange

    def start(self, exchange: Carried) -> Http1Connection | None:
        """Of the connection."""
        call = exchange.call
        self._exchange = exchange
        self.calls += 1
        self.has_sent = False
        self._is_refused = False
        self._parser.begin(exchange, call.method, is_upgrade=call.upgrade is not None)
        body = call.body
        if body is None:
            try:
                body = self._begin_body(exchange)
            except RequestError:
                self.abort()
                raise
        else:
            self._is_sent = True
        lines = exchange.field_lines
        if self._authorization is not None:
            lines = replaced_line(lines, b"authorization", self._authorization)
        self.transmit_late(b"%b\r\nHost: %b\r\n%b\r\n%b" % (exchange.request_line, call.host or self.host, lines, body))
        if self.is_deaf and not self.has_sent:
            self._fail(Failure.RESET, "not a byte of the request was taken", is_unsent=True)
            return None
        return self

    def _begin_body(self, exchange: Carried) -> bytes:
        """What there is already of a body that comes in pieces."""
        writer = self._writer = BodyWriter(exchange.call.content_length)
        pieces, trailers = exchange.body_so_far
        self._is_sent = trailers is not None
        data = b"".join([writer.data(piece) for piece in pieces])
        return data if trailers is None else data + writer.end(trailers)

    def send(self, data: bytes) -> bool:
        """See Carrier."""
        assert self._writer is not None
        self.transmit(self._writer.data(data))
        self._is_refused = self.outgoing_bytes > HIGH_BYTES
        return not self._is_refused

    def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """See Carrier."""
        assert self._writer is not None
        data = self._writer.end(trailers)
        self._is_sent = True
        if data:
            self.transmit(data)

    @property
    def keep_alive_s(self) -> float | None:
        """How long the member keeps it open when it is idle, as it said last."""
        return self._parser.keep_alive_s

    @property
    def is_members_turn(self) -> bool:
        """See Carrier."""
        return self._is_sent or bool(self._outgoing)

    def release(self) -> None:
        """Of the carrier. What the member said before it had the whole request is fine, but where its next answer
        would begin nobody knows."""
        self._exchange = None
        parser = self._parser
        if parser.is_persistent and not parser.held and self._is_sent and not self._outgoing and not self.is_deaf:
            if not self._interest & READ:
                self.set_reading(True)
            self._owner.released(self)
        else:
            self.close()

    def abort(self) -> None:
        """See Carrier."""
        self._exchange = None
        self._parser.stop()
        self.close()

    def detach(self) -> _Tunnel:
        """See Carrier."""
        self._exchange = None
        held = self._parser.held
        self._parser.stop()
        sock = self.detach_socket()
        self._owner.closed(self)
        return _Tunnel(sock, held)

    def close(self) -> None:
        """Also for the pool, when it is idle."""
        if not self.is_closed:
            super().close()
            self._owner.closed(self)

    # ------------------------------------------------------------ of the transport

    def received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            # Nobody asked for anything.
            self.close()
            return
        exchange.touched = self.engine.now
        if not self.has_sent:
            # What answers no question is no answer, whoever it was meant for.
            self._fail(Failure.RESET, "the member spoke before it was asked", is_unsent=True)
            return
        try:
            self._parser.feed(data)
        except ProtocolError as error:
            self._fail(Failure.INVALID, error.reason)
            return
        if self._exchange is exchange:
            exchange.on_flush()

    def input_ended(self) -> None:
        if self._exchange is None or self._parser.end_of_input():
            self.close()
        else:
            self._cut("the member closed the connection")

    def lost(self, error: OSError | None) -> None:
        if self._exchange is None:
            self.close()
        else:
            self._cut((error and error.strerror) or "the connection broke")

    def progressed(self) -> None:
        if self._exchange is not None:
            self._exchange.touched = self.engine.now

    def drained(self) -> None:
        if self._exchange is not None and self._is_refused:
            self._is_refused = False
            self._exchange.on_writable()

    def _cut(self, detail: str) -> None:
        if self._parser.has_begun:
            self._fail(Failure.TRUNCATED, detail)
        else:
            self._fail(Failure.RESET, detail, is_unsent=not self.has_sent)

    def _fail(self, failure: Failure, detail: str, *, is_unsent: bool = False) -> None:
        exchange, self._exchange = self._exchange, None
        self._parser.stop()
        self.close()
        if exchange is not None:
            error = UpstreamError(failure, detail, member=self.member, is_unsent=is_unsent)
            exchange.failed(error, is_stale=failure is Failure.RESET and self.calls > 1)


class _Tunnel:
    """See upstream.call."""

    __slots__ = ("_data", "_socket")

    def __init__(self, sock: StreamSocket, data: bytes) -> None:
        self._socket = sock
        self._data = data

    def take(self) -> tuple[object, bytes]:
        return self._socket, self._data
