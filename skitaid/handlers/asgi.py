"""ASGI 3 apps, on the event loop (https://asgi.readthedocs.io, HTTP spec version 2.4).

The first step of an app's coroutine runs at once, inside the poll; only an app that suspends costs asyncio a turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from skitaid.engine.server import Engine
from skitaid.engine.stream import ClientGoneError, Stream
from skitaid.exceptions import PeerError
from skitaid.handlers.router import Route
from skitaid.handlers.status import status_line
from skitaid.protocols.errors import ProtocolError, ResponseError

__all__ = ["AsgiApp", "AsgiCallable"]

Message = MutableMapping[str, Any]
AsgiCallable = Callable[[Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
ErrorReporter = Callable[[Stream, BaseException], None]

HIGH_BYTES: Final = 262144
_LOW_BYTES: Final = 65536
_VERSION: Final = {"version": "3.0", "spec_version": "2.4"}
_EMPTY: Final[Message] = {"type": "http.request", "body": b"", "more_body": False}
_STATUS_LINES: Final[dict[int, str]] = {}


class AsgiApp:
    """A router.RouteHandler for one app at one mount point. `state` is the app's lifespan state, copied for each
    request; `is_broken`: the app said that it can't start."""

    def __init__(
        self, engine: Engine, app: AsgiCallable, report: ErrorReporter, *, max_body_bytes: int | None = None
    ) -> None:
        self._engine = engine
        self._app = app
        self._report = report
        self._limit = max_body_bytes
        self.state: dict[str, Any] = {}
        self.is_broken = False
        # asyncio itself holds tasks weakly.
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, stream: Stream, route: Route) -> bool:
        if self.is_broken:
            self._engine.respond_error(stream, 500, "The app could not be started. What happened is in its log.")
            return True
        limit, length = self._limit, stream.head.content_length
        if limit is not None and length is not None and length > limit:
            self._engine.respond_error(stream, 413, f"The body may be {limit} bytes long at most.")
            return True
        cycle = _Cycle(stream, limit)
        stream.is_dispatched = True
        task = self._engine.loop.start_task(self._run(cycle, self._scope(stream, route)))
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True

    def cancel_all(self) -> None:
        """At the end of the worker: whatever still runs is cancelled."""
        for task in list(self._tasks):
            task.cancel()

    async def _run(self, cycle: _Cycle, scope: dict[str, Any]) -> None:
        stream = cycle.stream
        try:
            await self._app(scope, cycle.receive, cycle.send)
            if not cycle.is_over:
                raise ResponseError("the app returned before its response was complete")
        except ClientGoneError:
            cycle.abandon()
        except asyncio.CancelledError:
            cycle.abandon()
            raise
        except BaseException as error:  # the root of a request: an app may even call sys.exit
            self._failed(cycle, stream, error)

    def _failed(self, cycle: _Cycle, stream: Stream, error: BaseException) -> None:
        self._report(stream, error)
        if cycle.is_over:
            return
        cycle.is_over = True
        if stream.is_started:
            stream.abort()
        else:
            self._engine.respond_error(stream, 500, "The app failed. What happened is in its log.")

    def _scope(self, stream: Stream, route: Route) -> dict[str, Any]:
        head = stream.head
        line = head.line
        connection = stream.connection
        path = line.path
        if not path.isascii():
            path = path.encode("latin-1").decode("utf-8", "replace")
        target = line.target.encode("latin-1")
        heard = stream.heard
        client = connection.client_address if heard is None or heard.client is None else heard.client_address
        return {
            "type": "http",
            "asgi": _VERSION,
            "http_version": "1.1" if line.minor else "1.0",
            "method": line.method,
            "scheme": "http" if heard is None else heard.scheme,
            "path": path,
            "raw_path": target.partition(b"?")[0],
            "query_string": line.query.encode("latin-1"),
            "root_path": route.path,
            "headers": [
                *head.fields.pairs, (b"x-gtxn-id", stream.gtxnid.encode()), (b"x-ltxn-id", stream.ltxnid.encode())
            ],
            "client": client,
            "server": connection.listener.address,
            "state": self.state.copy(),
            "extensions": {},
        }


class _Cycle:
    """One request of an app: what `receive` gives and where `send` goes. Also the sink of the request's body (see
    engine.body.RequestBody for the calls)."""

    __slots__ = (
        "_fields", "_is_complete", "_is_gone", "_is_paused", "_is_read", "_limit", "_pieces", "_status",
        "_waiters", "_waiting", "before_read", "is_over", "received", "stream",
    )

    def __init__(self, stream: Stream, limit: int | None) -> None:
        self.stream = stream
        self.is_over = False
        self.received = 0
        self.before_read: Callable[[], None] | None = None
        self._limit = limit
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._is_complete = stream.head.content_length == 0
        self._is_gone = self._is_paused = False
        self._is_read = False
        self._waiters: list[asyncio.Future[None]] = []
        self._status = 0
        self._fields: list[Any] = []
        stream.body = self
        if not self._is_complete and stream.head.fields.expects_continue and stream.head.line.minor:
            self.before_read = stream.send_continue

    # ------------------------------------------------------------ from the connection

    @property
    def is_complete(self) -> bool:
        return self._is_complete

    def feed(self, data: bytes) -> None:
        """More of the body. Raises ProtocolError 413 above the limit."""
        self.received += len(data)
        if self._limit is not None and self.received > self._limit:
            raise ProtocolError(413, f"the body is longer than {self._limit} bytes")
        if self.is_over:
            return
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting > HIGH_BYTES and not self._is_paused:
            self._is_paused = True
            self.stream.connection.set_reading(False)
        self._wake()

    def end(self) -> None:
        """The body is complete."""
        self._is_complete = True
        self._wake()

    def fail(self, error: PeerError) -> None:
        """The client is gone, or broke the protocol."""
        self._is_gone = True
        self._wake()

    def drained(self, stream: Stream) -> None:
        """The client took what was sent, or never will (Stream.job)."""
        self._wake()

    def abandon(self) -> None:
        """Nobody is there to answer."""
        if not self.is_over:
            self.is_over = True
            self.stream.connection.abandon(self.stream)

    # ------------------------------------------------------------ from the app

    async def receive(self) -> Message:
        """The next event."""
        while not self._pieces and not self._is_gone and not self.is_over:
            if self._is_complete and not self._is_read:
                self._is_read = True
                return dict(_EMPTY)
            if self.before_read is not None:
                before, self.before_read = self.before_read, None
                before()
            await self._wait()
        if not self._pieces:
            return {"type": "http.disconnect"}
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        if self._is_paused:
            self._is_paused = False
            self.stream.connection.set_reading(True)
        # After the end of the body an app that asks again waits for the client to go.
        self._is_read = self._is_complete
        return {"type": "http.request", "body": body, "more_body": not self._is_complete}

    async def send(self, message: Message) -> None:
        """An event of the app's. Raises ClientGoneError (an OSError), ResponseError for one out of order."""
        kind = message["type"]
        if kind == "http.response.body":
            await self._send_body(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.start":
            if self._status:
                raise ResponseError("the app sent http.response.start twice")
            self._status = message["status"]
            self._fields = list(message.get("headers", ()))
        else:
            raise ResponseError(f"the app sent {kind!r}, expected http.response.start or http.response.body")

    async def _send_body(self, body: bytes, has_more: bool) -> None:
        stream = self.stream
        if self.is_over:
            raise ResponseError("the app sent a body after the end of its response")
        if not self._status:
            raise ResponseError("the app sent http.response.body before http.response.start")
        if not stream.is_started:
            status = _line_of(self._status)
            if not has_more:
                self._end()
                stream.respond(status, self._fields, bytes(body))
                return
            stream.start(status, self._fields)
        if body:
            stream.write(bytes(body))
        if not has_more:
            self._end()
            if not stream.exchange.is_complete:
                stream.abort()
                raise ResponseError("the app sent fewer bytes than its Content-Length promises")
            stream.finish()
        elif stream.connection.is_congested:
            stream.job = self.drained
            await self._wait()

    def _end(self) -> None:
        """The response is complete: a task that waits in `receive` is told so."""
        self.is_over = True
        self._wake()

    async def _wait(self) -> None:
        # An app may receive in one task and send in another: both wait here.
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)


def _line_of(code: int) -> str:
    try:
        return _STATUS_LINES[code]
    except KeyError:
        line = status_line(code)
        if len(_STATUS_LINES) < 1000:
            _STATUS_LINES[code] = line
        return line
