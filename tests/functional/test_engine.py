"""The engine with real sockets, real threads and clients that behave badly. What follows from bytes alone is tested in
tests/unit/engine; here is what needs several threads at once."""

from __future__ import annotations

import hashlib
import itertools
import random
import socket
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from skitaid.engine.channel import HIGH_BYTES
from skitaid.engine.settings import EngineSettings
from skitaid.engine.timeouts import Timeouts
from tests.functional.engines import PATIENCE_S, RunningEngine, Wire, request, until

pytestmark = pytest.mark.time_limit(120)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Serve = Callable[..., RunningEngine]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts engines: an app, threads=4, queue_limit=1000, a unix socket's path, and time-outs."""
    running: list[RunningEngine] = []

    def start(
        app: Any, *, threads: int = 4, queue_limit: int = 1000, path: Path | None = None, **timeouts: float
    ) -> RunningEngine:
        sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        sock.bind(str(path) if path else ("127.0.0.1", 0))
        sock.listen(1024)
        running.append(RunningEngine(app, EngineSettings(threads, queue_limit, Timeouts(**timeouts)), sock))
        return running[-1]

    yield start
    for each in running:
        each.stop()


class Gate:
    """An app that waits at /wait until it is let go, and answers everything else with the path."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.waiting = 0
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/wait"):
            with self._lock:
                self.waiting += 1
            self.open.wait(PATIENCE_S)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [path.encode()]


def echo(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode() + environ["wsgi.input"].read()]


def reset(wire: Wire) -> None:
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


# ---------------------------------------------------------------- one after another, many at once


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_pipelined_requests_of_many_clients(serve: Serve, often: None, threads: int) -> None:
    engine = serve(echo, threads=threads)

    def talk(client: int) -> None:
        choose = random.Random(client)
        wire = engine.connect()
        for round_ in range(20):
            count = choose.randint(1, 30)
            bodies = [b"x" * choose.choice((0, 0, 0, 1, 5000)) for _ in range(count)]
            paths = [f"/{client}/{round_}/{number}" for number in range(count)]
            both = list(zip(paths, bodies, strict=True))
            wire.send(b"".join(request(path, method="POST", body=body) for path, body in both))
            for path, body in both:
                code, _, got = wire.reply()
                assert (code, got) == (200, path.encode() + body)
        wire.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(talk, range(8)))
    until(lambda: engine.engine.connection_count == 0, "all connections are closed")
    assert engine.failures == []
    assert engine.engine.requests == len(engine.records)


def test_a_kept_connection_is_never_lost_between_two_requests(serve: Serve, often: None) -> None:
    """The end of one request in an app thread, and the arrival of the next on the loop: at every distance."""
    engine = serve(echo, threads=2)
    wires = [engine.connect() for _ in range(4)]

    def talk(wire: Wire) -> None:
        for number in range(800):
            # In two parts, so that the second may come in while the first is looked at.
            data = request(f"/{number}")
            cut = number % len(data)
            wire.send(data[:cut])
            wire.send(data[cut:])
            assert wire.reply()[2] == b"/%d" % number

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(talk, wires))
    for wire in wires:
        wire.close()


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_a_client_that_ends_its_side_gets_all_of_its_answers(serve: Serve, often: None, threads: int) -> None:
    engine = serve(echo, threads=threads)
    for number in range(60):
        wire = engine.connect()
        wire.send(b"".join(request(f"/{each}") for each in range(number % 5 + 1)))
        wire.socket.shutdown(socket.SHUT_WR)
        for each in range(number % 5 + 1):
            assert wire.reply()[2] == b"/%d" % each
        assert wire.end() == b""
        wire.close()


# ---------------------------------------------------------------- blocked apps


def test_blocked_apps_do_not_hold_the_others(serve: Serve) -> None:
    gate = Gate()
    engine = serve(gate, threads=4)
    blocked = [engine.connect() for _ in range(3)]
    for wire in blocked:
        wire.send(request("/wait"))
    until(lambda: gate.waiting == 3, "three apps wait")
    wire = engine.connect()
    for number in range(300):
        assert wire.get(f"/{number}")[2] == b"/%d" % number
    gate.open.set()
    for wire_ in blocked:
        assert wire_.reply()[2] == b"/wait"
        wire_.close()
    wire.close()


def test_a_full_queue_is_503(serve: Serve) -> None:
    gate = Gate()
    engine = serve(gate, threads=1, queue_limit=2)
    wires = []
    for number in range(3):
        wires.append(engine.connect())
        wires[-1].send(request(f"/wait{number}"))
        until(lambda number=number: gate.waiting == 1 and engine.engine.threads.waiting == number, "it is queued")
    other = engine.connect()
    code, fields, _ = other.get("/other")
    assert (code, fields["retry-after"], fields.get("connection")) == (503, "1", None)
    gate.open.set()
    assert [wire.reply()[2] for wire in wires] == [b"/wait0", b"/wait1", b"/wait2"]
    # The refused client may try again, on the same connection.
    assert other.get("/other")[2] == b"/other"
    for wire in (*wires, other):
        wire.close()


def test_a_thread_survives_what_its_app_does(serve: Serve) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] == "/exit":
            sys.exit("bye")
        return echo(environ, start_response)

    engine = serve(app, threads=1)
    wire = engine.connect()
    for _ in range(3):
        assert wire.get("/exit")[0] == 500
        assert wire.get("/fine")[2] == b"/fine"
    wire.close()
    assert [type(each) for each in engine.failures] == [SystemExit] * 3


# ---------------------------------------------------------------- slow clients


class Long:
    """A response of 64 KB pieces; counts what was asked for, and whether it was closed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked = 0
        self.closed = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        if environ["PATH_INFO"] != "/long":
            return echo(environ, start_response)
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> bytes:
        if self.asked >= self.count:
            raise StopIteration
        self.asked += 1
        return b"%08d" % self.asked * 8192

    def close(self) -> None:
        self.closed += 1


def slow_client(engine: RunningEngine) -> Wire:
    """Asks for the long response and takes nothing of it yet."""
    wire = engine.connect()
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    wire.send(request("/long"))
    return wire


def is_held(app: Long) -> Callable[[], bool]:
    """Whether the app is not asked for more any more."""
    seen = [-1, 0]

    def look() -> bool:
        seen[1] = seen[1] + 1 if app.asked == seen[0] else 0
        seen[0] = app.asked
        return app.asked > 0 and seen[1] > 50

    return look


@pytest.mark.parametrize("threads", [0, 2])
def test_a_slow_client_holds_its_response_and_nobody_else(serve: Serve, threads: int) -> None:
    app = Long(1000)
    engine = serve(app, threads=threads)
    slow = slow_client(engine)
    until(is_held(app), "the response is held back")
    # 64 MB are to be sent; the kernel's buffers take some, ours little.
    assert app.asked < 300
    connection = next(iter(engine.engine._connections))
    assert connection.outgoing_bytes <= HIGH_BYTES + 2 * 65536
    quick = engine.connect()
    for _ in range(20):
        assert quick.get("/quick")[2] == b"/quick"
    _, _, body = slow.reply()
    digest = hashlib.sha256(b"".join(b"%08d" % number * 8192 for number in range(1, 1001)))
    assert hashlib.sha256(body).digest() == digest.digest()
    assert (app.asked, app.closed) == (1000, 1)
    # And the connection is as good as before.
    assert slow.get("/again")[2] == b"/again"
    slow.close()
    quick.close()


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_within_a_response(serve: Serve, threads: int, how: str) -> None:
    app = Long(1000)
    engine = serve(app, threads=threads)
    slow = slow_client(engine)
    until(is_held(app), "the response is held back")
    (slow.close if how == "close" else lambda: reset(slow))()
    until(lambda: app.closed == 1, "the response is closed")
    until(lambda: engine.engine.connection_count == 0, "the connection is closed")
    assert app.asked < 1000
    assert engine.failures == []
    wire = engine.connect()
    assert wire.get("/next")[2] == b"/next"
    wire.close()


class Tally:
    """Responses of random pieces, by the seed in the path; counts those begun and those closed."""

    def __init__(self) -> None:
        self.begun = itertools.count()
        self.closed = itertools.count()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        next(self.begun)
        start_response("200 OK", [])
        return self._pieces(environ["PATH_INFO"])

    def _pieces(self, path: str) -> Iterator[bytes]:
        try:
            yield from random_pieces(path)
        finally:
            next(self.closed)


def random_pieces(path: str) -> Iterator[bytes]:
    choose = random.Random(path)
    for _ in range(choose.randint(1, 40)):
        yield choose.randbytes(1) * choose.choice((1, 100, 5000, 70000, 300000))


@pytest.mark.parametrize("threads", [0, 4])
def test_downloads_at_every_speed(serve: Serve, often: None, threads: int) -> None:
    """What is sent by app threads and by the loop meets in every way; some clients leave in the middle of it."""
    app = Tally()
    engine = serve(app, threads=threads)

    def talk(client: int) -> int:
        choose = random.Random(client)
        wire = engine.connect()
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        for number in range(40):
            path = f"/{client}/{number}"
            wire.send(request(path))
            if choose.random() < 0.2:
                wire.socket.recv(choose.randint(1, 100000))
                (reset if choose.random() < 0.5 else Wire.close)(wire)
                wire = engine.connect()
                continue
            assert wire.reply()[2] == b"".join(random_pieces(path))
        wire.close()
        return 40

    with ThreadPoolExecutor(8) as pool:
        asked = sum(pool.map(talk, range(8)))
    until(lambda: engine.engine.connection_count == 0, "all connections are closed")
    assert engine.failures == []
    begun, closed = next(app.begun), next(app.closed)
    assert begun == closed
    assert asked * 0.7 < begun <= asked
    assert sum(record[8] for record in engine.records) > 200_000_000


def test_a_client_that_takes_nothing_is_given_up(serve: Serve) -> None:
    """Its app thread is free again, and the response closed."""
    app = Long(1000)
    engine = serve(app, threads=1, stall_s=0.5)
    slow = slow_client(engine)
    until(lambda: app.closed == 1, "the response is closed")
    until(lambda: engine.engine.connection_count == 0, "the connection is closed")
    with pytest.raises(ConnectionError):
        while slow.socket.recv(65536):
            pass
    slow.close()


# ---------------------------------------------------------------- uploads


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_is_held_back_until_the_app_reads(serve: Serve, chunked: bool) -> None:
    gate = threading.Event()
    sizes: list[int] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        gate.wait(PATIENCE_S)
        digest = hashlib.sha256()
        while data := environ["wsgi.input"].read(100000):
            digest.update(data)
            sizes.append(len(data))
        start_response("200 OK", [])
        return [digest.hexdigest().encode()]

    engine = serve(app, threads=1)
    body = random.Random(1).randbytes(40 << 20)
    wire = engine.connect()
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    sent = [0]

    def upload() -> None:
        if not chunked:
            wire.send(request("/", f"Content-Length: {len(body)}", method="POST"))
        else:
            wire.send(request("/", "Transfer-Encoding: chunked", method="POST"))
        for at in range(0, len(body), 65536):
            piece = body[at : at + 65536]
            wire.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            sent[0] += len(piece)
        if chunked:
            wire.send(b"0\r\n\r\n")

    sender = threading.Thread(target=upload)
    sender.start()
    stream = until_some(lambda: next(iter(engine.engine._connections), None)).stream
    seen = [-1, 0]

    def is_held() -> bool:
        seen[1] = seen[1] + 1 if sent[0] == seen[0] else 0
        seen[0] = sent[0]
        return sent[0] > 0 and seen[1] > 50

    until(is_held, "the upload is held back")
    assert sent[0] < 20 << 20
    stream = next(iter(engine.engine._connections)).stream
    assert stream is not None and stream.body is not None
    assert stream.body.received < 1 << 20
    gate.set()
    code, _, digest = wire.reply()
    sender.join()
    assert (code, digest) == (200, hashlib.sha256(body).hexdigest().encode())
    assert max(sizes) == 100000
    wire.close()


def until_some(look: Callable[[], Any]) -> Any:
    """What `look` gives once it gives something."""
    found: list[Any] = []

    def is_there() -> bool:
        found.append(look())
        return found[-1] is not None

    until(is_there, "something is there")
    return found[-1]


@pytest.mark.parametrize("threads", [0, 4])
def test_uploads_of_many_clients(serve: Serve, often: None, threads: int) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        digest = hashlib.sha256()
        stream = environ["wsgi.input"]
        choose = random.Random(environ["PATH_INFO"])
        while data := stream.read(choose.randint(1, 200000)):
            digest.update(data)
        start_response("200 OK", [])
        return [digest.hexdigest().encode()]

    engine = serve(app, threads=threads)

    def talk(client: int) -> None:
        choose = random.Random(client)
        wire = engine.connect()
        for number in range(10):
            body = choose.randbytes(choose.choice((1, 1000, 131071, 131072, 400000, 2000000)))
            wire.send(request(f"/{client}/{number}", method="POST", body=body))
            code, _, digest = wire.reply()
            assert (code, digest) == (200, hashlib.sha256(body).hexdigest().encode())
        wire.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(talk, range(6)))
    assert engine.failures == []


def test_an_app_whose_client_left_within_the_upload(serve: Serve) -> None:
    caught: list[BaseException] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            caught.append(error)
            raise
        return echo(environ, start_response)

    engine = serve(app, threads=1)
    for leave in (Wire.close, reset):
        wire = engine.connect()
        wire.send(request("/", "Content-Length: 10000000", method="POST") + b"x" * 300000)
        until(lambda: any(each.stream and each.stream.is_dispatched for each in connections(engine)), "the app reads")
        leave(wire)
        until(lambda: engine.engine.connection_count == 0, "the connection is closed")
    assert len(caught) == 2
    wire = engine.connect()
    assert wire.get("/next")[2] == b"/next"
    wire.close()


def connections(engine: RunningEngine) -> list[Any]:
    return engine.on_loop(lambda: list(engine.engine._connections))


# ---------------------------------------------------------------- descriptors


def test_a_descriptor_is_nobody_elses_while_an_app_works_for_it(serve: Serve) -> None:
    """Clients leave while their apps work; others come, who would get the numbers. Then the apps answer."""
    gate = Gate()
    engine = serve(gate, threads=8)
    gone = [engine.connect() for _ in range(8)]
    for number, wire in enumerate(gone):
        wire.send(request(f"/wait-{number}-" + "x" * 2000))
    until(lambda: gate.waiting == 8, "eight apps wait")
    numbers = {connection.fd for connection in connections(engine)}
    for wire in gone:
        reset(wire)
    others = []
    for _ in range(200):
        others.append(engine.connect())
    until(lambda: engine.engine.connection_count == 208, "the others are there")
    assert numbers.isdisjoint(connection.fd for connection in connections(engine) if connection.stream is None)
    gate.open.set()
    until(lambda: engine.engine.connection_count == 200, "those that are gone are closed")
    for number, wire in enumerate(others):
        assert wire.get(f"/{number}")[2] == b"/%d" % number
        # Not one byte more than its own.
        wire.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            wire.socket.recv(1)
        wire.close()


def test_clients_that_come_and_go(serve: Serve, often: None) -> None:
    """Resets at every moment, and quick connections that take over the descriptors."""
    engine = serve(echo, threads=4)

    def talk(client: int) -> None:
        choose = random.Random(client)
        for number in range(150):
            wire = engine.connect()
            path = f"/{client}/{number}/" + "x" * choose.choice((0, 3000))
            what = choose.random()
            if what < 0.4:
                data = request(path)
                wire.send(data[: choose.randint(1, 60)] if what < 0.1 else data * choose.randint(1, 5))
                (reset if choose.random() < 0.7 else Wire.close)(wire)
                continue
            assert wire.get(path)[2] == path.encode()
            wire.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(talk, range(6)))
    until(lambda: engine.engine.connection_count == 0, "all connections are closed")
    assert engine.failures == []


# ---------------------------------------------------------------- the end


def test_draining(serve: Serve) -> None:
    gate = Gate()
    engine = serve(gate, threads=2)
    idle, busy = engine.connect(), engine.connect()
    assert idle.get("/idle")[2] == b"/idle"
    busy.send(request("/wait") + request("/dropped"))
    until(lambda: gate.waiting == 1, "the app waits")
    engine.on_loop(engine.engine.drain)
    with pytest.raises(OSError):
        engine.connect()
    engine.on_loop(engine.engine.close_idle)
    assert idle.end() == b""
    idle.close()
    gate.open.set()
    code, fields, body = busy.reply()
    assert (code, fields["connection"], body) == (200, "close", b"/wait")
    assert busy.end() == b""
    busy.close()
    until(lambda: engine.engine.connection_count == 0, "all connections are closed")


def test_stopping_does_not_wait_for_slow_clients(serve: Serve) -> None:
    """No loop is left to send to them: their apps are told that they are gone."""
    app = Long(1000)
    engine = serve(app, threads=2)
    slow, uploading = slow_client(engine), engine.connect()
    uploading.send(request("/up", "Content-Length: 1000000", method="POST") + b"x" * 200000)
    until(is_held(app), "the response is held back")
    until(lambda: engine.engine.threads.aside == 2, "both apps wait for their clients")
    engine.stop()
    assert app.closed == 1
    slow.close()
    uploading.close()


# ---------------------------------------------------------------- unix sockets


def test_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    seen: list[Environ] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        seen.append(dict(environ))
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"hello"]

    engine = serve(validator(app), path=tmp_path / "socket")
    wire = engine.connect()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [wire.get("/")[2] for _ in range(3)] == [b"hello"] * 3
    wire.close()
    assert engine.failures == []
    # PEP 3333: SERVER_NAME and SERVER_PORT can never be empty.
    assert seen[0]["SERVER_NAME"] and seen[0]["SERVER_PORT"]
    assert engine.records[0][1] == "unix"
