"""Responses of WSGI apps that come later, and the request that an app finds by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from skitaid import was
from skitaid.was import context
from skitaid.was.errors import HTTPError, NoRequestError
from skitaid.was.later import Later
from tests.unit.engine.rig import MakeRig, Rig, request_bytes

Start = Callable[..., Any]
TEXT = [("Content-Type", "text/plain")]


class Promise(Later):
    """Ready when the test says so."""

    def __init__(self, made: Any) -> None:
        self._made = made
        self._functions: list[Callable[[], None]] = []
        self.is_ready = False

    def when_ready(self, function: Callable[[], None]) -> None:
        if self.is_ready:
            function()
        self._functions.append(function)

    def make(self) -> Any:
        return self._made() if callable(self._made) and not isinstance(self._made, Later) else self._made

    def keep(self) -> None:
        self.is_ready = True
        for function in self._functions:
            function()


def giving(promise: Later) -> Callable[..., Any]:
    return lambda environ, start_response: promise


def test_a_response_that_comes_later(rig: Rig) -> None:
    promise = Promise("héllo")
    rig.app(giving(promise))
    client = rig.client()
    client.send(request_bytes())
    rig.settle()
    assert client.take() == b""
    promise.keep()
    reply = client.reply()
    assert (reply.code, reply.body, reply.get("content-type")) == (200, "héllo".encode(), "text/html; charset=utf-8")
    promise.is_ready = True
    assert client.get().body == "héllo".encode()


def test_the_app_can_start_its_response_when_it_is_made(rig: Rig) -> None:
    def app(environ: Any, start_response: Start) -> Any:
        def make() -> list[bytes]:
            start_response("201 Created", [*TEXT, ("X-A", "1")])
            return [b"a", b"b"]

        return promise_of(make)

    promises: list[Promise] = []

    def promise_of(make: Callable[[], Any]) -> Promise:
        promises.append(Promise(make))
        return promises[-1]

    rig.app(app)
    client = rig.client()
    client.send(request_bytes())
    rig.settle()
    promises[0].keep()
    reply = client.reply()
    assert (reply.code, reply.body, reply.get("x-a")) == (201, b"ab", "1")


def test_a_dict_is_json(rig: Rig) -> None:
    promise = Promise({"a": "é"})
    promise.is_ready = True
    rig.app(giving(promise))
    reply = rig.client().get()
    assert (reply.body, reply.get("content-type")) == ('{"a": "é"}'.encode(), "application/json")


def test_what_comes_later_may_come_later_still(rig: Rig) -> None:
    last = Promise("end")
    first = Promise(last)
    rig.app(giving(first))
    client = rig.client()
    client.send(request_bytes())
    rig.settle()
    first.keep()
    rig.settle()
    assert client.take() == b""
    last.keep()
    assert client.reply().body == b"end"


def wsgi_response(environ: Any, start_response: Start) -> list[bytes]:
    """What the responses of frameworks are: WSGI apps."""
    start_response("202 Accepted", [*TEXT, ("X-Path", environ["PATH_INFO"])])
    return [b"later"]


def test_a_response_of_a_framework(rig: Rig) -> None:
    promise = Promise(lambda: wsgi_response)
    promise.is_ready = True
    rig.app(giving(promise))
    reply = rig.client().get("/a")
    assert (reply.code, reply.body, reply.get("x-path")) == (202, b"later", "/a")


class Wrapped:
    """What a framework makes of an iterable."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Any:
        return iter([b"not this"])

    def close(self) -> None:
        self.closed += 1


def test_a_framework_that_took_it_for_a_response(rig: Rig) -> None:
    promise = Promise(lambda: wsgi_response)
    wrapped = Wrapped()

    def app(environ: Any, start_response: Start) -> Any:
        kept = context.memory()
        assert kept is not None
        kept.later = promise
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "8"), ("Set-Cookie", "a=1")])
        return wrapped

    rig.app(app)
    client = rig.client()
    client.send(request_bytes())
    rig.settle()
    assert wrapped.closed == 1
    promise.keep()
    reply = client.reply()
    assert (reply.code, reply.body, reply.get("set-cookie")) == (202, b"later", "a=1")
    assert reply.get("content-type") == "text/plain"


@pytest.mark.parametrize(
    ("error", "code", "is_told"),
    [(ValueError(), 500, True), (HTTPError("410 Gone"), 410, False), (HTTPError("503 Later", "busy"), 503, True)],
)
def test_making_it_fails(rig: Rig, error: Exception, code: int, is_told: bool) -> None:
    def make() -> Any:
        raise error

    promise = Promise(make)
    promise.is_ready = True
    rig.app(giving(promise))
    assert rig.client().get().code == code
    assert rig.failures == ([error] if is_told else [])


def test_a_body_without_a_status(rig: Rig) -> None:
    promise = Promise([b"a", b"b"])
    promise.is_ready = True
    rig.app(giving(promise))
    assert rig.client().get().code == 500


def test_a_client_that_does_not_wait(rig: Rig) -> None:
    promise = Promise("x")
    rig.app(giving(promise))
    client = rig.client()
    client.send(request_bytes())
    rig.settle()
    client.close()
    rig.settle()
    promise.keep()
    rig.until(lambda: client.is_closed)
    assert rig.failures == []


def test_it_holds_no_thread(make_rig: MakeRig) -> None:
    rig = make_rig(threads=1)
    promises: list[Promise] = []

    def app(environ: Any, start_response: Start) -> Any:
        promises.append(Promise(environ["PATH_INFO"].encode))
        return promises[-1]

    rig.app(app)
    clients = [rig.client() for _ in range(5)]
    for number, client in enumerate(clients):
        client.send(request_bytes(f"/{number}"))
    rig.until(lambda: len(promises) == 5)
    assert rig.engine.threads is not None
    rig.until(lambda: rig.engine.threads is not None and rig.engine.threads.busy == 0)
    for promise in promises:
        threading.Thread(target=promise.keep).start()
    assert [client.reply().body for client in clients] == [b"/0", b"/1", b"/2", b"/3", b"/4"]


# ---------------------------------------------------------------- errors that end a request


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (HTTPError("404 Not Found", "a.txt not exists"), 404, b"a.txt not exists"),
        (HTTPError(409), 409, b"Conflict"),
        (HTTPError("302 Found"), 500, b"The app failed"),
    ],
)
def test_an_error_that_answers(rig: Rig, error: HTTPError, code: int, text: bytes) -> None:
    def app(environ: Any, start_response: Start) -> Any:
        raise error

    rig.app(app)
    reply = rig.client().get("/", "Accept: text/html")
    assert reply.code == code
    assert text in reply.body
    assert bool(rig.failures) is (code >= 500)


def test_an_error_after_the_head_is_told(rig: Rig) -> None:
    def app(environ: Any, start_response: Start) -> Any:
        start_response("200 OK", TEXT)
        yield b"a"
        raise HTTPError("404 Not Found")

    rig.app(app)
    rig.client().get()
    assert len(rig.failures) == 1


# ---------------------------------------------------------------- the request


def test_an_app_finds_its_request(rig: Rig) -> None:
    found: list[Any] = []

    def app(environ: Any, start_response: Start) -> list[bytes]:
        found.append(was.env is environ)
        start_response("200 OK", TEXT)
        return [b""]

    rig.app(app)
    rig.client().get()
    assert found == [True]
    for name in ("env", "request", "app"):
        with pytest.raises(NoRequestError, match=f"was.{name} belongs to a request"):
            getattr(was, name)


def test_an_iterator_that_goes_on_later_finds_its_request(rig: Rig) -> None:
    found: list[str] = []

    def app(environ: Any, start_response: Start) -> Any:
        start_response("200 OK", TEXT)
        for _ in range(40):
            found.append(was.env["PATH_INFO"])
            yield bytes(100_000)

    rig.app(app)
    client = rig.client(send_buffer=20_000)
    client.send(request_bytes("/a"))
    rig.settle()
    assert len(found) < 40
    client.reply()
    assert found == ["/a"] * 40


def test_what_a_framework_adds(rig: Rig) -> None:
    class Container:
        request = "the request"
        session = "the session"

    found: list[Any] = []

    def app(environ: Any, start_response: Start) -> list[bytes]:
        with pytest.raises(AttributeError):
            was.session  # noqa: B018
        context.bind_container(Container())
        found.extend([was.request, was.session, was.env is environ])
        with pytest.raises(AttributeError):
            was.nothing_of_that_name  # noqa: B018
        start_response("200 OK", TEXT)
        return [b""]

    rig.app(app)
    assert rig.client().get().code == 200
    assert found == ["the request", "the session", True]
    with pytest.raises(NoRequestError):
        context.bind_container(Container())
