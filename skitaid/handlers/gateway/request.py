"""A request that waits at the gateway: what a claim handler is shown of it, and its body until it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from skitaid.engine.stream import Stream
from skitaid.exceptions import PeerError
from skitaid.handlers.router import Route
from skitaid.protocols.errors import ProtocolError

__all__ = ["GatewayRequest", "HeldBody", "Identity", "RefusalLog", "client_of"]

_LINES_A_SECOND: Final = 20


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. `user` None: somebody whose token is good, but names nobody."""

    user: str | None = None
    roles: tuple[str, ...] = ()


class GatewayRequest:
    """What a claim handler gets. `claim`: what the token says, if it is a JWT that is believed; empty for an opaque
    token, which is for the handler to know. `token`: as it came. The rest is the request's own."""

    def __init__(self, stream: Stream, route: Route, token: str, claim: Mapping[str, Any]) -> None:
        line = stream.head.line
        self.stream = stream
        self.route = route
        self.token = token
        self.claim = dict(claim)
        self.method = line.method
        self.uri = line.target
        self.path = line.path
        self.query = line.query
        self.remote_addr = client_of(stream)
        self.gtxnid = stream.gtxnid
        self.is_decided = False

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """A field of the request; repeated ones joined with a comma."""
        value = self.stream.head.fields.get(name.lower().encode("latin-1", "replace"))
        return default if value is None else value.decode("latin-1")


class HeldBody:
    """engine.body.BodySink for a request whose turn has not come: what comes with its head is kept, and the client
    is not read until then."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._pieces: list[bytes] = []
        self.received = 0
        self.is_complete = False
        self.before_read: Callable[[], None] | None = _nobody
        stream.body = self
        stream.connection.set_reading(False)

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)
        self.received += len(data)

    def end(self) -> None:
        self.is_complete = True

    def fail(self, error: PeerError) -> None:
        """Whatever goes on with the stream will see."""

    def release(self) -> None:
        """Give what is held to whoever has the stream's body now, and read on."""
        stream = self._stream
        sink, pieces = stream.body, self._pieces
        self._pieces = []
        try:
            for piece in pieces:
                if sink is not None and sink is not self and stream.is_current:
                    sink.feed(piece)
            if self.is_complete and sink is not None and sink is not self and stream.is_current:
                sink.end()
        except ProtocolError as error:
            stream.connection.refuse_request(error)
        if stream.is_current and not stream.connection.is_broken:
            # Of a response that is complete the connection knows itself when to read on.
            stream.connection.set_reading(True)


class RefusalLog:
    """A line for each request that is refused; past a few a second they are counted. Never with a token in it, which is
    as good as a password; nor with a query, which may hold one."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._second = 0
        self._lines = 0

    def note(self, stream: Stream, code: int, why: str, user: str | None = None) -> None:
        """`user`: whom the token names, if it is believed."""
        second = int(stream.connection.engine.now)
        if second != self._second:
            left_out = self._lines - _LINES_A_SECOND
            self._second, self._lines = second, 0
            if left_out > 0:
                self._write(f"gateway: {left_out} more were refused within a second")
        self._lines += 1
        if self._lines <= _LINES_A_SECOND:
            line = stream.head.line
            who = f"{client_of(stream) or 'unix'}{f' ({user})' if user else ''}"
            path = line.path if len(line.path) <= 200 else f"{line.path[:199]}…"
            self._write(f"gateway: {code} for {line.method} {path} of {who}: {why} ({stream.gtxnid})")


def client_of(stream: Stream) -> str:
    """The client's address, as far as it is believed; "" by a unix socket."""
    forwarded = stream.forwarded
    return stream.connection.peer if forwarded is None or forwarded.client is None else forwarded.client[0]


def _nobody() -> None:
    """The client waits to be asked for its body; not now."""
