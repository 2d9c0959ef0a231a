"""A client of the forward proxy that wants a tunnel (CONNECT, RFC 9110 section 9.3.6), until it has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from skitaid.engine.stream import Stream
from skitaid.exceptions import PeerError
from skitaid.handlers.proxy.tunnel import SwitchHead, Tunnels
from skitaid.protocols.errors import ProtocolError
from skitaid.upstream.connect import Connected, Dial, Endpoint
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.errors import UpstreamError
from skitaid.upstream.settings import MemberSettings

__all__ = ["CONNECT_S", "Connecting", "ConnectingProxy"]

CONNECT_S: Final = 10.0
_ESTABLISHED: Final = SwitchHead("200 Connection Established", ())


class ConnectingProxy(Protocol):
    """The proxy, as it is needed here."""

    tunnels: Tunnels

    def answer_failure(self, stream: Stream, error: UpstreamError) -> None:
        """Nothing was sent: answer with an error page."""


class Connecting:
    """engine.body.BodySink: what a client sends before it is told to stays in its connection."""

    def __init__(self, proxy: ConnectingProxy, stream: Stream, context: UpstreamContext) -> None:
        self._proxy = proxy
        self._stream = stream
        self._context = context
        self._dial: Dial | None = None
        self.received = 0
        self.is_complete = True
        self.before_read: Callable[[], None] | None = None
        stream.body = self
        stream.is_dispatched = True
        stream.job = self._go_on

    def begin(self, host: str, port: int) -> None:
        """Connect to `host`; then the client and it speak through a tunnel, or the client gets an error page."""
        context = self._context
        endpoint = Endpoint(MemberSettings(host, port))
        self._dial = Dial(context, endpoint, context.engine.now + CONNECT_S, self._dialled)
        self._dial.start()

    def _dialled(self, dial: Dial, result: Connected | UpstreamError) -> None:
        stream = self._stream
        self._let_go()
        if isinstance(result, UpstreamError):
            self._proxy.answer_failure(stream, result)
        else:
            self._proxy.tunnels.join(stream, (result.socket, b""), _ESTABLISHED)

    # ------------------------------------------------------------ from the client

    def feed(self, data: bytes) -> None:
        """There is no body."""

    def end(self) -> None:
        """There is no body."""

    def fail(self, error: PeerError) -> None:
        """It closed its side: it wants no tunnel any more. Or it speaks no HTTP."""
        stream = self._stream
        if stream.body is not self or stream.connection.is_broken:
            return
        self._cancel()
        if isinstance(error, ProtocolError):
            stream.connection.engine.respond_error(stream, error.status, error.reason)
        else:
            stream.abandon()

    def _go_on(self, stream: Stream) -> None:
        """Stream.job: the client has gone, perhaps."""
        stream.job = self._go_on
        if stream.connection.is_broken:
            self._cancel()
            stream.abandon()

    def _cancel(self) -> None:
        if self._dial is not None:
            self._dial.cancel()
        self._let_go()

    def _let_go(self) -> None:
        self._dial = None
        self._stream.job = None
