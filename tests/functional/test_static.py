"""Static files by a real master and worker, over TCP: the options of a conf, many slow downloads, files that change."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.functional.running import Client, Master, Place, connect, get, text, wait_for

LARGE_BYTES = 24 << 20
ROUTES = "/ = ../../files\n/ = ../../apps/app\n/pub = ../../files\n/spa = ../../files/spa\n/free = ../../files"
OPTIONS = """
[/pub]
listing = yes
max_age = 7
[/spa]
try = index.html
[/free]
symlinks = yes
gzip = no
"""


@pytest.fixture(scope="module")
def content() -> bytes:
    return random.Random(5).randbytes(LARGE_BYTES)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> Place:
    place = Place(tmp_path_factory.mktemp("static"))
    place.answer("app")
    files = place.root / "files"
    (files / "spa").mkdir(parents=True)
    (files / "large.bin").write_bytes(content)
    (files / "style.css").write_text("body { color: black }\n" * 100)
    (files / "spa" / "index.html").write_text("spa")
    (place.root / "secret.txt").write_text("secret")
    (files / "link.txt").symlink_to("../secret.txt")
    place.site(routes=ROUTES, more=OPTIONS)
    return place


@pytest.fixture(scope="module")
def master(place: Place) -> Iterator[Master]:
    master = Master(place)
    yield master.ready()
    master.end()


@pytest.fixture
def files(place: Place) -> Path:
    return place.root / "files"


@pytest.fixture
def client(master: Master) -> Iterator[Client]:
    client = Client(master.address)
    yield client
    client.close()


def ask(client: Client, path: str, **fields: str) -> tuple[http.client.HTTPResponse, bytes]:
    client.request("GET", path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    response = client.getresponse()
    return response, response.read()


def head_of(sock: socket.socket) -> tuple[bytes, bytes]:
    """A response's head, and what was received beyond it."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = sock.recv(4096)
        assert piece, f"the connection ended after {received!r}"
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def start_download(address: str, path: str = "/large.bin") -> socket.socket:
    """A client that asks, and takes little of the answer."""
    host, _, port = address.rpartition(":")
    sock = socket.socket()
    sock.settimeout(30)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.connect((host, int(port)))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return sock


def memory_kb(pid: int) -> int:
    return next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Private_Dirty:")
    )


# ---------------------------------------------------------------- the options of a conf


def test_files_and_the_app_behind_them(client: Client) -> None:
    assert ask(client, "/style.css")[1].startswith(b"body")
    assert ask(client, "/none")[1] == b"app"
    assert ask(client, "/link.txt")[1] == b"app"


def test_listing_and_max_age(client: Client) -> None:
    response, body = ask(client, "/pub/", Accept="application/json")
    assert response.headers["Content-Type"] == "application/json"
    assert {"spa", "large.bin", "style.css"} <= {entry["name"] for entry in json.loads(body)}
    assert "link.txt" not in body.decode()
    assert ask(client, "/pub/style.css")[0].headers["Cache-Control"] == "max-age=7"
    assert ask(client, "/style.css")[0].headers["Cache-Control"] == "max-age=300"


def test_try(client: Client) -> None:
    for path in ("/spa/", "/spa/users/7", "/spa/none.js"):
        assert ask(client, path)[1] == b"spa"
    assert ask(client, "/spa/.env")[1] == b"app"


def test_symlinks_and_gzip(client: Client) -> None:
    assert ask(client, "/free/link.txt")[1] == b"secret"
    assert ask(client, "/free/style.css", Accept_Encoding="gzip")[0].headers["Content-Encoding"] is None
    assert ask(client, "/style.css", Accept_Encoding="gzip")[0].headers["Content-Encoding"] == "gzip"


# ---------------------------------------------------------------- large files


def test_a_large_file_and_its_parts(client: Client, content: bytes) -> None:
    response, body = ask(client, "/large.bin")
    assert hashlib.sha256(body).digest() == hashlib.sha256(content).digest()
    response, body = ask(client, "/large.bin", Range="bytes=1000000-20000000")
    assert (response.status, body == content[1000000:20000001]) == (206, True)
    response, body = ask(client, "/large.bin", Range="bytes=0-4999999,10000000-14999999")
    assert response.status == 206
    assert len(body) == int(response.headers["Content-Length"])
    assert content[:5000000] in body
    assert content[10000000:15000000] in body
    assert ask(client, "/large.bin", If_None_Match=response.headers["ETag"])[0].status == 304


def test_a_part_of_a_file_larger_than_memory(client: Client, files: Path) -> None:
    """Offsets of more than 32 bits."""
    path, size = files / "sparse.bin", 5 << 30
    with path.open("wb") as sparse:
        sparse.seek(size - 4)
        sparse.write(b"tail")
    response, body = ask(client, "/sparse.bin", Range="bytes=-10")
    assert (response.status, body) == (206, bytes(6) + b"tail")
    assert response.headers["Content-Range"] == f"bytes {size - 10}-{size - 1}/{size}"
    path.unlink()


def test_slow_downloads_cost_no_memory_and_hold_up_nobody(master: Master, content: bytes) -> None:
    (worker,) = master.workers
    text(master.address, "/style.css")
    before_kb = memory_kb(worker)
    with ExitStack() as stack:
        slow = [stack.enter_context(start_download(master.address)) for _ in range(50)]
        for sock in slow:
            assert head_of(sock)[0].startswith(b"HTTP/1.1 200 ")
        assert text(master.address, "/style.css").startswith("body")
        assert text(master.address, "/nothing") == "app"
        # 50 times the file are 1.2 GB; of each no more than bookkeeping is held.
        assert memory_kb(worker) - before_kb < 4096
    wait_for(lambda: open_files(worker, "large.bin") == 0, "the files of clients that went away are closed")


def open_files(pid: int, name: str) -> int:
    links = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(entry.path))
        except FileNotFoundError:
            continue
    return sum(link.endswith(name) for link in links)


def test_many_downloads_at_a_time(master: Master, content: bytes) -> None:
    expected = hashlib.sha256(content).digest()
    found: list[bytes] = []

    def download() -> None:
        with connect(master.address) as sock:
            sock.sendall(b"GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            _, rest = head_of(sock)
            digest = hashlib.sha256(rest)
            while piece := sock.recv(1 << 16):
                digest.update(piece)
            found.append(digest.digest())

    threads = [threading.Thread(target=download) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def test_a_file_that_is_cut_short_cuts_the_download(master: Master, files: Path) -> None:
    path = files / "shrinks.bin"
    path.write_bytes(bytes(16 << 20))
    with start_download(master.address, "/shrinks.bin") as sock:
        _, rest = head_of(sock)
        os.truncate(path, 1000)
        received = len(rest)
        try:
            while piece := sock.recv(1 << 16):
                received += len(piece)
        except ConnectionError:
            received = min(received, (16 << 20) - 1)
        assert received < 16 << 20
    assert get(master.address, "/style.css")[0] == 200


def test_a_file_replaced_during_a_download_is_sent_as_it_was(master: Master, files: Path) -> None:
    path = files / "versions.bin"
    path.write_bytes(b"1" * (16 << 20))
    with start_download(master.address, "/versions.bin") as sock:
        _, rest = head_of(sock)
        fresh = files / "versions.new"
        fresh.write_bytes(b"2" * (16 << 20))
        fresh.rename(path)
        received = [rest]
        while sum(map(len, received)) < 16 << 20:
            piece = sock.recv(1 << 16)
            assert piece, "the download broke off"
            received.append(piece)
        assert set(b"".join(received)) == {ord("1")}
    wait_for(lambda: text(master.address, "/versions.bin")[0] == "2", "the new version")
