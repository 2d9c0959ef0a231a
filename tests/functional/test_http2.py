"""HTTP/2 with real sockets, app threads, and clients of other makers. What follows from bytes alone is tested in
tests/unit."""

from __future__ import annotations

import hashlib
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest

from skitaid.engine.settings import EngineSettings
from skitaid.engine.spool import SpoolSettings
from skitaid.engine.timeouts import Timeouts
from skitaid.protocols.http2.frames import GOAWAY
from tests.functional.engines import PATIENCE_S, RunningEngine, until
from tests.functional.running import PID_APP, Master, Place, wait_for

pytestmark = pytest.mark.time_limit(120)

Environ = dict[str, Any]
Serve = Callable[..., RunningEngine]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    running: list[RunningEngine] = []

    def start(app: Any, *, threads: int = 4, **timeouts: float) -> RunningEngine:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.listen(1024)
        spool = SpoolSettings(str(tmp_path / "spool"), 1 << 26)
        running.append(RunningEngine(app, EngineSettings(threads, 1000, Timeouts(**timeouts), spool=spool), sock))
        return running[-1]

    yield start
    for each in running:
        each.stop()


class Client:
    """A connection by the h2 package over a blocking socket."""

    def __init__(self, address: Any) -> None:
        self.socket = socket.create_connection(address, PATIENCE_S)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytearray] = {}
        self.over: dict[int, str] = {}
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, path: str, *, method: str = "GET", is_end: bool = True) -> int:
        stream_id: int = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")]
        self.h2.send_headers(stream_id, fields, end_stream=is_end)
        self.bodies[stream_id] = bytearray()
        return stream_id

    def send(self, stream_id: int, data: bytes) -> None:
        """A body, and its end."""
        while True:
            size = min(self.h2.local_flow_control_window(stream_id), 16384, len(data))
            if size or not data:
                self.h2.send_data(stream_id, data[:size], end_stream=size == len(data))
                data = data[size:]
                self.flush()
                if not data:
                    return
            else:
                self.read()

    def reset(self, stream_id: int) -> None:
        self.h2.reset_stream(stream_id, 8)
        self.over[stream_id] = "ours"

    def read(self) -> None:
        data = self.socket.recv(1 << 18)
        assert data, "the server closed the connection"
        self.take(data)

    def take(self, data: bytes) -> None:
        """What came."""
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.heads[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.over.setdefault(event.stream_id, "end")
            elif isinstance(event, h2.events.StreamReset):
                self.over.setdefault(event.stream_id, "theirs")
            assert not isinstance(event, h2.events.ConnectionTerminated), event
        self.flush()

    def until_over(self, *stream_ids: int) -> None:
        self.flush()
        while any(stream_id not in self.over for stream_id in stream_ids):
            self.read()

    def close(self) -> None:
        self.socket.close()


def content(seed: str, size: int) -> bytes:
    return (hashlib.sha256(seed.encode()).digest() * (size // 32 + 1))[:size]


def pieces(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    """`/SEED/SIZE/STEP`: so many bytes in such pieces, after the body of the request was read."""
    _, seed, size, step = environ["PATH_INFO"].split("/")
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("X-Got", hashlib.sha256(body).hexdigest())])
    data = content(seed, int(size))
    for at in range(0, len(data), int(step)):
        yield data[at : at + int(step)]


def session(address: Any, seed: int) -> int:
    """Requests of all kinds, many at a time; some are given up. Gives how many were answered."""
    rng = random.Random(seed)
    client = Client(address)
    answered = 0
    for _ in range(4):
        asked: dict[int, bytes] = {}
        for number in range(rng.randint(1, 20)):
            size = rng.choice([0, 10, 1000, 70000, 300000])
            path = f"/{seed}-{number}/{size}/{rng.choice([100, 5000, 65536]) if size < 50000 else 30000}"
            is_post = rng.random() < 0.3
            stream_id = client.ask(path, method="POST" if is_post else "GET", is_end=not is_post)
            asked[stream_id] = content(f"{seed}-{number}", size)
            if is_post:
                client.send(stream_id, content("up", rng.choice([0, 10, 200000])))
            if rng.random() < 0.1:
                client.reset(stream_id)
        client.until_over(*asked)
        for stream_id, expected in asked.items():
            if client.over[stream_id] != "ours":
                assert client.over[stream_id] == "end" and client.bodies[stream_id] == expected
                answered += 1
    client.close()
    return answered


@pytest.mark.parametrize("threads", [0, 1, 4])
@pytest.mark.usefixtures("often")
def test_many_clients_with_many_requests_at_a_time(serve: Serve, threads: int) -> None:
    engine = serve(pieces, threads=threads)
    with ThreadPoolExecutor(6) as pool:
        answered = sum(pool.map(lambda seed: session(engine.address, seed), range(6)))
    assert answered > 50
    until(lambda: not engine.engine.connection_count, "all connections are closed")
    assert engine.failures == []


def test_clients_that_go_in_the_midst_of_it(serve: Serve) -> None:
    engine = serve(pieces)

    def rude(seed: int) -> None:
        client = Client(engine.address)
        for number in range(20):
            client.ask(f"/{seed}-{number}/300000/30000")
        client.flush()
        if seed % 2:
            client.read()
        client.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(rude, range(20)))
    until(lambda: not engine.engine.connection_count, "all connections are closed")
    until(lambda: engine.engine.threads is not None and not engine.engine.threads.busy, "the threads are free")
    assert session(engine.address, 7) > 0


def test_a_slow_client_costs_no_thread(serve: Serve) -> None:
    """Two app threads, ten streams whose client reads nothing: another is served at once."""
    engine = serve(pieces, threads=2, stall_s=60.0)
    slow = Client(engine.address)
    for number in range(10):
        slow.ask(f"/{number}/1000000/50000")
    slow.flush()
    until(lambda: engine.engine.threads is not None and not engine.engine.threads.waiting, "all are begun")
    quick = Client(engine.address)
    began = time.monotonic()
    quick.until_over(quick.ask("/a/10/10"))
    assert time.monotonic() - began < PATIENCE_S / 2
    slow.until_over(*slow.bodies)
    assert all(len(body) == 1000000 for body in slow.bodies.values())
    quick.close(), slow.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("how", ["--http2-prior-knowledge", "--http2"])
def test_curl(serve: Serve, how: str, tmp_path: Path) -> None:
    engine = serve(pieces)
    host, port = engine.address
    upload = tmp_path / "upload"
    upload.write_bytes(content("up", 300000))
    # A long body keeps an upgrade from being taken.
    version = "2" if how == "--http2-prior-knowledge" else "1.1"
    for extra, expected in (([], "2 200"), (["--data-binary", f"@{upload}"], f"{version} 200")):
        command = ["curl", "-s", "-m", "20", how, "-o", str(tmp_path / "got"), "-w", "%{http_version} %{http_code}"]
        done = subprocess.run(
            [*command, *extra, f"http://{host}:{port}/a/300000/30000"], capture_output=True, text=True, check=True
        )
        assert done.stdout == expected
        assert (tmp_path / "got").read_bytes() == content("a", 300000)


@pytest.mark.skipif(shutil.which("nghttp") is None, reason="nghttp is not installed")
@pytest.mark.parametrize("how", [[], ["-u"]], ids=["prior knowledge", "upgrade"])
def test_nghttp(serve: Serve, how: list[str]) -> None:
    engine = serve(pieces)
    host, port = engine.address
    command = ["nghttp", *how, "-t", "20", "-m", "10", f"http://{host}:{port}/a/3000/100"]
    done = subprocess.run(command, capture_output=True, check=True)
    # It prints pieces as they come, of whichever stream.
    assert sorted(done.stdout) == sorted(content("a", 3000) * 10)


class Hammer(threading.Thread):
    """Asks, five requests at a time, with a new connection whenever the server is about to go."""

    def __init__(self, address: Any) -> None:
        super().__init__()
        self.address = address
        self.is_over = threading.Event()
        self.answers: list[bytes] = []
        self.failures: list[str] = []
        self.connections = 0

    def run(self) -> None:
        while not self.is_over.is_set() and not self.failures:
            self.connections += 1
            try:
                self._connection()
            except (OSError, AssertionError, h2.exceptions.ProtocolError) as error:
                self.failures.append(repr(error))

    def _connection(self) -> None:
        client = PoliteClient(self.address)
        while not client.goaways and not self.is_over.is_set():
            ids = [client.ask("/") for _ in range(5)]
            client.until_over(*ids)
            for stream_id in ids:
                if client.over[stream_id] == "not taken":
                    continue
                assert client.over[stream_id] == "end" and client.heads[stream_id][":status"] == "200"
                self.answers.append(bytes(client.bodies[stream_id]))
        client.close()


class PoliteClient(Client):
    """Knows GOAWAY: what is above its last number was not looked at, and can be asked again. It is kept from h2, which
    would hear of nothing more."""

    def __init__(self, address: Any) -> None:
        super().__init__(address)
        self.goaways: list[int] = []
        self._held = b""

    def read(self) -> None:
        data = self.socket.recv(1 << 18)
        assert data, "the server closed the connection with requests on it"
        self._held += data
        kept = b""
        while len(self._held) >= 9 and len(self._held) >= (end := 9 + int.from_bytes(self._held[:3], "big")):
            one, self._held = self._held[:end], self._held[end:]
            if one[3] == GOAWAY:
                self._leave(int.from_bytes(one[9:13], "big"))
            else:
                kept += one
        self.take(kept)

    def _leave(self, last_id: int) -> None:
        self.goaways.append(last_id)
        for stream_id in self.bodies:
            if stream_id > last_id:
                self.over.setdefault(stream_id, "not taken")


def _have_seen(hammers: list[Hammer], workers: int) -> bool:
    return all(len(set(hammer.answers)) >= workers or hammer.failures for hammer in hammers)


def test_a_reload_loses_no_request(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.app("app", PID_APP)
    place.site("port = 0\nip = 127.0.0.1\n")
    master = Master(place)
    try:
        host, _, port = master.ready().address.rpartition(":")
        hammers = [Hammer((host, int(port))) for _ in range(3)]
        for hammer in hammers:
            hammer.start()
        try:
            for generation in (1, 2, 3):
                if generation > 1:
                    master.reload()
                wait_for(partial(_have_seen, hammers, generation), f"answers of generation {generation}")
        finally:
            for hammer in hammers:
                hammer.is_over.set()
            for hammer in hammers:
                hammer.join()
        assert [hammer.failures for hammer in hammers] == [[], [], []]
        assert all(hammer.connections >= 3 for hammer in hammers)
    finally:
        master.end()
