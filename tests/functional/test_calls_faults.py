"""Calls of apps to servers that are broken, slow or hostile: each ends with the status that docs/was-calls.md gives for
it, within its time-out, and leaves nothing behind."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid import was
from skitaid.was.worker import Worker
from tests.functional.calling import backend, calling, read_request, response, serving, until

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BOMB = (
    b'<!DOCTYPE methodResponse [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    b"<methodResponse><params><param><value>&b;</value></param></params></methodResponse>"
)
TIMEOUT_S = 0.6
SLACK_S = 10.0  # a busy machine


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For localhost, signed by itself; the key is in the same file."""
    path = tmp_path_factory.mktemp("cert") / "localhost.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(path) + ".key", "-out",
        str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    with path.open("a") as file:
        file.write(Path(str(path) + ".key").read_text())
    return path


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Worker]:
    with calling(tmp_path_factory.mktemp("var"), ca=str(certificate)) as found:
        yield found


def hear(connection: socket.socket) -> None:
    """A whole request."""
    with connection.makefile("rb") as file:
        read_request(file)


def says(raw: bytes) -> object:
    def handle(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(raw)

    return handle


def drips(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


def hangs(connection: socket.socket) -> None:
    hear(connection)
    connection.recv(1)


def resets(connection: socket.socket) -> None:
    hear(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def huge(connection: socket.socket) -> None:
    hear(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(1 << 20))


NET, FAIL, LATE = was.STA_NETERR, was.STA_REQFAIL, was.STA_TIMEOUT


@pytest.mark.parametrize(
    ("handle", "status", "code"),
    [
        pytest.param(lambda connection: None, NET, 502, id="closed at once"),
        pytest.param(resets, NET, 502, id="reset"),
        pytest.param(says(b""), NET, 502, id="no answer"),
        pytest.param(hangs, LATE, 504, id="hung"),
        pytest.param(drips, LATE, 504, id="slow drip"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), NET, 502, id="short"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), NET, 502, id="short chunk"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), NET, 502, id="bad chunk"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), NET, 502, id="two"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"), NET, 502, id="promises too much"),
        pytest.param(says(b"no HTTP\r\n\r\n"), NET, 502, id="no HTTP"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nX: " + bytes(70000)), NET, 502, id="huge head"),
        pytest.param(says(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), NET, 502, id="101"),
        pytest.param(huge, NET, 502, id="huge"),
        pytest.param(says(JSON + b"Content-Length: 3\r\n\r\n{]}"), FAIL, 502, id="bad JSON"),
        pytest.param(says(JSON + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\ngzip"), FAIL, 502, id="bad gzip"),
        pytest.param(
            says(response(200, gzip.compress(bytes(100 << 20)), Content_Encoding="gzip")), FAIL, 502, id="gzip bomb"
        ),
    ],
)
def test_faults(worker: Worker, handle: object, status: int, code: int) -> None:
    timeout = TIMEOUT_S if code == 504 else 20
    with serving(handle) as (host, port):  # type: ignore[arg-type]
        began = time.monotonic()
        result = was.post(f"http://{host}:{port}/x", {"a": 1}, timeout=timeout).dispatch()
        took = time.monotonic() - began
    assert (result.status, result.status_code) == (status, code), result.error
    assert took < timeout + SLACK_S
    assert result.error is not None and result.data is None


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (response(200, b"<no xml", Content_Type="text/xml"), "xmlrpc"),
        (response(200, BOMB, Content_Type="text/xml"), "xmlrpc"),
        (response(200, b"<html></html>", Content_Type="text/html"), "xmlrpc"),
        (response(200, b"{]", Content_Type="application/json"), "jsonrpc"),
        (response(200, b"[1]", Content_Type="application/json"), "jsonrpc"),
        (response(200, b'{"id": 0, "result": 1}', Content_Type="application/json"), "jsonrpc"),
    ],
)
def test_faults_of_remote_procedures(worker: Worker, raw: bytes, kind: str) -> None:
    with backend(lambda request: raw) as (_, url):
        result = getattr(was, kind)(f"{url}/rpc", timeout=10).add(1, 2).dispatch()
    assert (result.status, result.status_code) == (FAIL, 502)


def test_refused(worker: Worker) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = was.get(f"http://127.0.0.1:{taken.getsockname()[1]}/").dispatch(timeout=10)
    assert (result.status, result.status_code) == (NET, 502)


def test_no_such_name(worker: Worker) -> None:
    result = was.get("http://no-such-name.invalid/").dispatch(timeout=30)
    assert (result.status, result.status_code) == (NET, 502)


def test_waiting_shorter_than_the_call(worker: Worker) -> None:
    with serving(hangs) as (host, port):
        began = time.monotonic()
        result = was.get(f"http://{host}:{port}/x").dispatch(timeout=0.3)
        assert time.monotonic() - began < 0.3 + SLACK_S
    assert (result.status, result.status_code) == (LATE, 504)


# ---------------------------------------------------------------- TLS


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def over_tls(certificate: Path) -> object:
    context = tls(certificate)

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            says(response(200, b"{}", Content_Type="application/json"))(wrapped)  # type: ignore[operator]

    return handle


def test_tls_is_verified(worker: Worker, certificate: Path) -> None:
    with serving(over_tls(certificate)) as (_, port):  # type: ignore[arg-type]
        assert was.get(f"https://localhost:{port}/").fetch(timeout=10) == {}
        # another name than the certificate's
        result = was.get(f"https://127.0.0.1:{port}/").dispatch(timeout=10)
    assert (result.status, result.status_code) == (NET, 502)
    assert "TLS" in str(result.error)


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\n\r\n", b"", b"\x16\x03\x01\x00\x02\x02\x28"])
def test_no_tls_at_all(worker: Worker, raw: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(raw)

    with serving(handle) as (_, port):
        result = was.get(f"https://localhost:{port}/").dispatch(timeout=10)
    assert (result.status, result.status_code) == (NET, 502)


# ---------------------------------------------------------------- uploads


def test_a_file_that_becomes_shorter(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(50 << 20)
    begun, shortened = threading.Event(), threading.Event()

    def handle(connection: socket.socket) -> None:
        connection.recv(1000)
        begun.set()
        assert shortened.wait(10)
        while connection.recv(1 << 20):
            pass

    with serving(handle) as (host, port):
        task = was.upload(f"http://{host}:{port}/", {"file": path}, timeout=20)
        assert begun.wait(10)
        os.truncate(path, 1000)
        shortened.set()
        result = task.dispatch()
    assert result.status in (FAIL, NET) and result.status_code >= 500
    assert "shorter" in str(result.error)


def test_a_server_that_does_not_want_it(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(50 << 20)

    def handle(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    with serving(handle) as (host, port):
        result = was.upload(f"http://{host}:{port}/", {"file": path}, timeout=10).dispatch()
    assert result.status_code in (413, 502)


# ---------------------------------------------------------------- nothing is left


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def our_threads() -> int:
    """Those of the worker, without the backends'."""
    return sum("process_request_thread" not in thread.name for thread in threading.enumerate())


def test_nothing_is_left(worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    with serving(hangs) as hung, serving(resets) as reset, backend(lambda request: response(200, b"{]")) as (_, url):
        urls = [f"http://{hung[0]}:{hung[1]}", f"http://{reset[0]}:{reset[1]}", url]
        # what is made once is there: disk threads, kept connections
        was.upload(url, {"file": tmp_path / "a"}).dispatch(10)
        files, threads = open_files(), our_threads()
        tasks = [was.upload(each, {"file": tmp_path / "a"}, timeout=0.3) for each in urls for _ in range(20)]
        tasks += [was.get(each + "/x", use_cache=False, timeout=0.3) for each in urls for _ in range(20)]
        assert all(result.status_code >= 500 or result.status == was.STA_NORMAL for result in was.Tasks(tasks, 10))
        del tasks
        kept = 16  # connections to the one that answers stay open for the next
        until(lambda: open_files() <= files + 2 * kept, "files and sockets are closed")
    until(lambda: our_threads() <= threads, "threads are gone")
