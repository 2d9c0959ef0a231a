"""The request that an ASGI app finds by itself, and errors that answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from skitaid import was
from skitaid.was import context
from skitaid.was.errors import HTTPError, NoRequestError
from tests.unit.engine.rig import request_bytes
from tests.unit.handlers.asgi.rig import AsgiRig, answer


def test_each_request_finds_its_own(asgi: AsgiRig) -> None:
    gate = asyncio.Event()
    found: list[tuple[str, str]] = []

    async def child() -> str:
        return str(was.env["path"])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        found.append((was.env["path"], await asyncio.create_task(child())))
        await answer(send, scope["path"].encode())

    asgi.asgi(app)
    clients = [asgi.client() for _ in range(3)]
    for number, client in enumerate(clients):
        client.send(request_bytes(f"/{number}"))
    asgi.settle()
    asgi.engine.loop.call_soon(gate.set)
    assert [client.reply().body for client in clients] == [b"/0", b"/1", b"/2"]
    assert sorted(found) == [("/0", "/0"), ("/1", "/1"), ("/2", "/2")]
    with pytest.raises(NoRequestError):
        was.env  # noqa: B018


def test_ids_for_what_goes_on_after_the_response(asgi: AsgiRig) -> None:
    found: list[Any] = []

    async def afterwards() -> None:
        await asyncio.sleep(0)
        found.append(context.outgoing_ids())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/known":
            found.append(context.outgoing_ids())
        await answer(send)
        tasks.append(asyncio.ensure_future(afterwards()))

    tasks: list[Any] = []
    asgi.asgi(app)
    asgi.client().get("/known")
    asgi.until(lambda: len(found) == 2)
    asgi.client().get("/unknown")
    asgi.until(lambda: len(found) == 3)
    gtxnid = found[0][0]
    assert found == [(gtxnid, "2001"), (gtxnid, "2002"), None]


def test_an_error_that_answers(asgi: AsgiRig) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise HTTPError("409 Conflict", "it is there already")

    asgi.asgi(app)
    reply = asgi.client().get("/", "Accept: text/html")
    assert reply.code == 409
    assert b"it is there already" in reply.body
    assert asgi.failures == []
