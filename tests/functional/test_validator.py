"""A WSGI app that wsgiref.validate watches from both sides, under every kind of request and of response: PEP 3333 by a
stranger's reading of it. Its assertions and warnings count as failures of the app."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.validate import WSGIWarning, validator

import pytest

from skitaid.engine.settings import EngineSettings
from skitaid.engine.spool import SpoolSettings
from tests.functional.engines import RunningEngine, Wire, request

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

SHORT = b"a short body\r\n\x00\xff"
LONG = bytes(range(256)) * 2000  # more than is kept in memory
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
WAYS = ["list", "pieces", "generator", "late", "nothing", "write", "write-and-list", "file", "error", "closing"]


def told(environ: Environ, body: bytes) -> bytes:
    """What an app got, as it is answered."""
    return json.dumps({
        "method": environ["REQUEST_METHOD"],
        "query": environ["QUERY_STRING"],
        "length": environ.get("CONTENT_LENGTH", ""),
        "x": environ.get("HTTP_X_FIELD", ""),
        "digest": hashlib.sha256(body).hexdigest(),
    }).encode()  # fmt: skip


class Closing:
    """Pieces with a `close`; the validator tells when it is not called."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Nothing to give back."""


def read(source: Any, how: str) -> bytes:
    """All of `wsgi.input`, by one of the ways that PEP 3333 names."""
    if how == "lines":
        return b"".join(source.readlines())
    if how == "line":
        return b"".join(iter(source.readline, b""))
    if how == "iter":
        return b"".join(source)
    return b"".join(iter(lambda: source.read(8192), b""))


def app(environ: Environ, start_response: StartResponse) -> Any:
    """/WAY/HOW: reads by HOW, answers by WAY."""
    _, way, how = environ["PATH_INFO"].split("/")
    body = told(environ, read(environ["wsgi.input"], how))
    fields = [("Content-Type", "application/json")]
    environ["wsgi.errors"].write("a line\n")
    environ["wsgi.errors"].flush()
    if way == "error":
        try:
            raise ValueError("meant")
        except ValueError:
            start_response("200 OK", fields)
            start_response("400 Bad Request", fields, sys.exc_info())
        return [body]
    if way == "late":
        return late(start_response, fields, body)
    write = start_response("204 No Content" if way == "nothing" else "200 OK", [] if way == "nothing" else fields)
    if way.startswith("write"):
        write(body[:10])
        write(body[10:] if way == "write" else b"")
    return {
        "list": lambda: [body],
        "pieces": lambda: [body[:5], b"", body[5:]],
        "generator": lambda: (body[at : at + 7] for at in range(0, len(body), 7)),
        "nothing": list,
        "write": list,
        "write-and-list": lambda: [body[10:]],
        "file": lambda: environ["wsgi.file_wrapper"](io.BytesIO(body)),
        "closing": lambda: Closing([body]),
    }[way]()


def late(start_response: StartResponse, fields: list[tuple[str, str]], body: bytes) -> Iterator[bytes]:
    """An app that calls start_response when its first piece is asked for."""
    start_response("200 OK", fields)
    yield body


@pytest.fixture(params=[0, 4])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningEngine]:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(64)
    settings = EngineSettings(request.param, spool=SpoolSettings(str(tmp_path), 1 << 30))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        running = RunningEngine(validator(app), settings, sock)
        yield running
        running.stop()
    assert [str(failure) for failure in running.failures] == []


def chunked(path: str, method: str, body: bytes) -> bytes:
    head = request(path, "Transfer-Encoding: chunked", "X-Field: v", method=method)
    pieces = [body[at : at + 50000] for at in range(0, len(body), 50000)]
    return head + b"".join(b"%x;name=value\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nT: v\r\n\r\n"


def expected(method: str, body: bytes, *, length: str) -> dict[str, str]:
    digest = hashlib.sha256(body).hexdigest()
    return {"method": method, "query": "q=1", "length": length, "x": "v", "digest": digest}


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_response(engine: RunningEngine, way: str) -> None:
    """To every method, with bodies of every kind, on one connection."""
    wire = engine.connect()
    code = {"nothing": 204, "error": 400}.get(way, 200)
    path = f"/{way}/read?q=1"
    for method in METHODS:
        for body in (b"", SHORT):
            wire.send(request(path, "X-Field: v", method=method, body=body))
            check(wire, code, expected(method, body, length=str(len(body) or "")))
            wire.send(chunked(path, method, body))
            check(wire, code, expected(method, body, length=""))
    wire.close()


def check(wire: Wire, code: int, answer: dict[str, str]) -> None:
    """The next response is the right one."""
    is_bodiless = code == 204 or answer["method"] == "HEAD"
    status, _, body = wire.reply("HEAD" if is_bodiless else "GET")
    assert status == code
    assert is_bodiless or json.loads(body) == answer


@pytest.mark.parametrize("how", ["read", "lines", "line", "iter"])
def test_every_way_to_read(engine: RunningEngine, how: str) -> None:
    wire = engine.connect()
    for body in (b"", SHORT, LONG):
        wire.send(request(f"/list/{how}?q=1", "X-Field: v", method="POST", body=body))
        check(wire, 200, expected("POST", body, length=str(len(body) or "")))
        wire.send(chunked(f"/list/{how}?q=1", "POST", body))
        check(wire, 200, expected("POST", body, length=""))
    wire.close()


def test_1_0_and_a_body_that_has_to_be_asked_for(engine: RunningEngine) -> None:
    wire = engine.connect()
    head = request("/list/read?q=1", "X-Field: v", "Expect: 100-continue", f"Content-Length: {len(LONG)}", method="PUT")
    wire.send(head)
    assert wire.reply("HEAD")[0] == 100
    wire.send(LONG)
    check(wire, 200, expected("PUT", LONG, length=str(len(LONG))))
    wire.send(b"POST /generator/read?q=1 HTTP/1.0\r\nX-Field: v\r\nContent-Length: 2\r\n\r\nab")
    check(wire, 200, expected("POST", b"ab", length="2"))
    assert wire.end() == b""
    wire.close()


def test_the_validator_would_be_heard() -> None:
    """These tests can fail: what it warns of and what it asserts ends among the failures."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine = RunningEngine(validator(app), EngineSettings(1), sock)
        wire = engine.connect()
        wire.send(request("/list/read", method="BREW"))
        assert wire.reply()[0] == 500
        wire.close()
        engine.stop()
    assert [type(failure) for failure in engine.failures] == [WSGIWarning]
