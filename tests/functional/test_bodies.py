"""Bodies through a real master and worker: long, slow, too long and compressed ones, and a disk that fails."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import resource
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.functional.running import Client, Master, Place, connect, text, wait_for

pytestmark = pytest.mark.time_limit(180)

KILOBYTE, MEGABYTE = 1 << 10, 1 << 20
BLOCK = random.Random(3).randbytes(MEGABYTE)
SLOW_UPLOADS = 1000
SLOW_BYTES = 200 * KILOBYTE

WSGI = """
import hashlib

def app(environ, start_response):
    source, what = environ["wsgi.input"], environ["PATH_INFO"]
    headers = [("Content-Type", "text/plain")]
    if what == "/file":
        start_response("200 OK", [("Content-Type", "image/png")])
        return environ["wsgi.file_wrapper"](open(environ["QUERY_STRING"], "rb"))
    start_response("200 OK", headers)
    if what == "/hash":
        digest, length = hashlib.sha256(), 0
        while block := source.read(65536):
            digest.update(block)
            length += len(block)
        return [f"{length} {digest.hexdigest()} {type(source).__name__}".encode()]
    if what == "/echo":
        return iter(lambda: source.read(65536), b"")
    if what == "/early":
        return early(source)
    if what == "/text":
        return (b"%09d\\n" % number * 1000 for number in range(int(environ["QUERY_STRING"])))
    return [b"quick"]

def early(source):
    yield b"begun "
    yield str(len(source.read())).encode()
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if scope["query_string"]:
        body = b"0123456789" * int(scope["query_string"])
    await send({"type": "http.response.body", "body": body})
"""
SERVER = """
threads = 4
response_timeout = 2m
keep_alive = 2m
max_post_body_size = 4m
max_multipart_body_size = 80m
spool_limit = 70m
"""
ROUTES = "/ = ../../apps/wsgi\n/live = ../../apps/wsgi\n/asgi = ../../apps/asgi\n/plain = ../../apps/wsgi"
OPTIONS = """
[/live]
stream = yes
max_body = 2g
[/asgi]
max_body = 1m
[/plain]
gzip = no
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("bodies"))
    place.app("wsgi", WSGI)
    place.app("asgi", ASGI)
    place.site(SERVER, routes=ROUTES, more=OPTIONS)
    return place


@pytest.fixture(scope="module")
def master(place: Place) -> Iterator[Master]:
    master = Master(place)
    yield master.ready()
    master.end()


@pytest.fixture(scope="module")
def quiet(master: Master) -> int:
    """Descriptors of the worker before anybody came, and its logs."""
    return descriptors(master.workers[0]) + 3


@pytest.fixture
def worker(master: Master, quiet: int) -> Iterator[int]:
    """The worker's pid. Whatever a test does: no descriptor stays."""
    pid = master.workers[0]
    yield pid
    wait_for(lambda: descriptors(pid) <= quiet, f"not more than {quiet} descriptors, as before")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_kb(pid: int) -> int:
    return next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Private_Dirty:")
    )


class Watch:
    """The most memory that a process had while it was watched, in kB more than at the beginning."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._is_over = threading.Event()
        self.most_kb = 0

    def __enter__(self) -> Watch:
        self._before = memory_kb(self._pid)
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.05):
            self.most_kb = max(self.most_kb, memory_kb(self._pid) - self._before)


def head(path: str, *fields: str, length: int | None = None) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: a", framing, *fields, "", "")).encode()


def answer(sock: socket.socket) -> tuple[http.client.HTTPResponse, bytes]:
    response = http.client.HTTPResponse(sock, method="POST")
    response.begin()
    return response, response.read()


def blocks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield BLOCK


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def digest(*pieces: bytes) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("path", "megabytes", "kind"),
    [("/hash", 5, "application/json"), ("/hash", 81, "multipart/form-data; boundary=x"), ("/asgi", 2, "text/plain")],
)
def test_a_client_that_sends_all_before_it_reads_is_told_413(
    master: Master, worker: int, path: str, megabytes: int, kind: str
) -> None:
    with connect(master.address) as sock:
        sock.sendall(head(path, f"Content-Type: {kind}", length=megabytes * MEGABYTE))
        for block in blocks(megabytes):
            sock.sendall(block)
        response, body = answer(sock)
    assert response.status == 413
    assert response.headers["Connection"] == "close"
    assert b"bytes long at most" in body


@pytest.mark.parametrize("path", ["/hash", "/asgi"])
def test_a_client_that_asks_before_it_sends_need_not_send(master: Master, worker: int, path: str) -> None:
    with connect(master.address) as sock:
        sock.sendall(head(path, "Expect: 100-continue", length=5 * MEGABYTE))
        assert answer(sock)[0].status == 413


@pytest.mark.parametrize("path", ["/hash", "/early", "/asgi"])
def test_a_body_without_a_length_is_refused_when_it_gets_too_long(master: Master, worker: int, path: str) -> None:
    with connect(master.address) as sock:
        sock.sendall(head(path))
        for block in blocks(5):
            sock.sendall(chunk(block))
        assert answer(sock)[0].status == 413
    assert text(master.address, "/quick") == "quick"


def test_the_limit_goes_by_the_kind_of_body_and_the_mount(master: Master, worker: int) -> None:
    client = Client(master.address)
    for path, kind in (("/hash", "multipart/form-data; boundary=x"), ("/live/hash", "text/plain")):
        client.request("POST", path, BLOCK * 5, {"Content-Type": kind})
        assert client.getresponse().read().decode().startswith(f"{5 * MEGABYTE} {digest(BLOCK * 5)}")
    client.close()


# ---------------------------------------------------------------- slow and long uploads


def test_slow_uploads_leave_the_threads_to_others(master: Master, worker: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(SLOW_UPLOADS, (hard - 200) // 2)
    assert count >= 100, f"only {hard} descriptors: too few for this test"
    data = BLOCK[:SLOW_BYTES]
    client = Client(master.address)
    try:
        with ExitStack() as stack, Watch(worker) as watch:
            socks = [stack.enter_context(connect(master.address)) for _ in range(count)]
            for sock in socks:
                sock.sendall(head("/hash", length=SLOW_BYTES) + data[:-1000])
                assert client.get("/quick") == (200, "quick")
            # Each has its file by now.
            wait_for(lambda: descriptors(worker) >= 2 * count, "bodies on disk")
            assert client.get("/quick") == (200, "quick")
            for sock in socks[::50]:
                sock.sendall(data[-1000:])
                assert answer(sock)[1].decode() == f"{SLOW_BYTES} {digest(data)} BufferedReader"
        # 200 kB each would be 200 MB.
        assert watch.most_kb < 60 * KILOBYTE * count / SLOW_UPLOADS + 20 * KILOBYTE
    finally:
        client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_long_upload_waits_on_disk_and_not_in_memory(master: Master, worker: int) -> None:
    with connect(master.address) as sock, Watch(worker) as watch:
        sock.sendall(head("/hash", "Content-Type: multipart/form-data; boundary=x", length=64 * MEGABYTE))
        for block in blocks(64):
            sock.sendall(block)
        assert answer(sock)[1].decode() == f"{64 * MEGABYTE} {digest(*blocks(64))} BufferedReader"
    assert watch.most_kb < 16 * KILOBYTE


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_longer_than_the_spool_is_read_as_it_comes(master: Master, worker: int, is_chunked: bool) -> None:
    with connect(master.address) as sock, Watch(worker) as watch:
        kind = "Content-Type: multipart/form-data; boundary=x"
        sock.sendall(head("/hash", kind, length=None if is_chunked else 78 * MEGABYTE))
        for block in blocks(78):
            sock.sendall(chunk(block) if is_chunked else block)
        sock.sendall(b"0\r\n\r\n" if is_chunked else b"")
        name = "SpooledBody" if is_chunked else "RequestBody"
        assert answer(sock)[1].decode() == f"{78 * MEGABYTE} {digest(*blocks(78))} {name}"
    assert watch.most_kb < 16 * KILOBYTE


@pytest.mark.parametrize("is_chunked", [False, True])
def test_half_a_gigabyte_flows_both_ways_through_little_memory(master: Master, worker: int, is_chunked: bool) -> None:
    count = 500
    sent, received, length = digest(*blocks(count)), hashlib.sha256(), 0

    def send(sock: socket.socket) -> None:
        sock.sendall(head("/live/echo", length=None if is_chunked else count * MEGABYTE))
        for block in blocks(count):
            sock.sendall(chunk(block) if is_chunked else block)
        sock.sendall(b"0\r\n\r\n" if is_chunked else b"")

    with connect(master.address) as sock, Watch(worker) as watch:
        sender = threading.Thread(target=send, args=(sock,))
        sender.start()
        response = http.client.HTTPResponse(sock, method="POST")
        response.begin()
        while block := response.read(MEGABYTE):
            received.update(block)
            length += len(block)
        sender.join()
    assert (length, received.hexdigest()) == (count * MEGABYTE, sent)
    assert watch.most_kb < 16 * KILOBYTE


def test_an_app_that_answers_before_it_reads(master: Master, worker: int) -> None:
    """The app begins when all is there; from then on it may do what it likes in any order."""
    client = Client(master.address)
    for path in ("/early", "/live/early"):
        client.request("POST", path, BLOCK * 3)
        assert client.getresponse().read() == b"begun %d" % (3 * MEGABYTE)
    client.close()


def test_an_app_that_does_not_read_at_all(master: Master, worker: int) -> None:
    client = Client(master.address)
    for _ in range(3):
        client.request("POST", "/quick", BLOCK)
        assert client.getresponse().read() == b"quick"
    client.close()


def test_clients_that_go_away_leave_nothing(master: Master, worker: int) -> None:
    for size in (10, 100_000, 150_000, MEGABYTE):
        for _ in range(10):
            with connect(master.address) as sock:
                sock.sendall(head("/hash", length=2 * MEGABYTE) + BLOCK[:size])
    assert text(master.address, "/quick") == "quick"


# ---------------------------------------------------------------- responses


def test_a_compressed_response_to_a_slow_client_takes_little_memory(master: Master, worker: int) -> None:
    """What is sent on the loop and in a thread, whole and in pieces."""
    for path, length in (("/text?20000", 200_000_000), ("/asgi?4000000", 40_000_000)):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(60)
        host, _, port = master.address.rpartition(":")
        sock.connect((host, int(port)))
        with sock, Watch(worker) as watch:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n".encode())
            response = http.client.HTTPResponse(sock)
            response.begin()
            assert response.headers["Content-Encoding"] == "gzip"
            assert response.headers["Vary"] == "Accept-Encoding"
            reader, found = zlib.decompressobj(31), 0
            while block := response.read(16384):
                found += len(reader.decompress(block))
                if response.length is None and found == len(block):
                    assert text(master.address, "/quick") == "quick"
            assert (found, reader.eof) == (length, True)
        assert watch.most_kb < (16 if "text" in path else 90) * KILOBYTE


def test_gzip_can_be_switched_off(master: Master, worker: int) -> None:
    client = Client(master.address)
    for path, coding in (("/text?3", "gzip"), ("/plain/text?3", None), ("/asgi?1000", "gzip"), ("/quick", None)):
        client.request("GET", path, headers={"Accept-Encoding": "gzip, br;q=0"})
        response = client.getresponse()
        response.read()
        assert (response.headers["Content-Encoding"], path) == (coding, path)
    client.close()


def test_slow_downloads_of_wrapped_files_leave_the_threads_to_others(
    master: Master, worker: int, tmp_path: Path
) -> None:
    path = tmp_path / "large"
    path.write_bytes(BLOCK * 24)
    request = f"GET /file?{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with ExitStack() as stack, Watch(worker) as watch:
        socks = [stack.enter_context(connect(master.address)) for _ in range(12)]
        for sock in socks:
            sock.sendall(request)
        assert text(master.address, "/quick") == "quick"
        for sock in socks[::4]:
            response, body = answer(sock)
            assert response.headers["Content-Length"] == str(24 * MEGABYTE)
            assert digest(body) == digest(*blocks(24))
    assert watch.most_kb < 8 * KILOBYTE


# ---------------------------------------------------------------- a disk that fails


def test_without_room_for_bodies_large_ones_are_refused_and_the_log_says_why(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.app("wsgi", WSGI)
    (tmp_path / "taken").write_text("a file where the folder should be")
    server = "spool_dir = ../../taken/bodies\nmax_client_body_size = 100m"
    place.site(server, routes="/ = ../../apps/wsgi\n/live = ../../apps/wsgi", more=OPTIONS.partition("[/asgi]")[0])
    master = Master(place)
    try:
        master.ready()
        for _ in range(3):
            with connect(master.address) as sock:
                sock.sendall(head("/hash", length=10 * MEGABYTE))
                for block in blocks(10):
                    sock.sendall(block)
                refused = answer(sock)[0]
                assert (refused.status, refused.getheader("Retry-After")) == (507, "60")
        client = Client(master.address)
        for path, body in (("/hash", BLOCK[:100_000]), ("/live/hash", BLOCK)):
            client.request("POST", path, body)
            assert client.getresponse().read().decode().startswith(f"{len(body)} {digest(body)}")
        client.close()
        lines = [line for line in place.log("server").splitlines() if "cannot keep a request's body" in line]
        assert len(lines) == 1
        assert f"{tmp_path}/taken/bodies: Not a directory" in lines[0]
    finally:
        master.end()
