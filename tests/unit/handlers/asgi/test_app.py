"""ASGI apps over a whole engine: what they send, how they fail, and the loop they share with it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from skitaid.engine.errors import ClientGoneError
from skitaid.protocols.errors import ResponseError
from tests.unit.engine.rig import request_bytes
from tests.unit.handlers.asgi.rig import START, App, AsgiRig, Receive, Send, answer, hello, piece

Scope = dict[str, Any]
MakeAsgi = Callable[..., AsgiRig]


# ---------------------------------------------------------------- responses


def test_a_response_in_one_piece(asgi: AsgiRig) -> None:
    asgi.asgi(hello)
    reply = asgi.client().get()
    assert (reply.code, reply.body, reply.get("content-length")) == (200, b"hello", "5")


def test_the_first_step_needs_no_turn_of_asyncio(asgi: AsgiRig) -> None:
    asgi.asgi(hello)
    assert asgi.poll(asgi.client(), request_bytes()).endswith(b"hello")


@pytest.mark.parametrize("body", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_kinds_of_bytes(asgi: AsgiRig, body: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await piece(send, body)
        await piece(send, body, more=False)

    asgi.asgi(app)
    asgi.asgi(lambda scope, receive, send: answer(send, body), "/one")
    client = asgi.client()
    assert (client.get().body, client.get("/one").body) == (b"abab", b"ab")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-one", b"1"), (b"X-Two", b"2")],
        [[b"x-one", b"1"], [b"X-Two", b"2"]],
        ((b"x-one", b"1"), (b"X-Two", b"2")),
        [("x-one", "1"), ("X-Two", "2")],
    ],
)
def test_forms_of_headers(asgi: AsgiRig, headers: Any) -> None:
    asgi.asgi(lambda scope, receive, send: answer(send, headers=iter(headers)))
    reply = asgi.client().get()
    assert (reply.code, reply.get("x-one"), reply.get("x-two")) == (200, "1", "2")


def test_body_may_be_left_out_of_the_message(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 201})
        await send({"type": "http.response.body"})

    asgi.asgi(app)
    reply = asgi.client().get()
    assert (reply.code, reply.body, reply.get("content-length")) == (201, b"", "0")


def test_pieces_go_out_as_they_are_sent(asgi: AsgiRig) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await piece(send, b"one")
        await go_on.wait()
        await piece(send, b"two")
        await piece(send, b"", more=False)

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.until(lambda: b"one" in client.take() or b"one" in client.received)
    assert b"two" not in client.received
    go_on.set()
    assert client.reply().body == b"onetwo"
    assert client.get("/").body == b"onetwo"


def test_the_head_goes_out_with_the_first_piece_and_not_before(asgi: AsgiRig) -> None:
    steps: list[asyncio.Event] = [asyncio.Event(), asyncio.Event()]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await steps[0].wait()
        await piece(send, b"")
        await steps[1].wait()
        await piece(send, b"end", more=False)

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.settle()
    assert client.take() == b""
    steps[0].set()
    asgi.until(lambda: client.take() or client.received)
    assert client.received.endswith(b"\r\n\r\n")
    steps[1].set()
    assert client.reply().body == b"end"


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("pieces", [[b""], [b"not sent"], [b"not", b"sent"]])
def test_statuses_without_a_body(asgi: AsgiRig, status: int, pieces: list[bytes]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        for index, body in enumerate(pieces):
            await piece(send, body, more=index < len(pieces) - 1)

    asgi.asgi(app)
    client = asgi.client()
    for _ in range(2):
        reply = client.get()
        assert (reply.code, reply.body) == (status, b"")
    assert not asgi.failures


@pytest.mark.parametrize("pieces", [[b""], [b"hello"], [b"he", b"llo"], [b"", b""]])
def test_head_requests(asgi: AsgiRig, pieces: list[bytes]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        for index, body in enumerate(pieces):
            await piece(send, body, more=index < len(pieces) - 1)

    asgi.asgi(app)
    client = asgi.client()
    for _ in range(2):
        reply = client.get(method="HEAD")
        assert (reply.code, reply.body, reply.get("content-length")) == (200, b"", "5")
    assert not asgi.failures


def test_a_stream_to_an_http_1_0_client_ends_with_the_connection(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await piece(send, b"a")
        await piece(send, b"b", more=False)

    asgi.asgi(app)
    client = asgi.client()
    client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert client.end().endswith(b"\r\n\r\nab")
    assert not client.is_reset


def test_pipelined_requests_are_answered_in_order(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await asyncio.sleep(0.01)
        await answer(send, scope["path"].encode())

    asgi.asgi(app)
    client = asgi.client()
    paths = ["/slow", "/a", "/slow", "/b"]
    client.send(b"".join(request_bytes(path) for path in paths))
    assert [client.reply().body.decode() for _ in paths] == paths


# ---------------------------------------------------------------- lengths


@pytest.mark.parametrize(
    ("pieces", "complaint"),
    [
        ([b"123"], "another number"),
        ([b"1234567"], "another number"),
        ([b"12", b"3"], "2 bytes fewer"),
        ([b"123", b""], "2 bytes fewer"),
        ([b"123", b"4567"], "2 bytes more"),
        ([b"1234567", b""], "2 bytes more"),
    ],
)
def test_a_body_that_is_not_as_long_as_promised(asgi: AsgiRig, pieces: list[bytes], complaint: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"5")]})
        for index, body in enumerate(pieces):
            await piece(send, body, more=index < len(pieces) - 1)

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    reply = client.reply() if pieces == [b"1234567"] else None
    if reply is None:
        assert len(client.end().partition(b"\r\n\r\n")[2]) < 5
    else:
        assert reply.body == b"12345"
    [error] = asgi.failures
    assert isinstance(error, ResponseError)
    assert complaint in str(error)


def test_a_body_as_long_as_promised(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await piece(send, b"12")
        await piece(send, b"345")
        await piece(send, b"", more=False)

    asgi.asgi(app)
    client = asgi.client()
    assert [client.get().body for _ in range(2)] == [b"12345"] * 2
    assert not asgi.failures


# ---------------------------------------------------------------- failures


async def _raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise KeyError("before")


async def _raises_after_start(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    raise KeyError("after the start")


async def _returns(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends nothing."""


async def _returns_after_start(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)


async def _exits(scope: Scope, receive: Receive, send: Send) -> None:
    sys.exit(3)


async def _interrupts(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0)
    raise KeyboardInterrupt


async def _cancels_itself(scope: Scope, receive: Receive, send: Send) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


def _is_no_coroutine(scope: Scope, receive: Receive, send: Send) -> Any:
    return None


async def _two_starts(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send(START)


async def _body_first(scope: Scope, receive: Receive, send: Send) -> None:
    await piece(send, b"x", more=False)


async def _piece_first(scope: Scope, receive: Receive, send: Send) -> None:
    await piece(send, b"x")


def _sends(message: Any) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(message)

    return app


def _answers(**parts: Any) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, **parts)

    return app


BROKEN: dict[str, tuple[App, type[BaseException], str]] = {
    "raises": (_raises, KeyError, "before"),
    "raises after start": (_raises_after_start, KeyError, "after the start"),
    "returns": (_returns, ResponseError, "without sending a response"),
    "returns after start": (_returns_after_start, ResponseError, "without sending a response"),
    "exits": (_exits, SystemExit, "3"),
    "interrupts": (_interrupts, KeyboardInterrupt, ""),
    "cancels itself": (_cancels_itself, asyncio.CancelledError, ""),
    "no coroutine": (_is_no_coroutine, TypeError, "await"),
    "two starts": (_two_starts, ResponseError, "http.response.start twice"),
    "body first": (_body_first, ResponseError, "before http.response.start"),
    "piece first": (_piece_first, ResponseError, "before http.response.start"),
    "unknown type": (_sends({"type": "http.response.push"}), ResponseError, "'http.response.push', expected"),
    "no type": (_sends({}), KeyError, "type"),
    "no status": (_sends({"type": "http.response.start"}), KeyError, "status"),
    "text status": (_answers(status="200"), ResponseError, "the status is '200'"),
    "interim status": (_answers(status=103), ResponseError, "expected a final one"),
    "huge status": (_answers(status=1000), ResponseError, "expected a final one"),
    "text body": (_answers(body="text"), ResponseError, "is str, expected bytes"),
    "number body": (_answers(body=5), ResponseError, "is int, expected bytes"),
    "no body": (_answers(body=None), ResponseError, "is NoneType, expected bytes"),
    "newline": (_answers(headers=[(b"x", b"a\r\nb: c")]), ResponseError, "can't be sent"),
    "bad name": (_answers(headers=[(b"x y", b"a")]), ResponseError, "can't be sent"),
    "odd header": (_answers(headers=[(b"x",)]), ResponseError, "not a (name, value) pair"),
    "two lengths": (_answers(headers=[(b"content-length", b"0")] * 2), ResponseError, "given twice"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_failure_before_anything_was_sent(asgi: AsgiRig, name: str) -> None:
    app, kind, text = BROKEN[name]
    asgi.asgi(app)
    asgi.asgi(hello, "/hello")
    client = asgi.client()
    assert client.get().code == 500
    assert client.get("/hello").body == b"hello"
    [error] = asgi.failures
    assert isinstance(error, kind)
    assert text in str(error)


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("how", ["raise", "return", "start", "type"])
def test_a_failure_in_the_middle_cuts_the_response(asgi: AsgiRig, how: str, later: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await piece(send, b"half")
        if later:
            await asyncio.sleep(0)
        if how == "raise":
            raise KeyError
        if how == "start":
            await send(START)
        if how == "type":
            await send({"type": "http"})

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    assert b"\r\n0\r\n" not in client.end()
    assert len(asgi.failures) == 1


@pytest.mark.parametrize("how", ["raise", "start", "body", "piece"])
def test_a_failure_after_the_response_changes_nothing_for_the_client(asgi: AsgiRig, how: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"whole")
        if how == "start":
            await send(START)
        if how != "raise":
            await piece(send, b"more", more=how == "piece")
        raise KeyError

    asgi.asgi(app)
    client = asgi.client()
    assert [client.get().body for _ in range(2)] == [b"whole"] * 2
    assert [type(error) for error in asgi.failures] == [KeyError if how == "raise" else ResponseError] * 2


def test_work_after_the_response_does_not_hold_the_connection(asgi: AsgiRig) -> None:
    done: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"sent")
        assert (await receive())["type"] == "http.disconnect"
        await asyncio.sleep(0.01)
        done.append(scope["path"])

    asgi.asgi(app)
    client = asgi.client()
    assert client.get("/1").body == client.get("/2").body == b"sent"
    asgi.until(lambda: done == ["/1", "/2"])
    assert not asgi.failures


def test_what_an_app_catches_of_a_wrong_message_it_may_mend(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"\n")]})
        with pytest.raises(ResponseError):
            await piece(send, b"", more=False)
        raise KeyError

    asgi.asgi(app)
    assert asgi.client().get().code == 500
    assert [type(error) for error in asgi.failures] == [KeyError]


# ---------------------------------------------------------------- the client goes


def test_a_slow_reader_holds_the_app_and_not_the_memory(asgi: AsgiRig) -> None:
    sent, most = 0, 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent, most
        await send(START)
        for index in range(100):
            await piece(send, bytes([index]) * 65536)
            sent += 1
            most = max(most, client.connection.outgoing_bytes)
        await piece(send, b"", more=False)

    asgi.asgi(app)
    client = asgi.client(send_buffer=65536)
    client.send(request_bytes())
    asgi.settle()
    held = sent
    assert held < 20
    asgi.settle()
    assert sent == held
    assert client.reply().body == b"".join(bytes([index]) * 65536 for index in range(100))
    assert most < 400_000


def test_several_tasks_may_send_at_once(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def part(mark: bytes) -> None:
            for _ in range(20):
                await piece(send, mark * 65536)

        await send(START)
        async with asyncio.TaskGroup() as group:
            for mark in (b"a", b"b", b"c"):
                group.create_task(part(mark))
        await piece(send, b"", more=False)

    asgi.asgi(app)
    client = asgi.client(send_buffer=65536)
    client.send(request_bytes())
    asgi.settle()
    body = client.reply().body
    assert [body.count(mark) for mark in (b"a", b"b", b"c")] == [20 * 65536] * 3
    assert not asgi.failures


def test_send_raises_oserror_when_the_client_is_gone(asgi: AsgiRig) -> None:
    caught: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            while True:
                await piece(send, b"x" * 1000)
                await asyncio.sleep(0)
        except OSError as error:
            caught.append(error)
            raise

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.until(client.take)
    client.close()
    asgi.until(lambda: caught)
    assert isinstance(caught[0], ClientGoneError)
    asgi.until(lambda: client.is_closed)
    assert not asgi.failures
    assert len(asgi.records) == 1


@pytest.mark.parametrize("more", [False, True])
def test_a_first_send_after_the_client_is_gone_raises_as_well(asgi: AsgiRig, more: bool) -> None:
    caught: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        await asyncio.sleep(0.01)
        try:
            await send(START)
            await piece(send, b"", more=more)
        except OSError as error:
            caught.append(error)
            raise

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.settle()
    # A reset: something it did not read was on its way to the client.
    client.connection.send(b"x" * 10)
    client.close()
    asgi.until(lambda: caught)
    asgi.until(lambda: client.is_closed)
    assert not asgi.failures


def test_a_sender_that_waits_is_woken_when_the_client_goes(asgi: AsgiRig) -> None:
    caught: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            await piece(send, b"x" * 4_000_000)
            await piece(send, b"x" * 4_000_000)
        except OSError as error:
            caught.append(error)
            raise

    asgi.asgi(app)
    client = asgi.client(send_buffer=65536)
    client.send(request_bytes())
    asgi.settle()
    assert not caught
    client.close()
    asgi.until(lambda: caught)
    asgi.until(lambda: client.is_closed)
    assert not asgi.failures


def test_a_client_that_takes_nothing_is_given_up(make_asgi: MakeAsgi) -> None:
    asgi = make_asgi(stall_s=5.0)
    events: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            await receive()
            events.append((await receive())["type"])

        listener = asyncio.create_task(listen())
        await send(START)
        try:
            while True:
                await piece(send, b"x" * 100_000)
        except OSError as error:
            events.append(type(error))
            await listener

    asgi.asgi(app)
    client = asgi.client(send_buffer=65536)
    client.send(request_bytes())
    asgi.settle()
    assert not events
    asgi.advance(7.0)
    asgi.until(lambda: len(events) == 2)
    assert set(events) == {ClientGoneError, "http.disconnect"}
    asgi.until(lambda: client.is_closed)


class ClientDisconnect(Exception):
    """As Starlette calls it."""


@pytest.mark.parametrize("wrap", [False, True])
def test_starlettes_word_for_a_gone_client_is_no_failure(asgi: AsgiRig, wrap: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        error = ClientDisconnect()
        if wrap:
            raise ExceptionGroup("", [error, ClientGoneError()])
        raise error

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.settle()
    client.close()
    asgi.until(lambda: client.is_closed)
    assert not asgi.failures


def test_starlettes_word_when_sending_is_what_finds_out(asgi: AsgiRig) -> None:
    """The poll has not told of the reset yet: the first to meet it is the app's own send."""
    failed: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        client.close()
        try:
            await piece(send, b"x")
        except OSError as error:
            failed.append(error)
            raise ClientDisconnect from None

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.until(lambda: client.is_closed)
    assert len(failed) == 1
    assert not asgi.failures


@pytest.mark.parametrize("error", [KeyError(), ExceptionGroup("", [KeyError(), ClientGoneError()])])
def test_other_errors_are_told_although_the_client_is_gone(asgi: AsgiRig, error: Exception) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        raise error

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.settle()
    client.close()
    asgi.until(lambda: client.is_closed)
    assert asgi.failures == [error]


@pytest.mark.parametrize("go", ["take", "close", "body", "broken body"])
def test_what_happens_between_the_end_of_the_app_and_that_of_its_response(asgi: AsgiRig, go: str) -> None:
    size = 4_000_000
    asgi.asgi(lambda scope, receive, send: answer(send, b"x" * size))
    client = asgi.client(send_buffer=65536)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    asgi.settle()
    if go == "close":
        client.close()
        asgi.until(lambda: client.is_closed)
    else:
        client.send({"take": b"", "body": b"3\r\ntwo\r\n0\r\n\r\n", "broken body": b"no number\r\n"}[go])
        asgi.settle()
        assert len(client.reply().body) == size
    assert not asgi.failures
    assert len(asgi.records) == 1


@pytest.mark.parametrize("suspends", [False, True])
def test_requests_leave_nothing_for_the_garbage_collector(asgi: AsgiRig, suspends: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if suspends:
            await asyncio.sleep(0)
        await answer(send, b"hello")

    asgi.asgi(app)
    client = asgi.client()

    def ask(count: int) -> None:
        for _ in range(count):
            client.send(request_bytes())
            asgi.until(client.take)
        client.received = b""

    ask(3)
    gc.collect()
    gc.disable()
    try:
        ask(100)
        assert gc.collect() < 100
    finally:
        gc.enable()


# ---------------------------------------------------------------- tasks and the loop


def test_asyncios_own_tools_work_in_the_very_first_step(asgi: AsgiRig) -> None:
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(asyncio.current_task())
        seen.append(asyncio.get_running_loop())
        async with asyncio.timeout(10):
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.sleep(10)
        async with asyncio.TaskGroup() as group:
            made = group.create_task(asyncio.sleep(0, "made"))
        seen.append(asyncio.current_task())
        await answer(send, made.result().encode())

    asgi.asgi(app)
    assert asgi.client().get().body == b"made"
    assert seen[0] is seen[2] is not None
    assert seen[1] is asgi.engine.loop


def test_a_timeout_in_the_first_step_ends_what_never_ends(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            await answer(send, b"late", status=504)

    asgi.asgi(app)
    assert asgi.client().get().code == 504


def test_context_variables_are_each_requests_own(asgi: AsgiRig) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="clean")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found = [variable.get()]
        variable.set(scope["path"])
        if scope["path"] != "/now":
            await asyncio.sleep(0.005)
        found.append(variable.get())
        found.append(await asyncio.create_task(in_child()))
        await answer(send, " ".join(found).encode())

    async def in_child() -> str:
        return variable.get()

    asgi.asgi(app)
    clients = [asgi.client() for _ in range(5)]
    for index, client in enumerate(clients):
        client.send(request_bytes(f"/{index}"))
    assert asgi.client().get("/now").body == b"clean /now /now"
    assert [client.reply().body for client in clients] == [f"clean /{n} /{n}".encode() for n in range(5)]
    assert variable.get() == "clean"


def test_a_task_may_outlive_the_request(asgi: AsgiRig) -> None:
    done: list[str] = []
    tasks = set()

    async def later() -> None:
        await asyncio.sleep(0.01)
        done.append("later")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        tasks.add(asyncio.create_task(later()))
        await answer(send, b"now")

    asgi.asgi(app)
    assert asgi.client().get().body == b"now"
    assert not done
    asgi.until(lambda: done)


def test_the_failure_of_a_task_nobody_waits_for_is_told(asgi: AsgiRig) -> None:
    async def fails() -> None:
        raise KeyError("in the background")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        del task
        await answer(send, b"fine")

    asgi.asgi(app)
    assert asgi.client().get().body == b"fine"
    asgi.until(lambda: asgi.told)
    assert isinstance(asgi.told[0]["exception"], KeyError)
    assert not asgi.failures


def test_threads_of_an_executor(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        name = await asyncio.to_thread(lambda: threading.current_thread().name)
        await answer(send, name.encode())

    asgi.asgi(app)
    assert asgi.client().get().body.decode() not in ("", threading.current_thread().name)


def test_descriptors_that_an_app_watches(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        read_fd, write_fd = os.pipe()
        ready = loop.create_future()
        loop.add_reader(read_fd, lambda: ready.done() or ready.set_result(os.read(read_fd, 10)))
        loop.call_later(0.005, os.write, write_fd, b"piped")
        try:
            await answer(send, await ready)
        finally:
            loop.remove_reader(read_fd)
            os.close(read_fd)
            os.close(write_fd)

    asgi.asgi(app)
    client = asgi.client()
    assert [client.get().body for _ in range(2)] == [b"piped"] * 2


def test_a_busy_app_does_not_starve_the_engine(asgi: AsgiRig) -> None:
    is_over = False

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        while not is_over:
            await asyncio.sleep(0)
        await answer(send, b"over")

    asgi.asgi(busy, "/busy")
    asgi.asgi(hello)
    spinning, other = asgi.client(), asgi.client()
    spinning.send(request_bytes("/busy"))
    asgi.settle()
    assert [other.get().body for _ in range(5)] == [b"hello"] * 5
    is_over = True
    assert spinning.reply().body == b"over"


def test_a_busy_engine_does_not_starve_apps(asgi: AsgiRig) -> None:
    """Requests that are always there: an app that waits for a moment is woken all the same."""
    asked = 0

    async def again(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal asked
        asked += 1
        # The next request is there before this one is answered, so the poll never comes back empty.
        flooding.socket.send(request_bytes("/again"))
        await answer(send, b"")

    async def moment(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.001)
        await answer(send, b"woken")

    asgi.asgi(again, "/again")
    asgi.asgi(moment)
    flooding, other = asgi.client(), asgi.client()
    flooding.send(request_bytes("/again"))
    other.send(request_bytes())

    def is_answered() -> bool:
        flooding.socket.recv(65536) if asked else None
        return b"woken" in other.take() or b"woken" in other.received

    asgi.until(is_answered)
    assert asked > 3


@pytest.mark.parametrize("threads", [0, 2])
def test_wsgi_and_asgi_side_by_side(make_asgi: MakeAsgi, threads: int) -> None:
    asgi = make_asgi(threads=threads)

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"wsgi " + environ["wsgi.input"].read()]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        await asyncio.sleep(0)
        await answer(send, b"asgi " + message["body"])

    asgi.app(wsgi, "/wsgi")
    asgi.asgi(app, "/asgi")
    client = asgi.client()
    for _ in range(3):
        assert client.ask(request_bytes("/wsgi", method="POST", body=b"1")).body == b"wsgi 1"
        assert client.ask(request_bytes("/asgi", method="POST", body=b"2")).body == b"asgi 2"


def test_at_the_end_what_still_runs_is_cancelled(asgi: AsgiRig) -> None:
    events: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(START)
            await piece(send, b"first")
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0)
            events.append("cleaned up")

    handler = asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.settle()
    asgi.run(handler.cancel_all(10.0))
    assert events == ["cleaned up"]
    assert b"first" in client.end()
    assert not asgi.failures


def test_an_app_that_will_not_be_cancelled_has_an_end_of_patience(asgi: AsgiRig) -> None:
    is_over = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while not is_over.is_set():
            try:
                await is_over.wait()
            except asyncio.CancelledError:
                continue
        await answer(send, b"at last")

    handler = asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.settle()
    began = time.monotonic()
    asgi.run(handler.cancel_all(0.02))
    assert time.monotonic() - began < 10
    is_over.set()
    assert client.reply().body == b"at last"


def test_an_app_that_is_refused(asgi: AsgiRig) -> None:
    handler = asgi.asgi(hello)
    client = asgi.client()
    handler.refusal = (503, "The app is not ready yet.")
    reply = client.get()
    assert (reply.code, reply.get("retry-after")) == (503, "1")
    handler.refusal = None
    assert client.get().body == b"hello"
