"""Hints and pushes of WSGI and ASGI apps over HTTP/2, and nothing of them over HTTP/1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from skitaid.handlers.asgi.app import AsgiApp
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.router import Route, RouteKind
from skitaid.was.server_push import push
from tests.unit.engine.http2_client import connect
from tests.unit.engine.rig import MakeRig, Rig, make_rig, rig

__all__ = ["make_rig", "rig"]

LINK = "</a.css>; rel=preload; as=style"


def hinting(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    environ["wsgi.early_hints"]([("Link", LINK)])
    if environ["PATH_INFO"] == "/":
        push("http://localhost/b.css?c")
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


def test_a_wsgi_app(rig: Rig) -> None:
    rig.app(hinting)
    client = connect(rig)
    page = client.get("/")
    assert (page.status, page.interims) == (200, [{":status": "103", "link": LINK}])
    client.until(lambda: client.pushed)
    assert client.until_done(2)[0].body == b"/b.css"


def test_a_wsgi_app_by_http_1(rig: Rig) -> None:
    rig.app(hinting)
    assert rig.client().get("/").code == 200


def test_in_app_threads(make_rig: MakeRig) -> None:
    rig = make_rig(threads=2)
    rig.app(hinting)
    client = connect(rig)
    assert client.get("/x").interims == [{":status": "103", "link": LINK}]


async def asgi_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if "http.response.push" in scope["extensions"] and scope["path"] == "/":
        await send({"type": "http.response.early_hint", "links": [LINK.encode()]})
        await send({"type": "http.response.push", "path": "/b.css", "headers": []})
    if scope["path"] == "/bad":
        await send({"type": "http.response.push", "path": "b.css", "headers": []})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["http_version"].encode() + scope["path"].encode()})


def mount(rig: Rig) -> None:
    handler = AsgiApp(rig.engine, asgi_app, rig._note_failure, bodies=BodyRules.of(None))
    rig.mount(Route("", RouteKind.APP, handler))
    rig.turn = partial(run_loop, rig)  # type: ignore[method-assign]


def run_loop(rig: Rig, count: int = 1) -> None:
    """A turn as in a worker: from Python 3.12 on, a task begins at once only in a loop that runs."""
    loop = rig.engine.loop
    for _ in range(count):
        loop.call_later(0.001, loop.stop)
        loop.run_forever()


def test_an_asgi_app(rig: Rig) -> None:
    mount(rig)
    client = connect(rig)
    page = client.get("/")
    assert (page.body, page.interims) == (b"2/", [{":status": "103", "link": LINK}])
    client.until(lambda: client.pushed)
    assert client.until_done(2)[0].body == b"2/b.css"


@pytest.mark.parametrize("path", ["/", "/other"])
def test_an_asgi_app_by_http_1(rig: Rig, path: str) -> None:
    mount(rig)
    assert rig.client().get(path).body == b"1.1" + path.encode()


def test_a_push_of_an_asgi_app_that_is_none(rig: Rig) -> None:
    mount(rig)
    assert connect(rig).get("/bad").status == 500
    assert "expected a text that begins with '/'" in str(rig.failures[0])
