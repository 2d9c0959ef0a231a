"""What the caller of a cached cluster holds: its place in the cache, wherever its response comes from."""

from __future__ import annotations

from typing import Protocol

from skitaid.upstream.cache.asked import Asked
from skitaid.upstream.cache.pipe import Pipe, Reader
from skitaid.upstream.call import Call, Exchange, Fields, Receiver, ResponseHead

__all__ = ["Place", "Ticket"]


class Place(Protocol):
    """A response that is being fetched, as one who waits for it, or hears it, sees it."""

    @property
    def member(self) -> str: ...
    def leave(self, ticket: Ticket) -> None: ...


class Ticket:
    """An Exchange. The receiver hears from one of these at a time: `place`, a response that is being fetched;
    `exchange`, a call of its own; or, by `read`, what is stored. `is_new`: its maker does not have it yet, so its
    receiver must not hear anything. `has_waited`: it waited for a response that was not for it, and will not again."""

    __slots__ = (
        "_is_paused", "_reader", "asked", "call", "exchange", "has_looked", "has_waited", "is_new", "is_over", "key",
        "place", "receiver", "status",
    )  # fmt: skip

    def __init__(self, call: Call, asked: Asked, key: bytes, receiver: Receiver) -> None:
        self.call = call
        self.asked = asked
        self.key = key
        self.receiver = receiver
        self.place: Place | None = None
        self.exchange: Exchange | None = None
        self.status = "fwd=uri-miss"
        self.is_new = True
        self.is_over = self.has_waited = self.has_looked = self._is_paused = False
        self._reader: Reader | None = None

    @property
    def member(self) -> str:
        """The address of the member that has it; "" for what is stored."""
        if self.exchange is not None:
            return self.exchange.member
        return "" if self.place is None else self.place.member

    def read(self, head: ResponseHead, pipe: Pipe) -> None:
        """Have the receiver told of `head` and what comes through `pipe`."""
        # First, as the receiver may pause or cancel by what it hears.
        reader = self._reader = pipe.attach(self.receiver, self._over)
        reader.is_paused = self._is_paused
        self.receiver.on_response(head)
        reader.tell()
        pipe.look()

    def answer(self, head: ResponseHead) -> None:
        """The whole response, without a body."""
        self._over()
        self.receiver.on_response(head)
        self.receiver.on_end(())

    def forward(self, exchange: Exchange) -> None:
        """The receiver hears `exchange` from here on."""
        self.exchange = exchange
        if self._is_paused:
            exchange.pause()

    # ------------------------------------------------------------ the caller's side

    def send(self, data: bytes) -> bool:
        """The requests that come here have no body."""
        return True

    def end(self, trailers: Fields = ()) -> None:
        """Nor an end of it."""

    def pause(self) -> None:
        self._is_paused = True
        if self._reader is not None:
            self._reader.pause()
        elif self.exchange is not None:
            self.exchange.pause()

    def resume(self) -> None:
        self._is_paused = False
        if self._reader is not None:
            self._reader.resume()
        elif self.exchange is not None:
            self.exchange.resume()

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if self.is_over:
            return
        self.is_over = True
        if self._reader is not None:
            self._reader.stop()
        if self.exchange is not None:
            self.exchange.cancel()
        place, self.place = self.place, None
        if place is not None:
            place.leave(self)

    def _over(self) -> None:
        self.is_over = True
        self.place = None
