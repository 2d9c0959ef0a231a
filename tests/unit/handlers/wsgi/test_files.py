"""`wsgi.file_wrapper` and request bodies on disk, by an engine that is turned by hand."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine.spool import Spool, SpoolSettings
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.router import Route, RouteKind
from skitaid.handlers.wsgi.app import WsgiApp, WsgiSettings
from skitaid.handlers.wsgi.file_wrapper import FileWrapper
from skitaid.protocols.errors import ResponseError
from tests.unit.engine.rig import MakeRig, Reply, Rig, request_bytes

DATA = bytes(range(256)) * 4000
PNG = ("Content-Type", "image/png")
TEXT = ("Content-Type", "text/css")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a wrapped file in the process fails the test."""

    def fail(wrapper: FileWrapper) -> Iterator[bytes]:
        raise AssertionError("the file was read")

    monkeypatch.setattr(FileWrapper, "__iter__", fail)


def mount(rig: Rig, app: Callable[..., Any], rules: BodyRules | None = None) -> None:
    settings = WsgiSettings(io.StringIO(), rig._note_failure, bodies=rules or BodyRules(may_code=True))
    rig.mount(Route("", RouteKind.APP, WsgiApp(rig.engine, app, settings)))


def serving(open_file: Callable[[], Any], *fields: tuple[str, str], status: str = "200 OK") -> Callable[..., Any]:
    files: list[Any] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        assert all(file.closed for file in files)
        files.append(open_file())
        start_response(status, list(fields))
        return environ["wsgi.file_wrapper"](files[-1])

    return app


def ask(rig: Rig, app: Callable[..., Any], *fields: str, method: str = "GET") -> Reply:
    mount(rig, app)
    return rig.client().get("/", *fields, method=method)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("threads", [0, 1])
def test_a_file_is_sent_by_the_kernel(make_rig: MakeRig, path: Path, unread: None, threads: int) -> None:
    rig = make_rig(threads=threads)
    reply = ask(rig, serving(lambda: path.open("rb"), PNG))
    assert (reply.body, reply.get("content-length")) == (DATA, str(len(DATA)))
    rig.until(lambda: rig.records)
    assert rig.records[0][8] == len(DATA)
    assert rig.failures == []


@pytest.mark.parametrize("length", [0, 5, len(DATA)])
def test_as_much_as_the_app_promises(rig: Rig, path: Path, unread: None, length: int) -> None:
    reply = ask(rig, serving(lambda: path.open("rb"), PNG, ("Content-Length", str(length))))
    assert (reply.body, reply.get("content-length")) == (DATA[:length], str(length))


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified")])
def test_no_body_where_none_belongs(rig: Rig, path: Path, unread: None, method: str, status: str) -> None:
    mount(rig, serving(lambda: path.open("rb"), PNG, status=status))
    client = rig.client()
    for _ in range(2):
        assert client.get(method=method).body == b""


def test_a_file_shorter_than_promised_cuts_the_response(rig: Rig, path: Path) -> None:
    reply = ask(rig, serving(lambda: path.open("rb"), PNG, ("Content-Length", str(len(DATA) + 1))))
    assert not reply.is_whole
    assert DATA.startswith(reply.body)
    assert isinstance(rig.failures[0], ResponseError)


def test_text_is_compressed_and_read_for_that(rig: Rig, path: Path) -> None:
    app = serving(lambda: path.open("rb"), TEXT, ("Content-Length", str(len(DATA))))
    reply = ask(rig, app, "Accept-Encoding: gzip")
    assert (reply.get("content-encoding"), zlib.decompress(reply.body, 31)) == ("gzip", DATA)


def test_text_for_a_client_that_wants_it_plain(rig: Rig, path: Path, unread: None) -> None:
    reply = ask(rig, serving(lambda: path.open("rb"), TEXT))
    assert (reply.body, reply.get("vary")) == (DATA, "Accept-Encoding")


def test_what_is_no_real_file_is_read(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(gzip.compress(DATA))
    for file in (gzip.GzipFile(tmp_path / "file.gz"), io.BytesIO(DATA)):
        rig.routes.clear()
        assert ask(rig, serving(lambda file=file: file, PNG)).body == DATA


def test_after_something_was_written_the_file_follows_by_reading(rig: Rig, path: Path) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [PNG])(b"first ")
        return environ["wsgi.file_wrapper"](path.open("rb"))

    assert ask(rig, app).body == b"first " + DATA


@pytest.mark.parametrize(
    "field", [("X", "a\r\nb"), ("Content-Length", "x"), ("Content-Length", "-1"), ("one",), (1, 2)]
)
def test_fields_that_can_not_be_sent_are_the_app_s_failure(rig: Rig, path: Path, field: Any) -> None:
    assert ask(rig, serving(lambda: path.open("rb"), PNG, field)).code == 500
    assert rig.failures


def test_a_client_that_goes_away_meanwhile(rig: Rig, path: Path) -> None:
    mount(rig, serving(lambda: path.open("rb"), PNG))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        client = rig.client(send_buffer=4096)
        client.send(request_bytes())
        rig.until(lambda client=client: client.connection.unsent_bytes)
        client.close()
        rig.until(lambda client=client: client.is_closed)
    assert rig.failures == []
    assert len(os.listdir("/proc/self/fd")) == before


# ---------------------------------------------------------------- request bodies that wait


def kind_of_input(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    source = environ["wsgi.input"]
    return [f"{type(source).__name__} {len(source.read())}".encode()]


@pytest.fixture
def spooling(rig: Rig, tmp_path: Path) -> Rig:
    rig.engine.spool = Spool(SpoolSettings(str(tmp_path / "bodies"), 1 << 20), rig.engine.disk)
    return rig


@pytest.mark.parametrize(
    ("size", "name"), [(100_000, "BytesIO"), (200_000, "BufferedReader"), (3 << 20, "BufferedReader")]
)
def test_large_bodies_come_from_disk(spooling: Rig, size: int, name: str) -> None:
    """Apps run on the loop here, so that the spool has no limit."""
    mount(spooling, kind_of_input)
    client = spooling.client()
    for _ in range(2):
        reply = client.ask(request_bytes(method="POST", body=b"x" * size))
        assert reply.body == f"{name} {size}".encode()


def test_asking_first_and_then_waiting_on_disk(spooling: Rig) -> None:
    mount(spooling, kind_of_input)
    client = spooling.client()
    request = request_bytes("/", "Expect: 100-continue", method="POST", body=b"x" * 300_000)
    client.send(request[:-300_000])
    spooling.until(lambda: client.take() == b"HTTP/1.1 100 Continue\r\n\r\n")
    client.received = b""
    client.send(request[-300_000:])
    assert client.reply().body == b"BufferedReader 300000"


def test_a_limit_is_told_while_it_is_written(spooling: Rig) -> None:
    mount(spooling, kind_of_input, BodyRules.of(250_000))
    client = spooling.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.send(b"3d090\r\n" + b"x" * 250_000 + b"\r\n")
    spooling.settle()
    client.send(b"1\r\nx\r\n")
    assert client.reply().code == 413


def test_a_server_with_too_much_to_do_keeps_no_body(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = make_rig(threads=1, queue_limit=0)
    rig.engine.spool = Spool(SpoolSettings(str(tmp_path / "bodies"), 1 << 20), rig.engine.disk)
    mount(rig, kind_of_input)
    before = len(os.listdir("/proc/self/fd"))
    client = rig.client()
    client.send(request_bytes(method="POST", body=b"x" * 300_000))
    assert client.reply().code == 503
    assert len(os.listdir("/proc/self/fd")) <= before + 2
