"""An engine with ASGI apps, turned by hand: a turn is a short run of the whole loop, asyncio's part in it."""

from __future__ import annotations

import select
from collections.abc import Awaitable, Callable
from typing import Any

from skitaid.handlers.asgi.app import AsgiApp
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.router import Route, RouteKind
from tests.unit.engine.rig import Client, Rig

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
TURN_S = 0.001


class AsgiRig(Rig):
    """`told` is what the loop's exception handler was told."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.told: list[dict[str, Any]] = []
        self.engine.loop.set_exception_handler(lambda loop, context: self.told.append(context))

    def asgi(self, app: App, path: str = "", *, max_body_bytes: int | None = None, may_code: bool = False) -> AsgiApp:
        """Mount an ASGI app; `may_code`: its responses may be compressed."""
        bodies = BodyRules(max_body_bytes, max_body_bytes, may_code=may_code)
        handler = AsgiApp(self.engine, app, self._note_failure, bodies=bodies)
        self.mount(Route(path, RouteKind.APP, handler))
        return handler

    def turn(self, count: int = 1) -> None:
        loop = self.engine.loop
        for _ in range(count):
            loop.call_later(TURN_S, loop.stop)
            loop.run_forever()

    def poll(self, client: Client, data: bytes) -> bytes:
        """What a client gets for `data` from the poll alone, before asyncio has any part in it."""
        got: list[bytes] = []

        def once() -> None:
            client.send(data)
            self.engine.selector.select(0)
            got.append(client.take())
            self.engine.loop.stop()

        self.engine.loop.call_soon(once)
        self.engine.loop.run_forever()
        return got[0]

    def settle(self) -> None:
        for _ in range(1000):
            self.turn()
            if not select.select([self.engine.selector.fileno()], [], [], 0)[0]:
                return
        raise AssertionError("the engine does not come to rest: it spins")

    def run(self, coroutine: Any) -> Any:
        """To its end, on the engine's loop."""
        return self.engine.loop.run_until_complete(coroutine)

    def close(self) -> None:
        if not self.engine.loop.is_closed():
            for route in self.routes:
                if isinstance(route.handler, AsgiApp):
                    self.run(route.handler.cancel_all(1.0))
        super().close()


async def answer(send: Send, body: bytes = b"", *, status: int = 200, headers: Any = ()) -> None:
    """A whole response."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def piece(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def read(receive: Receive) -> bytes:
    """The whole body of a request."""
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        body += message["body"]
        if not message["more_body"]:
            return body


async def hello(scope: Any, receive: Receive, send: Send) -> None:
    """The least app."""
    await answer(send, b"hello")
