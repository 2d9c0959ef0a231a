"""ASGI apps whose responses are compressed on their way: on the loop, so a bit at a time."""

from __future__ import annotations

import asyncio
import gzip
import random
import zlib
from typing import Any

import pytest

from skitaid.engine.errors import ClientGoneError
from skitaid.protocols.errors import ResponseError
from tests.unit.engine.rig import request_bytes
from tests.unit.handlers.asgi.rig import START, AsgiRig, Receive, Send, answer, piece

Scope = dict[str, Any]
REQUEST = request_bytes("/", "Accept-Encoding: gzip")
TEXT = [(b"content-type", b"text/plain")]
# Text that compresses, but not to next to nothing.
BODY = bytes(random.Random(1).choices(b"abcdefgh", k=3_000_000))


@pytest.mark.parametrize("size", [5_000, 3_000_000])
def test_a_response_in_one_piece(asgi: AsgiRig, size: int) -> None:
    asgi.asgi(lambda scope, receive, send: answer(send, BODY[:size], headers=TEXT), may_code=True)
    client = asgi.client()
    for _ in range(2):
        reply = client.ask(REQUEST)
        assert reply.get("content-encoding") == "gzip"
        assert gzip.decompress(reply.body) == BODY[:size]
    assert not asgi.failures


def test_each_piece_can_be_read_when_it_comes(asgi: AsgiRig) -> None:
    steps = [asyncio.Event() for _ in range(3)]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await piece(send, b"")
        for index, step in enumerate(steps):
            await step.wait()
            await piece(send, b"part %d " % index, more=index < 2)

    asgi.asgi(app, may_code=True)
    client = asgi.client()
    client.send(REQUEST)
    asgi.until(lambda: client.take() or client.received)
    head = client.received
    assert b"Content-Encoding: gzip" in head
    assert head.endswith(b"\r\n\r\n")
    decoder = zlib.decompressobj(31)
    found = b""
    for step in steps[:2]:
        client.received = b""
        step.set()
        asgi.until(lambda: client.take() or client.received)
        chunk = client.received.partition(b"\r\n")[2][:-2]
        found += decoder.decompress(chunk)
    assert found == b"part 0 part 1 "
    client.received = head
    steps[2].set()
    asgi.until(lambda: client.take() and client.received.endswith(b"0\r\n\r\n"))


def test_a_slow_reader_holds_the_app(asgi: AsgiRig) -> None:
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send(START)
        for start in range(0, len(BODY), 100_000):
            await piece(send, BODY[start : start + 100_000])
            sent += 1
        await piece(send, b"", more=False)

    asgi.asgi(app, may_code=True)
    client = asgi.client(send_buffer=32768)
    client.send(REQUEST)
    for _ in range(200):
        asgi.turn()
    held = sent
    assert 0 < held < 30
    asgi.turn(50)
    assert sent == held
    assert gzip.decompress(client.reply().body) == BODY
    assert not asgi.failures


def test_the_client_goes_while_the_app_waits(asgi: AsgiRig) -> None:
    caught: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            while True:
                await piece(send, BODY)
        except OSError as error:
            caught.append(error)
            raise

    asgi.asgi(app, may_code=True)
    client = asgi.client(send_buffer=32768)
    client.send(REQUEST)
    asgi.turn(100)
    assert not caught
    client.close()
    asgi.until(lambda: caught)
    assert isinstance(caught[0], ClientGoneError)
    asgi.until(lambda: client.is_closed)
    assert not asgi.failures
    assert len(asgi.records) == 1


@pytest.mark.parametrize(
    ("pieces", "is_cut"),
    [
        ([2000, 1000], True),
        ([3000], True),
        ([2000, 4000], True),
        ([6000], False),
        ([2000, 3000], False),
        ([5000], False),
    ],
)
def test_lengths_are_those_of_what_the_app_sends(asgi: AsgiRig, pieces: list[int], is_cut: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [*TEXT, (b"content-length", b"5000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for index, size in enumerate(pieces):
            await piece(send, b"x" * size, more=index < len(pieces) - 1)

    asgi.asgi(app, may_code=True)
    client = asgi.client()
    client.send(REQUEST)
    if is_cut:
        data = client.end()
        assert not data.endswith(b"0\r\n\r\n")
    else:
        reply = client.reply()
        body = gzip.decompress(reply.body) if reply.get("content-encoding") else reply.body
        assert body == b"x" * 5000
    assert [type(error) for error in asgi.failures] == ([] if sum(pieces) == 5000 else [ResponseError])
