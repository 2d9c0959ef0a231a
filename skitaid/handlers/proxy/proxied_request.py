"""One request on its way through a proxy, and its response on the way back. On the loop thread.

A response that came in one piece leaves in one piece: head and body are held until it is known whether there is more.
What a member does wrong is told to its client in the only honest ways: by an error page while nothing was sent, by a
broken connection after that.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from skitaid.engine.errors import ClientGoneError
from skitaid.engine.stream import Stream
from skitaid.exceptions import PeerError
from skitaid.handlers.proxy.rewrite import Reply, Rewrite
from skitaid.handlers.proxy.tunnel import SwitchHead, Tunnels
from skitaid.protocols.errors import ProtocolError, ResponseError
from skitaid.protocols.response_head import ResponseHead
from skitaid.upstream.call import Exchange, Fields, Tunnel
from skitaid.upstream.errors import Failure, UpstreamError

__all__ = ["ProxiedRequest", "Proxy"]

_PROBE_S: Final = 2.0
"""A client that closed its side of the connection may still listen; after so long it is found out."""


class Proxy(Protocol):
    """A proxy, as the requests on their way see it."""

    tunnels: Tunnels

    def request(self, proxied: ProxiedRequest, body: bytes | None, length: int | None) -> Exchange:
        """Call a member. `body` None: it comes in pieces, `length` bytes if that is known. Raises UpstreamError."""

    def reply(self, head: ResponseHead) -> Reply:
        """What the client gets of a head."""

    def answer_failure(self, stream: Stream, error: UpstreamError) -> None:
        """Nothing was sent: answer with an error page."""

    def note_break(self, stream: Stream, error: UpstreamError) -> None:
        """A response that was begun is broken off."""


class _Stage(Enum):
    """How far a response is."""

    WAITING = "nothing came"
    HELD = "head, and a piece of the body perhaps, are here; nothing was sent"
    STREAMING = "the head was sent"
    OVER = "the response is complete, or given up"


# Looking a member up in its Enum costs 0.1 µs on 3.11, several times a request.
_WAITING: Final = _Stage.WAITING
_HELD: Final = _Stage.HELD
_STREAMING: Final = _Stage.STREAMING
_OVER: Final = _Stage.OVER


class ProxiedRequest:
    """Both ends of it: upstream.call.Receiver for the member, engine.body.BodySink for the client. This one is for
    requests without a body."""

    __slots__ = (
        "_exchange", "_is_paused", "_piece", "_proxy", "_reply", "_stage", "before_read", "is_complete", "received",
        "rewrite", "stream",
    )  # fmt: skip

    def __init__(self, proxy: Proxy, stream: Stream, rewrite: Rewrite) -> None:
        self._proxy = proxy
        self.stream = stream
        self.rewrite = rewrite
        self._stage = _WAITING
        self._exchange: Exchange | None = None
        self._is_paused = False
        self._piece = b""
        self.received = 0
        self.is_complete = True
        self.before_read: Callable[[], None] | None = None
        stream.body = self
        # Not set before `on_response`.
        self._reply: Reply

    @property
    def is_over(self) -> bool:
        """Whether the response is complete, or given up."""
        return self._stage is _OVER

    def begin(self, body: bytes | None = b"", length: int | None = None) -> None:
        """Call a member. `body`: all of it, or None: it follows in pieces, `length` bytes in all if that is known."""
        stream = self.stream
        stream.is_dispatched = True
        stream.job = self.go_on
        try:
            self._exchange = self._proxy.request(self, body, length)
        except UpstreamError as error:
            self.on_failure(error)

    # ------------------------------------------------------------ from the member (upstream.call.Receiver)

    def on_information(self, head: ResponseHead) -> None:
        """100 is for the hop between us and the member; what else comes is the client's."""
        if head.status == 100:
            self._asked_for_body()
            return
        reply = self._proxy.reply(head)
        try:
            self.stream.inform(reply.status, reply.fields)
        except ClientGoneError:
            self._leave()
        except ResponseError as error:
            self._refuse_response(error)

    def _asked_for_body(self) -> None:
        """The member wants the body that the client announced."""

    def on_response(self, head: ResponseHead) -> None:
        """The head of the response: held until it is known whether its body comes along."""
        self._reply = self._proxy.reply(head)
        self._stage = _HELD

    def on_data(self, data: bytes) -> None:
        """A piece of the body."""
        if self._stage is _HELD and not self._piece:
            self._piece = data
            return
        try:
            self._write(data)
        except ClientGoneError:
            self._leave()
        except ResponseError as error:
            self._refuse_response(error)

    def on_flush(self) -> None:
        """Nothing more came for now: send the head, if it is still held."""
        if self._stage is not _HELD:
            return
        piece, self._piece = self._piece, b""
        try:
            self._write(piece)
        except ClientGoneError:
            self._leave()
        except ResponseError as error:
            self._refuse_response(error)

    def on_end(self, trailers: Fields) -> None:
        """The response is complete."""
        stream = self.stream
        try:
            if self._stage is _HELD and not trailers:
                self._reply.send_whole(stream, self._piece)
            else:
                self._write(b"")
                stream.finish(trailers)
        except ClientGoneError:
            stream.abandon()
        except ResponseError as error:
            self._refuse_response(error)
            return
        self._let_go()

    def on_failure(self, error: UpstreamError) -> None:
        """There will be no complete response."""
        if self._stage is _OVER:
            return
        stream = self.stream
        self._exchange = None
        if self._stage is _STREAMING:
            self._proxy.note_break(stream, error)
            stream.abort()
        else:
            self._proxy.answer_failure(stream, error)
        self._let_go()

    def _refuse_response(self, error: ResponseError) -> None:
        """What the member says is nothing that we could say."""
        exchange = self._exchange
        member = "" if exchange is None else exchange.member
        self._cancel()
        self.on_failure(UpstreamError(Failure.INVALID, str(error), member=member))

    def on_writable(self) -> None:
        """There is no body to be sent."""

    def on_upgrade(self, head: ResponseHead, tunnel: Tunnel) -> None:
        """The member switched protocols."""
        stream = self.stream
        reply = self._proxy.reply(head)
        self._let_go()
        switch = SwitchHead(reply.status, reply.fields, stream.head.fields.upgrade)
        self._proxy.tunnels.join(stream, tunnel.take(), switch)

    def _write(self, data: bytes) -> None:
        """Send what is held, and `data`. Raises ClientGoneError."""
        stream = self.stream
        if self._stage is _HELD:
            piece, self._piece = self._piece, b""
            stream.start(self._reply.status, self._reply.fields)
            self._stage = _STREAMING
            if piece:
                stream.write(piece)
        # Also an empty piece: the head waits for one.
        stream.write(data)
        if stream.is_congested and not self._is_paused and self._exchange is not None:
            self._is_paused = True
            self._exchange.pause()

    # ------------------------------------------------------------ from the client (engine.body.BodySink)

    def feed(self, data: bytes) -> None:
        """There is no body."""

    def end(self) -> None:
        """There is no body."""

    def fail(self, error: PeerError) -> None:
        """Of the stream's connection: the client broke the protocol, or closed its side of it."""
        if self._stage is _OVER:
            return
        stream = self.stream
        if isinstance(error, ProtocolError):
            self._refuse(error)
        elif stream.connection.is_broken:
            # `go_on` comes next.
            return
        elif not self.is_complete:
            # Half of a request must not look like one to the member.
            self._leave()
        elif stream.head.line.minor:
            stream.connection.engine.loop.call_later(_PROBE_S, self._probe)

    def _refuse(self, error: ProtocolError) -> None:
        """What comes is not a request any more: that is answered here and now."""
        stream = self.stream
        if stream.is_started:
            self._leave()
            return
        self._cancel()
        self._let_go()
        stream.connection.engine.respond_error(stream, error.status, error.reason)

    def _probe(self) -> None:
        """The client says nothing more: whether it still listens is known when the kernel has tried to tell it
        something. It may be told that its request is being worked on (RFC 9110 section 15.2)."""
        if self._stage is _WAITING:
            try:
                self.stream.inform("102 Processing", ())
            except ClientGoneError:
                self._leave()

    def go_on(self, stream: Stream) -> None:
        """Stream.job: the client took what it was sent, or has gone."""
        if self._stage is _OVER:
            return
        stream.job = self.go_on
        if stream.connection.is_broken:
            self._leave()
        elif self._is_paused and not stream.is_congested and self._exchange is not None:
            self._is_paused = False
            self._exchange.resume()

    # ------------------------------------------------------------ ends

    def _leave(self) -> None:
        """Nobody is there to take the response."""
        stream = self.stream
        self._cancel()
        self._let_go()
        stream.abandon()

    def _cancel(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.cancel()

    def _let_go(self) -> None:
        """Stream, exchange and this know each other: without this each request would be garbage that only a
        collection finds."""
        self._stage = _OVER
        self._exchange = None
        self.stream.job = None
        del self.stream
