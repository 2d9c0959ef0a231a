"""Bodies of WSGI apps that are not as long as their Content-Length says (PEP 3333)."""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.router import Route, RouteKind
from skitaid.handlers.wsgi.app import WsgiApp, WsgiSettings
from skitaid.handlers.wsgi.file_wrapper import FileWrapper
from skitaid.protocols.errors import ResponseError
from tests.unit.engine.rig import Rig, request_bytes

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[Any], None]]
TEXT = [("Content-Type", "text/plain")]


def returning(result: Any, *fields: tuple[str, str]) -> Callable[..., Any]:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", [*TEXT, *fields])
        return result() if callable(result) else result

    return app


class Endless:
    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return itertools.repeat(b"hello")

    def close(self) -> None:
        self.closed += 1


def test_a_length_of_the_apps_own(rig: Rig) -> None:
    rig.app(returning(lambda: iter([b"hel", b"lo"]), ("Content-Length", "5")))
    client = rig.client()
    for _ in range(2):
        reply = client.get("/")
        assert (reply.body, reply.get("content-length"), reply.get("transfer-encoding")) == (b"hello", "5", None)


@pytest.mark.parametrize("result", [[b"hello and more"], lambda: iter([b"hel", b"lo and", b" more"])])
def test_what_goes_beyond_the_length_is_cut_and_told(rig: Rig, result: Any) -> None:
    rig.app(returning(result, ("Content-Length", "5")))
    client = rig.client()
    # The next response begins where it should.
    for count in (1, 2):
        assert client.get("/").body == b"hello"
        assert len(rig.failures) == count
    assert "more bytes than its Content-Length" in str(rig.failures[0])
    client.get("/", method="HEAD")
    assert len(rig.failures) == 2


def test_an_app_that_never_ends_is_left_when_its_length_is_sent(rig: Rig) -> None:
    """PEP 3333, "Handling the Content-Length Header"."""
    endless = Endless()
    rig.app(returning(endless, ("Content-Length", "12")))
    assert rig.client().get("/").body == b"hellohellohe"
    assert (endless.closed, len(rig.failures)) == (1, 1)


def test_what_write_sends_beyond_the_length_is_told_once(rig: Rig) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        write = start_response("200 OK", [*TEXT, ("Content-Length", "5")])
        write(b"hello")
        write(b" and")
        write(b" more")
        return []

    rig.app(app)
    assert rig.client().get("/").body == b"hello"
    assert len(rig.failures) == 1


def test_a_compressed_body_beyond_its_length_is_told(rig: Rig) -> None:
    pieces = [b"x" * 2000, b"and more"]
    for number, length in enumerate((2000, 2004)):
        app = returning(lambda: iter(pieces), ("Content-Length", str(length)))
        settings = WsgiSettings(io.StringIO(), rig._note_failure, bodies=BodyRules(may_code=True))
        rig.mount(Route(f"/{number}", RouteKind.APP, WsgiApp(rig.engine, app, settings)))
        reply = rig.client().get(f"/{number}", "Accept-Encoding: gzip")
        assert reply.get("content-encoding") == "gzip"
        assert gzip.decompress(reply.body) == b"".join(pieces)[:length]
        assert len(rig.failures) == number + 1


def test_a_wrapped_file_longer_than_the_length_is_no_mistake(rig: Rig) -> None:
    """An app that answers a range has the file sent up to its end (PEP 3333, "Optional Platform-Specific File
    Handling")."""
    rig.app(returning(lambda: FileWrapper(io.BytesIO(b"hello and more")), ("Content-Length", "5")))
    assert rig.client().get("/").body == b"hello"
    assert rig.failures == []


@pytest.mark.parametrize("result", [[b"hel"], lambda: iter([b"h", b"el"])])
def test_less_than_the_length_is_no_whole_response_and_is_told(rig: Rig, result: Any) -> None:
    rig.app(returning(result, ("Content-Length", "5")))
    client = rig.client()
    client.send(request_bytes("/"))
    client.end()
    reply = client.reply()
    assert (reply.body, reply.is_whole) == (b"hel", False)
    assert [type(each) for each in rig.failures] == [ResponseError]
    assert "Content-Length" in str(rig.failures[0])
