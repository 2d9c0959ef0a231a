"""Clients that are slow to read: their responses wait on disk, and app threads are free for others."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine.settings import EngineSettings
from skitaid.engine.spool import SpoolSettings
from tests.functional.engines import RunningEngine, Wire, until

PIECE = 65536
PIECES = 160  # 10 MB: more than the kernel takes for a client that reads nothing


class Long:
    """A WSGI app: /long gives PIECES pieces, everything else its path. `given` counts pieces, `ended` the responses
    given whole."""

    def __init__(self) -> None:
        self.ended = self.given = 0
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return self.pieces() if environ["PATH_INFO"] == "/long" else [environ["PATH_INFO"].encode()]

    def pieces(self) -> Iterator[bytes]:
        for number in range(PIECES):
            with self._lock:
                self.given += 1
            yield b"%08d" % number * (PIECE // 8)
        with self._lock:
            self.ended += 1


def expected() -> str:
    return hashlib.sha256(b"".join(Long().pieces())).hexdigest()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningEngine]]:
    running: list[RunningEngine] = []

    def make(app: Any, *, limit_bytes: int, slow_client_threads: int = 0) -> RunningEngine:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.listen(1024)
        spool = SpoolSettings(str(tmp_path), limit_bytes)
        settings = EngineSettings(2, spool=spool, slow_client_threads=slow_client_threads)
        running.append(RunningEngine(app, settings, sock))
        return running[-1]

    yield make
    for each in running:
        each.stop()


def slow_reader(engine: RunningEngine) -> Wire:
    wire = engine.connect()
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    wire.send(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
    return wire


def open_files(folder: Path) -> int:
    """How many files of `folder` this process holds open, named or not."""
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{fd}").startswith(f"{folder}/")
        except OSError:
            continue
    return found


def test_slow_readers_hold_no_thread(start: Callable[..., RunningEngine], tmp_path: Path) -> None:
    app = Long()
    engine = start(app, limit_bytes=1 << 30)
    readers = [slow_reader(engine) for _ in range(8)]
    # Two threads, eight clients that read nothing: every response is made to its end all the same.
    until(lambda: app.ended == len(readers), "the app has given all of its responses")
    quick = engine.connect()
    assert quick.get("/quick")[2] == b"/quick"
    quick.close()
    for reader in readers:
        assert hashlib.sha256(reader.reply()[2]).hexdigest() == expected()
        assert reader.get("/again")[2] == b"/again"
        reader.close()
    until(lambda: not open_files(tmp_path), "the files are gone")
    assert os.listdir(tmp_path) == []


def test_a_thread_steps_aside_for_its_slow_client(start: Callable[..., RunningEngine], tmp_path: Path) -> None:
    app = Long()
    engine = start(app, limit_bytes=1 << 30, slow_client_threads=16)
    readers = [slow_reader(engine) for _ in range(8)]
    threads = engine.engine.threads
    assert threads is not None
    until(lambda: threads.aside == len(readers), "every response waits for its client")
    # Nothing is made before somebody takes it, nothing is on disk, and two threads are free.
    assert (app.ended, open_files(tmp_path)) == (0, 0)
    # Nor has the kernel been given megabytes of each to keep.
    assert app.given * PIECE < len(readers) * 1_500_000
    quick = engine.connect()
    assert quick.get("/quick")[2] == b"/quick"
    quick.close()
    for reader in readers:
        assert hashlib.sha256(reader.reply()[2]).hexdigest() == expected()
        reader.close()
    until(lambda: (threads.aside, threads._live) == (0, 2), "the threads that were too many have ended")


def test_uploads_of_slow_clients_hold_no_thread_either(start: Callable[..., RunningEngine]) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [str(len(body)).encode()]

    # Longer than the spool takes, so the app begins before all of it is there.
    engine = start(app, limit_bytes=1 << 18, slow_client_threads=16)
    size = 1 << 20
    uploads = [engine.connect() for _ in range(5)]
    for upload in uploads:
        upload.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"x" * (size // 2))
    threads = engine.engine.threads
    assert threads is not None
    until(lambda: threads.aside == len(uploads), "every app waits for its client")
    quick = engine.connect()
    assert quick.get("/quick")[2] == b"0"
    quick.close()
    for upload in uploads:
        upload.send(b"x" * (size // 2))
        assert upload.reply()[2] == str(size).encode()
        upload.close()
    until(lambda: (threads.aside, threads._live) == (0, 2), "the threads that were too many have ended")


def counting(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Reads its request's body and tells how long it was."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [str(len(body)).encode()]


def test_more_slow_uploads_than_threads_may_wait_for_are_refused_and_others_served(
    start: Callable[..., RunningEngine],
) -> None:
    engine = start(counting, limit_bytes=1 << 18, slow_client_threads=4)
    size = 1 << 20
    uploads = [engine.connect() for _ in range(12)]
    for upload in uploads:
        upload.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"x" * (size // 2))
    threads = engine.engine.threads
    assert threads is not None
    until(lambda: threads.aside == 4, "as many wait as may")
    quick = engine.connect()
    assert quick.get("/quick")[2] == b"0"
    quick.close()
    answers = []
    for upload in uploads:
        upload.send(b"x" * (size // 2))
        code, fields, body = upload.reply()
        assert (code, body) == (200, str(size).encode()) or (code, fields["retry-after"]) == (503, "1")
        answers.append(code)
        upload.close()
    assert sorted(answers) == [200] * 4 + [503] * 8
    until(lambda: (threads.aside, threads._live) == (0, 2), "the threads that were too many have ended")
    again = engine.connect()
    again.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    assert again.reply()[2] == str(size).encode()
    again.close()


@pytest.mark.parametrize("slow_client_threads", [0, 4])
def test_bodies_that_are_never_sent_hold_no_thread(
    start: Callable[..., RunningEngine], slow_client_threads: int
) -> None:
    """Expect: 100-continue is for apps that look at the head first; with many such clients the server asks for their
    bodies itself, and takes them in as any others."""
    engine = start(counting, limit_bytes=1 << 20, slow_client_threads=slow_client_threads)
    asking = [engine.connect() for _ in range(20)]
    for wire in asking:
        wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    for wire in asking:
        assert wire.reply("HEAD")[0] == 100
    quick = engine.connect()
    assert quick.get("/quick")[2] == b"0"
    quick.close()
    for wire in reversed(asking):
        wire.send(b"hello")
        assert wire.reply()[::2] == (200, b"5")
        wire.close()
    threads = engine.engine.threads
    until(lambda: threads is not None and threads.promised == 0, "no thread is promised to anybody")


def test_without_room_the_thread_waits_for_its_client(start: Callable[..., RunningEngine], tmp_path: Path) -> None:
    app = Long()
    engine = start(app, limit_bytes=1 << 20)
    reader = slow_reader(engine)
    until(lambda: open_files(tmp_path), "a part of the response waits on disk")
    assert hashlib.sha256(reader.reply()[2]).hexdigest() == expected()
    assert app.ended == 1
    reader.close()


def test_a_reader_that_leaves_takes_its_file_with_it(start: Callable[..., RunningEngine], tmp_path: Path) -> None:
    app = Long()
    engine = start(app, limit_bytes=1 << 30)
    reader = slow_reader(engine)
    until(lambda: app.ended, "the app has given its response")
    assert open_files(tmp_path)
    reader.close()
    until(lambda: not open_files(tmp_path), "the file is gone")
    assert not engine.failures
