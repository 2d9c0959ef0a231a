from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from skitaid.engine.body import HIGH_BYTES, START_BYTES, RequestBody
from skitaid.engine.errors import BodyError
from skitaid.exceptions import PeerError
from skitaid.protocols.errors import ProtocolError

pytestmark = pytest.mark.time_limit(30)


class Connection:
    """What a body asks of its connection."""

    def __init__(self) -> None:
        self.ready = 0
        self.calls: list[bool] = []
        self.on_set: Callable[[bool], None] = lambda _: None

    def on_ready(self) -> None:
        self.ready += 1

    def set_reading(self, is_on: bool) -> None:
        self.on_set(is_on)
        self.calls.append(is_on)

    @property
    def is_reading(self) -> bool:
        return not self.calls or self.calls[-1]


@pytest.fixture
def connection() -> Connection:
    return Connection()


def make(connection: Connection, *, limit: int | None = None, is_whole: bool = False) -> RequestBody:
    return RequestBody(connection.on_ready, connection.set_reading, limit=limit, is_whole=is_whole)


def filled(connection: Connection, *pieces: bytes) -> RequestBody:
    body = make(connection)
    for piece in pieces:
        body.feed(piece)
    body.end()
    return body


# ---------------------------------------------------------------- when an app begins


def test_a_small_body_is_handed_over_whole(connection: Connection) -> None:
    body = make(connection)
    body.feed(b"ab")
    body.feed(b"cd")
    assert connection.ready == 0
    body.end()
    assert connection.ready == 1
    assert body.is_complete
    assert body.file().read() == b"abcd"


def test_a_large_body_is_handed_over_before_it_is_complete(connection: Connection) -> None:
    body = make(connection)
    body.feed(b"x" * (START_BYTES - 1))
    assert connection.ready == 0
    body.feed(b"y")
    assert connection.ready == 1
    assert not body.is_complete
    body.end()
    assert connection.ready == 1


def test_a_body_that_must_be_whole_is_not_handed_over_before(connection: Connection) -> None:
    body = make(connection, is_whole=True)
    body.feed(b"x" * 5 * HIGH_BYTES)
    assert connection.ready == 0
    assert connection.is_reading
    body.end()
    assert connection.ready == 1


def test_a_body_is_handed_over_early_once(connection: Connection) -> None:
    body = make(connection)
    body.start_early()
    body.feed(b"x" * START_BYTES)
    body.end()
    assert connection.ready == 1


def test_the_limit(connection: Connection) -> None:
    body = make(connection, limit=10)
    body.feed(b"x" * 10)
    with pytest.raises(ProtocolError) as caught:
        body.feed(b"x")
    assert caught.value.status == 413


# ---------------------------------------------------------------- reading (PEP 3333, "Input and Error Streams")


def test_read(connection: Connection) -> None:
    body = filled(connection, b"abc", b"def", b"ghi")
    assert body.read(0) == b""
    assert body.read(2) == b"ab"
    assert body.read(5) == b"cdefg"
    assert body.read(100) == b"hi"
    assert body.read(100) == b""
    assert body.read() == b""


@pytest.mark.parametrize("size", [None, -1])
def test_read_everything(connection: Connection, size: int | None) -> None:
    body = filled(connection, b"abc", b"def")
    assert body.read(1) == b"a"
    assert body.read(size) == b"bcdef"


def test_readline(connection: Connection) -> None:
    body = filled(connection, b"one\ntw", b"o\n", b"\nthr", b"ee")
    assert body.readline() == b"one\n"
    assert body.readline(2) == b"tw"
    assert body.readline(0) == b""
    assert body.readline(10) == b"o\n"
    assert body.readline() == b"\n"
    assert body.readline() == b"three"
    assert body.readline() == b""


def test_readline_with_a_limit_keeps_the_rest(connection: Connection) -> None:
    body = filled(connection, b"abcdef\ngh")
    assert body.readline(3) == b"abc"
    assert body.read(2) == b"de"
    assert body.readline() == b"f\n"
    assert body.read() == b"gh"


def test_readlines_and_iteration(connection: Connection) -> None:
    pieces = (b"a\nb", b"b\nccc", b"\nd")
    assert filled(connection, *pieces).readlines() == [b"a\n", b"bb\n", b"ccc\n", b"d"]
    assert filled(connection, *pieces).readlines(3) == [b"a\n", b"bb\n"]
    assert list(filled(connection, *pieces)) == [b"a\n", b"bb\n", b"ccc\n", b"d"]


@pytest.mark.parametrize("seed", range(20))
def test_reads_like_a_file(connection: Connection, seed: int) -> None:
    """Whatever way the body is cut in pieces and asked for."""
    choose = random.Random(seed)
    data = bytes(choose.choice(b"ab\n") for _ in range(2000))
    body = make(connection)
    at = 0
    while at < len(data):
        step = choose.randint(1, 90)
        body.feed(data[at : at + step])
        at += step
    body.end()
    file = body.file()
    while True:
        name = choose.choice(("read", "readline"))
        size = choose.choice((1, 2, 7, 50, 300, 300, -1 if choose.random() < 0.1 else 5))
        expected = getattr(file, name)(size)
        assert getattr(body, name)(size) == expected
        if not expected:
            return


# ---------------------------------------------------------------- waiting


def test_a_reader_waits_for_what_is_to_come(connection: Connection) -> None:
    body = make(connection)
    body.start_early()
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.extend((body.read(4), body.readline(), body.read())))
    thread.start()
    for piece in (b"ab", b"cd", b"line", b"\nre", b"st"):
        body.feed(piece)
    body.end()
    thread.join()
    assert got == [b"abcd", b"line\n", b"rest"]


def test_what_came_is_read_before_the_failure_is_told(connection: Connection) -> None:
    body = make(connection)
    body.start_early()
    body.feed(b"some")
    body.fail(PeerError("the client closed the connection"))
    assert body.read(4) == b"some"
    with pytest.raises(BodyError, match="closed the connection"):
        body.read(1)
    with pytest.raises(OSError):
        body.readline()


def test_a_waiting_reader_is_told_of_the_failure(connection: Connection) -> None:
    body = make(connection)
    body.start_early()
    caught: list[BaseException] = []

    def read() -> None:
        try:
            body.read()
        except BodyError as error:
            caught.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    cause = ProtocolError(408, "the body did not arrive in time")
    body.fail(cause)
    thread.join()
    assert caught[0].__cause__ is cause


def test_before_read_is_called_once_and_only_when_something_is_missing(connection: Connection) -> None:
    body = filled(connection, b"abc")
    calls: list[int] = []
    body.before_read = lambda: calls.append(1)
    assert body.read(1) == b"a"
    assert body.read() == b"bc"
    assert calls == [1]


# ---------------------------------------------------------------- back-pressure


def test_reading_stops_while_much_waits_and_goes_on_when_it_is_read(connection: Connection) -> None:
    body = make(connection)
    piece = b"x" * 30000
    for _ in range(8):
        body.feed(piece)
    assert connection.is_reading
    body.feed(piece)
    assert connection.calls == [False]
    # Some was on its way already; it is not told twice.
    body.feed(piece)
    assert connection.calls == [False]
    left = 10 * len(piece)
    while connection.calls == [False]:
        left -= len(body.read(len(piece)))
    assert connection.calls == [False, True]
    # Not for every piece, and before there is nothing left to do.
    assert 0 < left < 65536


def test_an_app_that_reads_everything_while_reading_is_being_stopped(connection: Connection) -> None:
    """The app empties the body between the loop's decision to stop and its doing so; nobody else would resume."""
    body = make(connection)
    took: list[bytes] = []

    def take_all(is_on: bool) -> None:
        if not is_on:
            took.append(body.read(5 * 65536))

    connection.on_set = take_all
    for _ in range(5):
        body.feed(b"x" * 65536)
    assert [len(each) for each in took] == [5 * 65536]
    assert connection.is_reading


def test_nothing_stops_for_ever_under_stress(connection: Connection) -> None:
    """The connection's part is played by a lock: no piece is fed while reading is off."""
    may_read = threading.Event()
    may_read.set()
    connection.on_set = lambda is_on: may_read.set() if is_on else may_read.clear()
    pieces = 3000
    body = make(connection)
    total = 0

    def read() -> None:
        nonlocal total
        while data := body.read(65536):
            total += len(data)

    body.start_early()
    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(pieces):
        assert may_read.wait(10), "reading was stopped and never resumed"
        body.feed(b"x" * 50000)
    body.end()
    reader.join()
    assert total == pieces * 50000
