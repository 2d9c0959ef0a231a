"""What an exchange and the connection that carries it ask of each other."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from skitaid.protocols.http1.client import ResponseReceiver
from skitaid.upstream.call import Call, Fields, Tunnel
from skitaid.upstream.errors import UpstreamError

__all__ = ["Carried", "Carrier", "Connection", "Peer"]


class Carrier(Protocol):
    """A connection of HTTP/1.1, or a stream of HTTP/2, that an exchange has for itself."""

    def send(self, data: bytes) -> bool:
        """A piece of the request's body. False: too much waits to be sent, `on_writable` will say when it does not.
        Raises RequestError for more than was promised."""

    def end(self, trailers: Fields) -> None:
        """The request's body is complete. Raises RequestError for less than was promised."""

    def set_reading(self, is_on: bool) -> None:
        """Pause or resume reading the response."""

    @property
    def is_members_turn(self) -> bool:
        """Whether it is the member who keeps us waiting."""

    def release(self) -> None:
        """The response is complete: the connection is for others, or closed if it can't be."""

    def abort(self) -> None:
        """Give up what is in flight, without telling the exchange."""

    def detach(self) -> Tunnel:
        """The member switched protocols: the connection is nobody's from here on."""


class Carried(ResponseReceiver, Protocol):
    """An exchange, as its carrier sees it. The response is told to it as a parser does. `touched`: when the member
    last gave a sign of life. `request_line` and `field_lines` are the call's head as HTTP/1.1 has it, without Host."""

    call: Call
    request_line: bytes
    field_lines: bytes
    touched: float

    @property
    def body_so_far(self) -> tuple[list[bytes], Fields | None]:
        """Of a body that comes in pieces: those that are here already, and the trailers if these are all."""

    def on_flush(self) -> None:
        """Nothing more came for now."""

    def on_writable(self) -> None:
        """Not much waits to be sent any more."""

    def failed(self, error: UpstreamError, *, is_stale: bool = False) -> None:
        """The carrier is gone, and with it what is left of the response. `is_stale`: it had served others before, and
        was closed before a byte of this response came, as members do with connections that are idle."""


class Connection(Protocol):
    """What a pool has."""

    def start(self, exchange: Carried) -> Carrier | None:
        """Carry it. None: it heard of a failure already. Raises RequestError; then the connection is closed."""


class Peer(NamedTuple):
    """Who is at the other end of a connection: its address for logs, what calls without a Host of their own say, and
    the Authorization field (RFC 9110 section 11.6.2) that goes before that of calls."""

    member: str
    host: bytes
    is_tls: bool = False
    authorization: bytes | None = None
