"""One request of an ASGI app: what `receive` gives and where `send` goes (HTTP spec version 2.4 of
https://asgi.readthedocs.io).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from enum import Enum
from typing import Any, Final

from skitaid.engine.errors import ClientGoneError
from skitaid.engine.stream import Stream
from skitaid.exceptions import PeerError
from skitaid.handlers.asgi.body import Intake
from skitaid.handlers.asgi.extensions import take_extension
from skitaid.handlers.status import status_line
from skitaid.protocols.errors import ProtocolError, ResponseError
from skitaid.protocols.http1.response import BODILESS
from skitaid.was.context import Bound

__all__ = ["Cycle", "Message"]

Message = MutableMapping[str, Any]

_STATUS_LINES: Final[dict[int, str]] = {}


class _Stage(Enum):
    """How far the response is."""

    SILENT = "nothing was sent"
    HEADED = "http.response.start was sent; its head goes out with the first piece of the body"
    STREAMING = "the head and some of the body went out"
    OVER = "nothing can be sent any more"


# Looking a member up in its Enum costs 0.1 µs on 3.11, several times a request.
_SILENT: Final = _Stage.SILENT
_HEADED: Final = _Stage.HEADED
_STREAMING: Final = _Stage.STREAMING
_OVER: Final = _Stage.OVER


class Cycle(Bound):
    """One request of an ASGI app and its response. `receive` and `send` are the app's; any of its tasks may call them,
    at the same time. The rest is called by the connection, as the sink of the request's body (engine.body.BodySink): on
    the loop thread, like all of this.

    `received` is in bytes. `is_gone`: the client closed its side, broke the protocol or stalled. What it sent before
    is still given to the app, and what the app sends still goes out as long as somebody is there to take it.
    """

    __slots__ = (
        "_fields",
        "_intake",
        "_is_read",
        "_left",
        "_stage",
        "_status",
        "_waiters",
        "before_read",
        "is_complete",
        "is_gone",
        "received",
    )

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.memory = self.container = None
        self.is_complete = True
        self.is_gone = False
        self.received = 0
        self.before_read: Callable[[], None] | None = None
        self._intake: Intake | None = None
        self._is_read = False
        self._stage = _SILENT
        self._waiters: set[asyncio.Future[None]] | None = None
        # Not set before http.response.start: half of a microsecond is a lot here.
        self._status: str
        self._fields: Iterable[Any]
        self._left: int | None
        stream.body = self

    @property
    def is_over(self) -> bool:
        """Whether the response is complete, or given up."""
        return self._stage is _OVER

    def expect_body(self, limit: int | None, begin: Callable[[], None]) -> None:
        """The request has a body, of at most `limit` bytes. `begin` is called when the app shall start."""
        head = self.stream.head
        self.is_complete = False
        if head.fields.expects_continue and head.line.minor:
            self.before_read = self.stream.send_continue
        self._intake = Intake(self.stream, limit, begin)
        self._intake.start()

    # ------------------------------------------------------------ from the connection

    def feed(self, data: bytes) -> None:
        """More of the body. Raises ProtocolError 413 above the limit."""
        if self._intake is not None:
            self.received += len(data)
            self._intake.feed(data, is_wanted=self._stage is not _OVER)
            self._wake()

    def end(self) -> None:
        """The body is complete."""
        self.is_complete = True
        if self._intake is not None:
            self._intake.end()
            self._wake()

    def fail(self, error: PeerError) -> None:
        """The rest of the body will not come, or nobody waits for the response any more. What broke the protocol is
        answered here and now: the app's answer would be to something else."""
        self.is_gone = True
        if self._stage is not _OVER and isinstance(error, ProtocolError) and not self.stream.is_started:
            self._stage = _OVER
            self.stream.connection.engine.respond_error(self.stream, error.status, error.reason)
        self._wake()

    def drained(self, stream: Stream) -> None:
        """The client took what was sent, or never will (Stream.job)."""
        if stream.connection.is_broken:
            self.is_gone = True
        self._wake()

    # ------------------------------------------------------------ from the handler

    def abandon(self) -> None:
        """Nobody is there to answer."""
        if self._stage is not _OVER:
            self._end()
            self.stream.abandon()

    def give_up(self) -> bool:
        """The app fails to answer. False when the client got nothing yet: it can be told so."""
        if self._stage is _OVER:
            return True
        self._end()
        if self.stream.is_started:
            self.stream.abort()
            return True
        return False

    def let_go(self) -> None:
        """The app has ended, and the response with it: without this each request would be garbage that only a
        collection finds."""
        del self.stream

    # ------------------------------------------------------------ from the app

    async def receive(self) -> Message:
        """The next event: the pieces of the body, then, when the client has gone or the response is complete,
        `http.disconnect`."""
        while self._stage is not _OVER:
            intake = self._intake
            if intake is not None and intake.waiting_bytes:
                body = intake.take()
                # After the end of the body an app that asks again waits for the client to go.
                self._is_read = self.is_complete
                return {"type": "http.request", "body": body, "more_body": not self.is_complete}
            if self.is_complete and not self._is_read:
                self._is_read = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if self.is_gone:
                break
            if self.before_read is not None:
                self._ask_for_body()
            await self._wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """An event of the app's. Raises ClientGoneError (an OSError); ResponseError for an event that is wrong, or
        comes out of order."""
        kind = message["type"]
        if self.is_gone:
            self._check_client()
        if kind == "http.response.body":
            body = message.get("body", b"")
            if type(body) is not bytes:
                body = _as_bytes(body)
            if message.get("more_body"):
                await self._send_piece(body)
            elif self._stage is _HEADED:
                self._respond(body)
            else:
                self._finish(body)
        elif kind == "http.response.start":
            if self._stage is not _SILENT:
                raise ResponseError("the app sent http.response.start twice, or after the end of its response")
            code = message["status"]
            self._status = _STATUS_LINES.get(code) or _status_line(code)
            self._fields = message.get("headers", ())
            self._stage = _HEADED
        elif self._stage is _OVER or not take_extension(self.stream, message):
            raise ResponseError(f"the app sent {kind!r}, expected http.response.start or http.response.body")

    # ------------------------------------------------------------ inside

    def _ask_for_body(self) -> None:
        before, self.before_read = self.before_read, None
        try:
            if before is not None:
                before()
        except ClientGoneError:
            self.is_gone = True

    def _respond(self, body: bytes) -> None:
        """The whole response in one: what nearly every app sends."""
        stream = self.stream
        stream.respond(self._status, self._fields, body)  # type: ignore[arg-type]  # they are checked on their way
        self._stage = _OVER
        if self._waiters:
            self._wake()
        if stream.exchange.left:
            raise ResponseError(f"the app sent {len(body)} bytes, its Content-Length promises another number")

    async def _send_piece(self, piece: bytes) -> None:
        """A piece that is not the last; and wait while the client takes its time."""
        self._write(piece)
        while self.stream.is_congested:
            self._check_client()
            self.stream.job = self.drained
            await self._wait()

    def _finish(self, piece: bytes) -> None:
        """The last piece of several."""
        self._write(piece)
        stream = self.stream
        self._end()
        if self._left:
            stream.abort()
            raise ResponseError(f"the app sent {self._left} bytes fewer than its Content-Length promises")
        stream.finish()

    def _write(self, piece: bytes) -> None:
        """Send a piece, and before the first the head: with an empty one the head goes out alone."""
        if self._stage is _HEADED:
            self._start()
        elif self._stage is _SILENT:
            raise ResponseError("the app sent http.response.body before http.response.start")
        elif self._stage is _OVER:
            raise ResponseError("the app sent http.response.body after the end of its response")
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise ResponseError(f"the app sent {-self._left} bytes more than its Content-Length promises")
        if piece:
            self.stream.write(piece)
        else:
            # The head, if it waits for something to go out with; compression would not hear of nothing.
            self.stream.connection.send(b"")

    def _start(self) -> None:
        """Send the head, or rather have it sent with the first piece."""
        stream = self.stream
        fields = list(self._fields)
        stream.start(self._status, fields)
        self._stage = _STREAMING
        has_body = stream.head.line.method != "HEAD" and self._status[:3] not in BODILESS
        self._left = _promised(fields) if has_body else None

    def _check_client(self) -> None:
        """Raises ClientGoneError when nothing more can be sent."""
        if self._stage is _OVER or self.stream.connection.is_broken:
            raise ClientGoneError("the client closed the connection, or takes nothing any more")

    def _end(self) -> None:
        """A task that waits in `receive` is told so."""
        self._stage = _OVER
        self._wake()

    async def _wait(self) -> None:
        """Until anything changes. The caller looks again whether that is what it waits for."""
        if self._waiters is None:
            self._waiters = set()
        waiter = self.stream.connection.engine.loop.create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            # An app may ask with a time-out, again and again.
            self._waiters.discard(waiter)

    def _wake(self) -> None:
        if self._waiters:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)


def _status_line(code: int) -> str:
    if not isinstance(code, int):
        raise ResponseError(f"the status is {code!r}, expected a number such as 200")
    line = status_line(code)
    if len(_STATUS_LINES) < 1000:
        _STATUS_LINES[code] = line
    return line


def _as_bytes(body: object) -> bytes:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise ResponseError(f"the body of http.response.body is {type(body).__name__}, expected bytes")


def _promised(fields: Iterable[tuple[Any, Any]]) -> int | None:
    """The Content-Length among an app's fields; those were checked by now."""
    for name, value in fields:
        if len(name) == 14 and name.lower() in (b"content-length", "content-length"):
            return int(value)
    return None
