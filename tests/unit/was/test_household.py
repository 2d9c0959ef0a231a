"""The small services."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from skitaid import was
from skitaid.was import context
from skitaid.was.errors import HTTPError, NoRequestError, NoWorkerError
from skitaid.was.messages.errors import CallError, ReplyError
from skitaid.was.messages.xmlrpc import XmlRpcFault
from skitaid.was.state_table import StateTable
from skitaid.was.worker import current_worker
from tests.unit.was.rig import World


class FakeStream:
    gtxnid = "GTID-C1-R1"
    ltxnid = "1000"


@pytest.fixture
def environ() -> Iterator[dict[str, Any]]:
    """Of a request that is being answered."""
    bound = context.Bound(FakeStream())  # type: ignore[arg-type]
    bound.environ = {"REQUEST_METHOD": "GET", "QUERY_STRING": ""}
    cell = context.cell()
    cell.bound = bound
    yield bound.environ
    cell.bound = None


def test_gentemp(world: World, tmp_path: Path) -> None:
    names = {was.gentemp() for _ in range(50)}
    assert len(names) == 50
    assert not any(Path(name).exists() for name in names)
    folder = tmp_path / "temp" / str(os.getpid())
    assert {Path(name).parent for name in names} == {folder}
    assert folder.stat().st_mode & 0o777 == 0o700
    Path(names.pop()).write_text("x")
    assert was.gentemp(".png").endswith(".png")
    current_worker().end()
    assert not folder.exists()


def test_what_dead_workers_left_is_removed(world: World, tmp_path: Path) -> None:
    (tmp_path / "temp" / "999999999").mkdir(parents=True)
    (tmp_path / "temp" / "1").mkdir()
    was.gentemp()
    assert {path.name for path in (tmp_path / "temp").iterdir()} == {"1", str(os.getpid())}


def test_gentemp_without_a_worker() -> None:
    assert not Path(was.gentemp()).exists()


def test_restart_and_shutdown(world: World) -> None:
    was.restart()
    was.shutdown()
    assert world.asked == ["restart", "shutdown"]


@pytest.mark.parametrize("name", ["restart", "shutdown", "status"])
def test_without_a_worker(name: str) -> None:
    with pytest.raises(NoWorkerError):
        getattr(was, name)()


def test_the_rest() -> None:
    assert was.push("/images/A.png") is None
    assert abs(was.timestamp() / 1000 - datetime.now().timestamp()) < 5
    assert was.uniqid() != was.uniqid()
    assert re.fullmatch("[0-9a-f]{32}", was.uniqid())


# ---------------------------------------------------------------- logs


def test_log(world: World, environ: dict[str, Any]) -> None:
    was.log("called index", "info")
    was.log(5)
    was.log("x", "error", at="here")
    assert world.logged == [
        ("info", "called index", "GTID-C1-R1/1000"), ("info", "5", "GTID-C1-R1/1000"), ("error", "x", "here"),
    ]  # fmt: skip


def test_log_outside_of_requests(world: World) -> None:
    was.log("x")
    assert world.logged == [("info", "x", "")]


def test_traceback(world: World, environ: dict[str, Any]) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        was.traceback()
        was.traceback("bp1")
        was.traceback(identifier="bp2")
    assert [(kind, identifier) for kind, _, identifier in world.logged] == [
        ("expt", "GTID-C1-R1/1000"), ("expt", "bp1"), ("expt", "bp2"),
    ]  # fmt: skip
    assert "ValueError('no')" in world.logged[0][1]


def test_logs_without_a_worker(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "skitaid.app")
    was.log("hello")
    was.traceback()
    try:
        raise ValueError("no")
    except ValueError:
        was.traceback("id")
    assert [record.getMessage() for record in caplog.records] == ["[info] hello", "id"]


# ---------------------------------------------------------------- markup


@pytest.mark.parametrize("data", [{"a": [1, 2.5, None, True, "é"]}, [], "x", 5, None])
def test_json(data: Any) -> None:
    assert was.fromjson(was.tojson(data)) == data


@pytest.mark.parametrize(
    "data", [{"a": [1, 2.5, True, "é<&>"]}, [], "x", 5, 1 << 40, None, datetime(2026, 1, 2, 3, 4, 5), b"\0\xff"]
)
def test_xml(data: Any) -> None:
    text = was.toxml(data)
    assert isinstance(text, str)
    assert was.fromxml(text) == was.fromxml(text.encode()) == data


def test_what_is_no_markup() -> None:
    with pytest.raises(CallError):
        was.tojson(object())
    with pytest.raises(CallError):
        was.toxml(object())
    with pytest.raises(ReplyError):
        was.fromjson("{")
    with pytest.raises(ReplyError):
        was.fromxml("<a>")
    fault = (
        "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>4</int></value></member>"
        "<member><name>faultString</name><value>no</value></member></struct></value></fault></methodResponse>"
    )
    with pytest.raises(XmlRpcFault):
        was.fromxml(fault)


# ---------------------------------------------------------------- status


def test_status(world: World, environ: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hush")
    monkeypatch.setenv("PLAIN", "<b>")
    environ["HTTP_AUTHORIZATION"] = "Basic aHVzaA=="
    environ["headers"] = [(b"x", b"hush")]
    worker = current_worker()
    worker.states = StateTable.create()
    worker.states.set_value("nodes", 7)
    worker.figures = lambda: {"requests": 5}
    page = was.status()
    assert page.startswith("<!doctype html>")
    for text in (
        "<th>requests</th><td>5</td>",
        "<th>nodes</th><td>7</td>",
        "&lt;b&gt;",
        "@three (3)",
        "REQUEST_METHOD",
    ):
        assert text in page
    for secret in ("hush", "aHVzaA=="):
        assert secret not in page


# ---------------------------------------------------------------- proxypass


def answered(world: World, future: Any) -> Any:
    ready: list[bool] = []
    future.when_ready(lambda: ready.append(True))
    return ready


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
