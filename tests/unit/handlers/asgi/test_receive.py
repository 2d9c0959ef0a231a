"""What an ASGI app receives: the body of its request as it comes in, and the word that the client has gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from skitaid.handlers.asgi.body import HIGH_BYTES
from tests.unit.engine.rig import Client, request_bytes
from tests.unit.handlers.asgi.rig import START, AsgiRig, Receive, Send, answer, hello, piece, read

Scope = dict[str, Any]
MakeAsgi = Callable[..., AsgiRig]
EMPTY = {"type": "http.request", "body": b"", "more_body": False}
DISCONNECT = {"type": "http.disconnect"}
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def part(body: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.request", "body": body, "more_body": more}


class Listener:
    """An app that receives until it is told of a disconnect, and answers with the body when that is complete."""

    def __init__(self, *, answers: bool = True) -> None:
        self.heard: list[Any] = []
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while not self.heard or self.heard[-1]["type"] != "http.disconnect":
            message = await receive()
            self.heard.append(message)
            body += message.get("body", b"")
            if self._answers and message == part(message.get("body", b""), more=False):
                await answer(send, body)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, await read(receive))


def reset(client: Client) -> None:
    """Close as a client that crashes: what was sent to it and not read makes the kernel say so."""
    client.connection.send(b"x")
    client.close()


def push(asgi: AsgiRig, client: Client, data: memoryview) -> int:
    """Send as much as the engine takes; how much that was."""
    sent = 0
    for _ in range(50):
        asgi.turn()
        try:
            sent += client.socket.send(data[sent:])
        except BlockingIOError:
            continue
    return sent


# ---------------------------------------------------------------- bodies


def test_a_request_without_a_body(asgi: AsgiRig) -> None:
    app = Listener()
    asgi.asgi(app)
    assert asgi.client().get().code == 200
    asgi.until(lambda: len(app.heard) == 2)
    assert app.heard == [EMPTY, DISCONNECT]


def test_a_body_that_comes_with_its_head_is_there_when_the_app_starts(asgi: AsgiRig) -> None:
    app = Listener()
    asgi.asgi(app)
    client = asgi.client()
    # No turn of asyncio is needed.
    assert asgi.poll(client, request_bytes(method="POST", body=b"together")).endswith(b"together")
    asgi.until(lambda: len(app.heard) == 2)
    assert app.heard == [part(b"together", more=False), DISCONNECT]


def test_a_body_in_pieces(asgi: AsgiRig) -> None:
    app = Listener()
    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Content-Length: 9\r\n\r\none")
    asgi.settle()
    assert app.heard == [part(b"one", more=True)]
    client.send(b"two")
    asgi.settle()
    client.send(b"six")
    assert client.reply().body == b"onetwosix"
    assert app.heard == [part(b"one", more=True), part(b"two", more=True), part(b"six", more=False), DISCONNECT]


def test_what_came_before_the_app_asked_comes_in_one_event(asgi: AsgiRig) -> None:
    heard: list[Any] = []
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        heard.append(await receive())
        await answer(send)

    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Content-Length: 6\r\n\r\n")
    for data in (b"ab", b"cd", b"ef"):
        client.send(data)
        asgi.settle()
    go_on.set()
    assert client.reply().code == 200
    assert heard == [part(b"abcdef", more=False)]


@pytest.mark.parametrize("cut", [0, 1, 4, 12, 20, 30])
def test_chunked(asgi: AsgiRig, cut: int) -> None:
    asgi.asgi(echo)
    client = asgi.client()
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3;x=y\r\ntwo\r\n0\r\nTrailer: x\r\n\r\n"
    at = len(data) - cut
    client.send(data[:at])
    asgi.settle()
    client.send(data[at:])
    assert client.reply().body == b"onetwo"
    assert client.ask(request_bytes(method="POST", body=b"again")).body == b"again"


def test_an_empty_chunked_body(asgi: AsgiRig) -> None:
    app = Listener()
    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert client.reply().code == 200
    assert app.heard == [EMPTY, DISCONNECT]


def test_an_app_that_does_not_read_stops_the_client(asgi: AsgiRig) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await answer(send, str(len(await read(receive))).encode())

    asgi.asgi(app)
    client = asgi.client()
    size = 5_000_000
    client.send(POST + f"Content-Length: {size}\r\n\r\n".encode())
    data = memoryview(b"x" * size)
    sent = push(asgi, client, data)
    stream = client.connection.stream
    assert stream is not None
    assert stream.body is not None
    held = stream.body.received
    assert HIGH_BYTES <= held <= HIGH_BYTES + 2 * 65536
    asgi.turn(5)
    assert stream.body.received == held
    go_on.set()
    client.send(bytes(data[sent:]))
    assert client.reply().body == b"5000000"


def test_a_reader_slower_than_its_client_is_no_stalled_client(make_asgi: MakeAsgi) -> None:
    asgi = make_asgi(stall_s=5.0)
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await answer(send, str(len(await read(receive))).encode())

    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Content-Length: 1000000\r\n\r\n")
    data = b"x" * 1_000_000
    sent = push(asgi, client, memoryview(data))
    asgi.advance(60.0)
    go_on.set()
    client.send(data[sent:])
    assert client.reply().body == b"1000000"


def test_a_body_left_unread_does_not_spoil_the_next_request(asgi: AsgiRig) -> None:
    asgi.asgi(hello)
    client = asgi.client()
    client.send(POST + b"Content-Length: 6\r\n\r\nabc")
    assert client.reply().body == b"hello"
    client.send(b"def" + request_bytes())
    assert client.reply().body == b"hello"


def test_a_large_body_left_unread_ends_the_connection_in_good_order(asgi: AsgiRig) -> None:
    asgi.asgi(hello)
    client = asgi.client()
    client.send(POST + b"Content-Length: 10000000\r\n\r\nabc")
    reply = client.reply()
    assert (reply.body, reply.get("connection")) == (b"hello", "close")
    client.end()
    assert not client.is_reset


def test_echo_of_what_streams_in(asgi: AsgiRig) -> None:
    """Both ways at once, with a client that reads late."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while True:
            message = await receive()
            await piece(send, message["body"], more=message["more_body"])
            if not message["more_body"]:
                return

    asgi.asgi(app)
    client = asgi.client(send_buffer=65536)
    body = bytes(range(256)) * 20_000
    client.send(POST + f"Content-Length: {len(body)}\r\n\r\n".encode())
    view = memoryview(body)
    while view:
        asgi.turn()
        try:
            view = view[client.socket.send(view[:200_000]) :]
        except BlockingIOError:
            client.take()
    assert client.reply().body == body
    assert not asgi.failures


# ---------------------------------------------------------------- Expect: 100-continue


def test_the_body_is_asked_for_when_the_app_wants_it(asgi: AsgiRig) -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await echo(scope, receive, send)

    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    asgi.settle()
    assert client.take() == b""
    go_on.set()
    asgi.until(client.take)
    assert client.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.received = b""
    client.send(b"sent")
    assert client.reply().body == b"sent"
    assert client.ask(request_bytes(method="POST", body=b"next")).body == b"next"


def test_a_body_nobody_asked_for_is_not_waited_for(asgi: AsgiRig) -> None:
    asgi.asgi(hello)
    client = asgi.client()
    client.send(POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    data = client.end()
    assert data.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in data


@pytest.mark.parametrize("body", [b"", b"se", b"sent"])
def test_a_client_that_does_not_wait_to_be_asked(asgi: AsgiRig, body: bytes) -> None:
    asgi.asgi(echo)
    client = asgi.client()
    client.send(POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n" + body)
    asgi.settle()
    client.take()
    client.received = client.received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.send(b"sent"[len(body) :])
    assert client.reply().body == b"sent"


# ---------------------------------------------------------------- limits and broken bodies


def test_a_body_whose_length_is_over_the_limit(asgi: AsgiRig) -> None:
    app = Listener()
    asgi.asgi(app, max_body_bytes=10)
    client = asgi.client()
    client.send(POST + b"Content-Length: 11\r\n\r\n")
    assert client.reply().code == 413
    assert not app.heard
    assert asgi.client().ask(request_bytes(method="POST", body=b"x" * 10)).body == b"x" * 10


def test_a_chunked_body_over_the_limit(asgi: AsgiRig) -> None:
    app = Listener(answers=False)
    asgi.asgi(app, max_body_bytes=10)
    client = asgi.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n")
    asgi.settle()
    client.send(b"8\r\n12345678\r\n")
    assert b" 413 " in client.end().partition(b"\r\n")[0]
    assert app.heard == [part(b"12345678", more=True), DISCONNECT]
    assert not asgi.failures


@pytest.mark.parametrize("conduct", ["returns", "raises", "answers"])
def test_a_broken_body_is_the_clients_fault_whatever_the_app_does(asgi: AsgiRig, conduct: str) -> None:
    class ClientDisconnect(Exception):
        """As Starlette calls it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        assert await receive() == DISCONNECT
        if conduct == "raises":
            raise ClientDisconnect
        if conduct == "answers":
            await answer(send, status=500)

    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    asgi.settle()
    client.send(b"no number\r\n")
    data = client.end()
    assert b" 400 " in data.partition(b"\r\n")[0]
    assert data.count(b"HTTP/1.1") == 1
    asgi.settle()
    assert not asgi.failures
    assert len(asgi.records) == 1


def test_a_body_broken_in_the_first_packet_starts_no_app(asgi: AsgiRig) -> None:
    app = Listener()
    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n")
    assert b" 400 " in client.end().partition(b"\r\n")[0]
    asgi.settle()
    assert all(message == DISCONNECT for message in app.heard)
    assert len(asgi.records) == 1


def test_a_client_that_stalls_in_its_body(make_asgi: MakeAsgi) -> None:
    asgi = make_asgi(stall_s=5.0)
    app = Listener(answers=False)
    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Content-Length: 9\r\n\r\none")
    asgi.advance(7.0)
    assert b" 408 " in client.end().partition(b"\r\n")[0]
    assert app.heard == [part(b"one", more=True), DISCONNECT]
    assert not asgi.failures


def test_a_response_begun_before_the_body_broke_goes_on(asgi: AsgiRig) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await piece(send, b"begun ")
        while (await receive())["type"] != "http.disconnect":
            continue
        await piece(send, b"and ended", more=False)

    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    asgi.until(lambda: b"begun" in client.take() or b"begun" in client.received)
    client.send(b"no number\r\n")
    assert client.reply().body == b"begun and ended"
    client.end()


# ---------------------------------------------------------------- the client goes


@pytest.mark.parametrize("go", [Client.close, reset, lambda client: client.socket.shutdown(socket.SHUT_WR)])
def test_a_waiting_app_is_told_that_the_client_has_gone(asgi: AsgiRig, go: Callable[[Client], None]) -> None:
    app = Listener(answers=False)
    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.settle()
    assert app.heard == [EMPTY]
    go(client)
    asgi.until(lambda: len(app.heard) == 2)
    assert app.heard == [EMPTY, DISCONNECT]
    asgi.until(lambda: client.is_closed)
    assert not asgi.failures
    assert len(asgi.records) == 1


@pytest.mark.parametrize("go", [Client.close, reset])
def test_a_client_that_goes_in_the_middle_of_its_body(asgi: AsgiRig, go: Callable[[Client], None]) -> None:
    app = Listener(answers=False)
    asgi.asgi(app)
    client = asgi.client()
    client.send(POST + b"Content-Length: 9\r\n\r\none")
    asgi.settle()
    go(client)
    asgi.until(lambda: client.is_closed)
    assert app.heard == [part(b"one", more=True), DISCONNECT]
    assert not asgi.failures


def test_a_client_that_goes_while_the_app_streams(asgi: AsgiRig) -> None:
    heard: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())
        await send(START)
        while not gone.done():
            await asyncio.sleep(0.001)
        heard.append(await gone)

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.settle()
    client.close()
    asgi.until(lambda: client.is_closed)
    assert heard == [DISCONNECT]


def test_every_task_that_waits_is_told(asgi: AsgiRig) -> None:
    heard: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        heard.extend(await asyncio.gather(receive(), receive(), receive()))

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes())
    asgi.settle()
    client.close()
    asgi.until(lambda: client.is_closed)
    assert heard == [DISCONNECT] * 3


def test_a_half_closed_client_gets_its_answer(asgi: AsgiRig) -> None:
    """What it sent is given to the app before the word that it sends no more, however late the app asks."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.005)
        body = await read(receive)
        await asyncio.sleep(0.005)
        assert await receive() == DISCONNECT
        await send(START)
        await piece(send, body)
        await piece(send, b"!", more=False)

    asgi.asgi(app)
    for request in (request_bytes(method="POST", body=b"all"), request_bytes()):
        client = asgi.client()
        client.send(request)
        client.socket.shutdown(socket.SHUT_WR)
        reply = client.reply()
        assert reply.body in (b"all!", b"!")
        client.end()
        assert not client.is_reset


def test_after_the_response_receive_says_that_all_is_over(asgi: AsgiRig) -> None:
    heard: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"early")
        heard.append(await receive())
        heard.append(await receive())

    asgi.asgi(app)
    client = asgi.client()
    client.send(request_bytes(method="POST", body=b"never read"))
    assert client.reply().body == b"early"
    assert heard == [DISCONNECT, DISCONNECT]


def test_asking_with_a_time_out_again_and_again_leaves_nothing_behind(asgi: AsgiRig) -> None:
    asked = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal asked
        await receive()
        for _ in range(50):
            try:
                async with asyncio.timeout(0):
                    await receive()
            except TimeoutError:
                asked += 1
        stream = client.connection.stream
        assert stream is not None
        left = stream.body._waiters  # type: ignore[union-attr]  # the only place where they could pile up
        await answer(send, str(len(left)).encode())

    asgi.asgi(app)
    client = asgi.client()
    assert client.get().body == b"0"
    assert asked == 50
