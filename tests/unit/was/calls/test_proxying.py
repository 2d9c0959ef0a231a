"""`was.proxypass`."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid import was
from skitaid.was.errors import HTTPError, NoRequestError
from tests.unit.was.rig import World


def test_proxypass(world: World, environ: dict[str, Any]) -> None:
    environ.update(
        QUERY_STRING="a=1", HTTP_ACCEPT="text/css", HTTP_COOKIE="c=1", HTTP_HOST="us", HTTP_CONNECTION="close",
        HTTP_ACCEPT_ENCODING="gzip", HTTP_X_GTXN_ID="x",
    )  # fmt: skip
    future = was.proxypass("@one/base", "css/a.css")
    exchange = world.exchange()
    assert (exchange.call.method, exchange.call.target) == ("GET", b"/base/css/a.css?a=1")
    fields = dict(exchange.call.fields)
    assert {name: fields[name] for name in (b"accept", b"cookie", b"accept-encoding")} == {
        b"accept": b"text/css", b"cookie": b"c=1", b"accept-encoding": b"gzip",
    }  # fmt: skip
    assert fields[b"x-gtxn-id"] == b"GTID-C1-R1"
    assert b"host" not in fields
    assert b"connection" not in fields
    exchange.answer(b"\x1f\x8bpacked", status=203, fields=b"content-type: text/css\r\ncontent-encoding: gzip\r\nx-a: 1")
    started: list[Any] = []
    body = future.make()({}, lambda *start: started.append(start))
    assert body == [b"\x1f\x8bpacked"]
    status, headers = started[0]
    assert status.startswith("203")
    assert sorted(headers) == [("content-encoding", "gzip"), ("content-type", "text/css"), ("x-a", "1")]


@pytest.mark.parametrize(("path", "target"), [("", b"/"), (None, b"/"), ("/a", b"/a"), ("a b/é", b"/a%20b/%C3%A9")])
def test_the_path_of_proxypass(world: World, environ: dict[str, Any], path: Any, target: bytes) -> None:
    was.proxypass("@one", path)
    assert world.exchange().call.target == target


def test_proxypass_passes_answers_on_whatever_they_are(world: World, environ: dict[str, Any]) -> None:
    future = was.proxypass("@one", "gone")
    world.exchange().answer(b"elsewhere", status=302, fields=b"location: /b")
    started: list[Any] = []
    assert future.make()({}, lambda *start: started.append(start)) == [b"elsewhere"]
    assert started[0][1] == [("location", "/b")]


def test_proxypass_of_a_server_that_does_not_answer(world: World, environ: dict[str, Any]) -> None:
    future = was.proxypass("@one", "")
    future._tasks[0].give_up()
    with pytest.raises(HTTPError) as raised:
        future.make()
    assert raised.value.status_code == 504


def test_proxypass_is_for_get(world: World, environ: dict[str, Any]) -> None:
    environ["REQUEST_METHOD"] = "POST"
    with pytest.raises(HTTPError) as raised:
        was.proxypass("@one", "")
    assert raised.value.status_code == 405
    assert world.exchanges == []


def test_proxypass_in_asgi(world: World, environ: dict[str, Any]) -> None:
    environ.clear()
    environ.update(method="GET", query_string=b"q=1", headers=[(b"accept", b"*/*"), (b"host", b"us")])
    was.proxypass("@one", "a")
    call = world.exchange().call
    assert call.target == b"/a?q=1"
    assert dict(call.fields)[b"accept-encoding"] == b"identity"


def test_proxypass_outside_of_requests(world: World) -> None:
    with pytest.raises(NoRequestError):
        was.proxypass("@one", "")
