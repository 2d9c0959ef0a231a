from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from skitaid.was.messages.errors import CallError
from skitaid.was.messages.pump import BodyPump
from skitaid.was.messages.streamed import StreamedBody, piece_of

SIZE = 500_000


class Disk:
    """Does what it is asked for when the test says so."""

    def __init__(self) -> None:
        self.orders: list[tuple[Callable[[], None], Callable[[], None]]] = []

    def do(self, work: Callable[[], None], on_done: Callable[[], None]) -> None:
        self.orders.append((work, on_done))

    def step(self) -> None:
        work, on_done = self.orders.pop(0)
        assert not self.orders, "one piece at a time"
        work()
        on_done()

    def run(self) -> None:
        while self.orders:
            self.step()


class Exchange:
    """Takes so many pieces, and then no more."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.data = b""
        self.is_ended = False

    def send(self, data: bytes) -> bool:
        assert not self.is_ended
        self.data += data
        self.room -= 1
        return self.room > 0

    def end(self) -> None:
        assert not self.is_ended
        self.is_ended = True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "big"
    found.write_bytes(os.urandom(SIZE))
    return found


@pytest.fixture
def body(path: Path) -> StreamedBody:
    return StreamedBody("a/b", (b"head", piece_of(path), b"tail"))


def refuse(error: BaseException) -> None:
    raise AssertionError(error)


def test_it_is_sent(body: StreamedBody, path: Path) -> None:
    disk, exchange = Disk(), Exchange()
    BodyPump(body, disk, refuse).start(exchange)
    disk.run()
    assert exchange.data == b"head" + path.read_bytes() + b"tail"
    assert exchange.is_ended


def test_it_waits_for_room(body: StreamedBody) -> None:
    disk, exchange = Disk(), Exchange(2)
    pump = BodyPump(body, disk, refuse)
    pump.start(exchange)
    disk.run()
    sent = len(exchange.data)
    assert 0 < sent < SIZE
    exchange.room = 1000
    pump.on_writable()
    pump.on_writable()
    disk.run()
    assert len(exchange.data) == body.content_length and exchange.is_ended
    pump.on_writable()
    assert not disk.orders


def test_it_stops(body: StreamedBody) -> None:
    disk, exchange = Disk(), Exchange()
    pump = BodyPump(body, disk, refuse)
    pump.start(exchange)
    pump.stop()
    disk.run()
    pump.on_writable()
    assert not exchange.data and not exchange.is_ended and not disk.orders


def test_a_file_that_becomes_shorter(body: StreamedBody, path: Path) -> None:
    disk, exchange = Disk(), Exchange()
    errors: list[BaseException] = []
    pump = BodyPump(body, disk, errors.append)
    pump.start(exchange)
    disk.step()
    os.truncate(path, 10)
    disk.run()
    assert [type(error) for error in errors] == [CallError]
    assert not exchange.is_ended
    pump.on_writable()
    assert not disk.orders
