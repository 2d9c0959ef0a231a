"""Real masters with a response cache before a server of ours that counts what it is asked."""

from __future__ import annotations

import http.client
import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.functional.running import WAIT_S, Client, Master, Place, wait_for

CONF = """[server]
listen = 127.0.0.1:0
processes = {processes}
[proxypass]
cache_memory = {memory}
cache_disk = {disk}
[@back]
members = 127.0.0.1:{port}
[routes:line]
/ = @back
"""


class Back(ThreadingHTTPServer):
    """`asked`: requests by path. A request for /slow waits for `gate`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BackHandler)
        self.asked: Counter[str] = Counter()
        self.gate = threading.Event()
        self.version = 1
        self.lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def note(self, path: str) -> int:
        with self.lock:
            self.asked[path] += 1
            return self.asked[path]


class BackHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Back

    def do_GET(self) -> None:
        back = self.server
        count = back.note(self.path)
        control, body = "max-age=600", f"{self.path} {back.version}".encode()
        if self.path.startswith("/big"):
            body = self.path.encode() * 3000
        elif self.path == "/me":
            control, body = "private, max-age=600", (self.headers["Cookie"] or "nobody").encode()
        elif self.path == "/slow":
            back.gate.wait(WAIT_S)
        elif self.path == "/lie" and count == 1:
            self._respond(control, body, len(body) + 10)
            self.close_connection = True
            return
        self._respond(control, body, len(body))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.version += 1
        self._respond("no-store", b"changed", 7)

    def _respond(self, control: str, body: bytes, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", control)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def back() -> Iterator[Back]:
    server = Back()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def site(root: Path, back: Back, *, processes: int = 1, memory: str = "1m", disk: str = "0") -> Iterator[Master]:
    place = Place(root)
    place.conf(CONF.format(processes=processes, memory=memory, disk=disk, port=back.port))
    master = Master(place)
    try:
        yield master.ready()
    finally:
        master.end()


def ask(master: Master, path: str, **fields: str) -> tuple[bytes, str]:
    """The body, and what the cache says, on a new connection."""
    client = Client(master.address)
    try:
        client.request("GET", path, headers=fields)
        response = client.getresponse()
        return response.read(), response.headers["Cache-Status"]
    finally:
        client.close()


def test_what_lies_on_disk_outlives_its_workers(tmp_path: Path, back: Back) -> None:
    with site(tmp_path, back, memory="0", disk="10m") as master:
        assert ask(master, "/a") == (b"/a 1", "skitaid; fwd=uri-miss; stored")
        wait_for(lambda: ask(master, "/a")[1].startswith("skitaid; hit"), "a hit")
        asked = back.asked["/a"]
        master.reload()
        body, status = ask(master, "/a")
        assert body == b"/a 1"
        assert status.startswith("skitaid; hit")
        folder = master.place.root / "var" / "lib" / "instances" / "site" / "cache"
        assert folder.is_dir()
    assert back.asked["/a"] == asked


def test_workers_that_are_killed_leave_nothing_broken(tmp_path: Path, back: Back) -> None:
    """Each is killed while it writes; whatever is there afterwards is whole."""
    is_over = threading.Event()

    def fetch(first: int) -> None:
        number = first
        while not is_over.is_set():
            with suppress(OSError, http.client.HTTPException):
                ask(master, f"/big{number}")
            number += 4

    with site(tmp_path, back, processes=2, memory="0", disk="50m") as master:
        threads = [threading.Thread(target=fetch, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for round_ in range(1, 4):
            wait_for(lambda wanted=round_ * 60: sum(back.asked.values()) > wanted, "requests")
            workers = master.workers
            os.kill(workers[round_ % len(workers)], SIGKILL)
        is_over.set()
        for thread in threads:
            thread.join()
        wait_for(lambda: len(master.workers) == 2, "two workers")
        master.reload()
        paths = list(back.asked)
        back.asked.clear()
        hits = 0
        for path in paths:
            body, status = ask(master, path)
            assert body == path.encode() * 3000
            hits += status.startswith("skitaid; hit")
        assert hits > len(paths) // 2
        assert hits + sum(back.asked.values()) == len(paths)


def test_a_change_by_one_worker_holds_for_the_other(tmp_path: Path, back: Back) -> None:
    with site(tmp_path, back, processes=2) as master:
        in_a_row = 0
        for _ in range(500):
            in_a_row = in_a_row + 1 if ask(master, "/a")[1].startswith("skitaid; hit") else 0
            if in_a_row == 20 and back.asked["/a"] == 2:
                break
        assert back.asked["/a"] <= 2
        client = Client(master.address)
        client.request("POST", "/a", b"x")
        assert client.getresponse().read() == b"changed"
        client.close()
        assert {ask(master, "/a")[0] for _ in range(30)} == {b"/a 2"}


def test_one_request_for_all_who_wait(tmp_path: Path, back: Back) -> None:
    with site(tmp_path, back) as master, ThreadPoolExecutor(20) as pool:
        # The first one leaves.
        leaving = Client(master.address)
        leaving.request("GET", "/slow")
        wait_for(lambda: back.asked["/slow"] == 1, "the first request")
        waiting = [pool.submit(ask, master, "/slow") for _ in range(20)]
        wait_for(lambda: len(established(master)) >= 21, "all requests")
        leaving.close()
        back.gate.set()
        assert {future.result(WAIT_S)[0] for future in waiting} == {b"/slow 1"}
    assert back.asked["/slow"] == 1


def established(master: Master) -> list[str]:
    """Connections to the master's address, from the clients' side."""
    port = f":{int(master.address.rpartition(':')[2]):04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[2].endswith(port) and line.split()[3] == "01"]


def test_half_a_response_is_never_kept(tmp_path: Path, back: Back) -> None:
    with site(tmp_path, back, disk="10m") as master:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            ask(master, "/lie")
        assert ask(master, "/lie")[0] == b"/lie 1"
        assert ask(master, "/lie")[1].startswith("skitaid; hit")
    assert back.asked["/lie"] == 2


def test_nobody_gets_anothers_page(tmp_path: Path, back: Back) -> None:
    with site(tmp_path, back, disk="10m") as master, ThreadPoolExecutor(8) as pool:
        cookies = [f"id={number}" for number in range(200)]
        bodies = pool.map(lambda cookie: ask(master, "/me", Cookie=cookie)[0].decode(), cookies)
        assert list(bodies) == cookies
        assert ask(master, "/me")[0] == b"nobody"


def test_the_forward_proxy_uses_it_and_keeps_its_own(tmp_path: Path, back: Back) -> None:
    place = Place(tmp_path)
    conf = CONF.format(processes=1, memory="1m", disk="0", port=back.port)
    place.conf(conf + "[proxy]\nenable_proxy = yes\nallow_targets = any\n")
    master = Master(place)
    try:
        master.ready()
        url = f"http://127.0.0.1:{back.port}/a"
        assert [ask(master, url)[0] for _ in range(3)] == [b"/a 1"] * 3
        assert back.asked["/a"] == 1
        assert ask(master, url)[1].startswith("skitaid; hit")
        ask(master, "/a")
        assert back.asked["/a"] == 2
    finally:
        master.end()
