"""What is said between those who call other servers and those who carry the calls.

A caller (the reverse proxy, the forward proxy, a task of an app) makes a `Call` and a `Receiver`, and gives both to a
cluster. From then on an `Exchange` stands for the call: the caller sends the request's body through it, the receiver
hears the response. Everything here happens on the loop thread; another thread gets there by engine.portal.

A receiver hears, in this order: any number of `on_information`, then once `on_response`, any number of `on_data`, then
once `on_end`; `on_flush` wherever there is nothing more for now. At any time instead of what is left: once
`on_failure`. After the last of these, or after `Exchange.cancel`, it hears nothing more. A response whose end was not
seen never gets `on_end`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from skitaid.protocols.response_head import ResponseHead
from skitaid.upstream.errors import UpstreamError

__all__ = ["IDEMPOTENT", "Call", "CallTimeouts", "Exchange", "Fields", "Receiver", "ResponseHead"]

Fields = Sequence[tuple[bytes, bytes]]
"""Names in lower case, and values."""

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods whose request may be sent again (RFC 9110 section 9.2.2)."""


@dataclass(frozen=True, slots=True)
class CallTimeouts:
    """In seconds. `connect_s`: name, connection and TLS; `stall_s`: between two signs of life; `total_s`: from the
    call to the end of the response, 0 for no limit."""

    connect_s: float = 3.0
    stall_s: float = 30.0
    total_s: float = 0.0


@dataclass(slots=True)
class Call:
    """A request to be made. `target`: path and query as they go onto the wire, or `*`. `fields`: end-to-end fields
    alone; Host, Content-Length, Transfer-Encoding and Connection are made by whoever sends it. `host`: the Host field;
    None: that of the member.

    `body`: all of it, kept so that it can be sent again, or None when it comes through `Exchange.send`; then
    `content_length` is its length, None for one that is not known (chunked). `affinity`: calls with the same value go
    to the same member while it lives, where the cluster balances so. `is_idempotent`: it may be sent again although
    it may have been executed. `upgrade`: the protocol to switch to (RFC 9110 section 7.8); None for none.

    `lines`: fields beside `fields`, for a caller who has them ready as they go onto the wire of HTTP/1: names in lower
    case, each line with its CRLF; no Host and the like here either. `past_cache`: it is answered by a member, whatever
    a cache before the cluster has, and the response is not kept.
    """

    method: str
    target: bytes
    fields: Fields = ()
    host: bytes | None = None
    body: bytes | None = b""
    content_length: int | None = None
    affinity: bytes | None = None
    is_idempotent: bool = False
    upgrade: bytes | None = None
    timeouts: CallTimeouts = field(default_factory=CallTimeouts)
    lines: bytes = b""
    past_cache: bool = False

    def pairs(self) -> list[tuple[bytes, bytes]]:
        """All of its fields, for a protocol that has no lines."""
        pairs = list(self.fields)
        for line in self.lines.split(b"\r\n")[:-1]:
            name, _, value = line.partition(b":")
            pairs.append((name, value.strip(b" \t")))
        return pairs


class Tunnel(Protocol):
    """The raw connection that is left when a member switched protocols (101) or accepted CONNECT."""

    def take(self) -> tuple[object, bytes]:
        """The socket (non-blocking, no longer watched; `recv`, `send`, `fileno`, `close`), and what came from it
        already behind the head. The taker closes it."""


class Receiver(Protocol):
    """Hears what comes of a call; see the module for the order. Must not raise. It hears nothing before the exchange is
    in its maker's hands."""

    def on_information(self, head: ResponseHead) -> None:
        """A response with a status from 100 to 199, but 101."""

    def on_response(self, head: ResponseHead) -> None:
        """The head of the response."""

    def on_data(self, data: bytes) -> None:
        """A piece of its body. Use `Exchange.pause` when that is too much."""

    def on_flush(self) -> None:
        """All that has come so far was told, and it is not the end: a receiver that holds back a head or a piece, to
        send it together with the next, must let it go now. Once after each turn of reading that told something."""

    def on_end(self, trailers: Fields) -> None:
        """The response is complete."""

    def on_failure(self, error: UpstreamError) -> None:
        """There will be no complete response."""

    def on_writable(self) -> None:
        """After `send` gave False: more of the request's body is welcome."""

    def on_upgrade(self, head: ResponseHead, tunnel: Tunnel) -> None:
        """The member switched protocols, as asked. Nothing follows."""


class Exchange(Protocol):
    """A call on its way."""

    @property
    def member(self) -> str:
        """The address of the member that has it, for logs; "" before one is chosen."""

    def send(self, data: bytes) -> bool:
        """A piece of the request's body. False: send no more before `Receiver.on_writable`."""

    def end(self, trailers: Fields = ()) -> None:
        """The request's body is complete."""

    def pause(self) -> None:
        """Read no more of the response until `resume`: the member is held back by TCP (or HTTP/2 flow control)."""

    def resume(self) -> None:
        """Go on reading the response."""

    def cancel(self) -> None:
        """Give up. The receiver hears nothing more. Fine after the end."""
