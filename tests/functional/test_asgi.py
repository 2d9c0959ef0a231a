"""ASGI apps in a real instance: over TCP, through starts and stops, and for the memory of its worker."""

from __future__ import annotations

import signal
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.functional.running import WAIT_S, Client, Master, Place, connect, get, text, wait_for

APP = """
import asyncio
import sys

EVENTS = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await PATHS[scope["path"].removeprefix(scope["root_path"])](scope, receive, send)

async def lifespan(receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    note("lifespan ended")
    await send({"type": "lifespan.shutdown.complete"})

def note(text):
    EVENTS.append(text)
    print(text, file=sys.stderr, flush=True)

async def answer(send, body):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})

async def hello(scope, receive, send):
    await answer(send, b"hello")

async def events(scope, receive, send):
    await answer(send, " ".join(EVENTS).encode())

async def ticks(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        while True:
            await send({"type": "http.response.body", "body": b"tick", "more_body": True})
            await asyncio.sleep(0.01)
    except OSError:
        note("send raised")
        raise
    finally:
        note("ticks ended")

async def large(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(2000):
        await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
    await send({"type": "http.response.body"})

async def upload(scope, receive, send):
    await GO_ON.wait()
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await answer(send, str(size).encode())

async def go_on(scope, receive, send):
    GO_ON.set()
    await answer(send, b"")

async def background(scope, receive, send):
    async def fails():
        raise KeyError("in the background")

    TASKS.append(asyncio.create_task(fails()))
    await answer(send, b"started")
    await asyncio.sleep(0)
    TASKS.clear()

async def waits(scope, receive, send):
    while (await receive())["type"] != "http.disconnect":
        pass
    note("told of the disconnect")

async def after(scope, receive, send):
    await answer(send, b"answered")
    await asyncio.sleep(1.5)
    note("work ended")

GO_ON = asyncio.Event()
TASKS = []
PATHS = {"/": hello, "/events": events, "/ticks": ticks, "/large": large, "/upload": upload, "/go_on": go_on,
         "/after": after, "/background": background, "/waits": waits}
"""
NEVER_STARTS = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await asyncio.sleep(1000)
"""
Start = Callable[..., Master]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.app("app", APP)
    return made


@pytest.fixture
def start(place: Place) -> Iterator[Start]:
    masters: list[Master] = []

    def make(server: str = "", routes: str = "/ = ../../apps/app") -> Master:
        place.site(server, routes=routes)
        masters.append(Master(place))
        return masters[-1].ready()

    yield make
    for master in masters:
        master.end()


def begin(address: str, path: str) -> socket.socket:
    """A request on its way."""
    sock = connect(address)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return sock


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_an_app_that_never_says_that_it_started_keeps_nobody_from_being_served(place: Place, start: Start) -> None:
    place.app("never", NEVER_STARTS)
    master = start("start_timeout = 2", "/ = ../../apps/app\n/never = ../../apps/never")
    assert text(master.address) == "hello"
    assert get(master.address, "/never")[0] == 503
    assert "did not answer lifespan.startup" in place.log("app")
    wait_for(lambda: "this app is not served: /never" in place.log("server"), "its line in the server's log")
    assert master.stop(signal.SIGQUIT) == 0


@pytest.mark.parametrize("threads", [0, 4])
def test_wsgi_beside_asgi(place: Place, start: Start, threads: int) -> None:
    place.answer("wsgi", "wsgi")
    master = start(f"threads = {threads}", "/ = ../../apps/app\n/wsgi = ../../apps/wsgi")
    client = Client(master.address)
    assert [client.get(path)[1] for path in ("/", "/wsgi", "/", "/wsgi")] == ["hello", "wsgi"] * 2
    client.close()


def test_the_failure_of_a_background_task_is_in_the_app_log(place: Place, start: Start) -> None:
    assert text(start().address, "/background") == "started"
    wait_for(lambda: "KeyError: 'in the background'" in place.log("app"), "the traceback")


@pytest.mark.parametrize("is_abrupt", [False, True])
def test_an_app_is_told_that_its_client_went(start: Start, is_abrupt: bool) -> None:
    master = start()
    for path in ("/waits", "/ticks"):
        sock = begin(master.address, path)
        if path == "/ticks":
            assert sock.recv(100)
        else:
            assert text(master.address) == "hello"
        if is_abrupt:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    for note in ("told of the disconnect", "send raised", "ticks ended"):
        wait_for(lambda note=note: note in text(master.address, "/events"), note)
    assert not master.place.log("app")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_stop_ends_requests_and_then_the_lifespan(place: Place, start: Start, number: signal.Signals) -> None:
    master = start()
    sock = begin(master.address, "/ticks")
    assert sock.recv(100)
    if number == signal.SIGQUIT:
        # It would be waited for until patience ends.
        sock.close()
        wait_for(lambda: "ticks ended" in text(master.address, "/events"), "the end of the stream")
    assert master.stop(number) == 0
    sock.close()
    notes = [line for line in place.log("stderr").splitlines() if "ended" in line]
    assert ["ticks ended" in notes[0], "lifespan ended" in notes[-1]] == [True, True]
    assert "Traceback" not in place.log("stderr") + place.log("app")


def test_a_graceful_stop_waits_for_work_after_the_response(place: Place, start: Start) -> None:
    master = start()
    assert text(master.address, "/after") == "answered"
    assert master.stop(signal.SIGQUIT) == 0
    notes = [line for line in place.log("stderr").splitlines() if "ended" in line]
    assert ["work ended" in notes[0], "lifespan ended" in notes[-1]] == [True, True]


def test_slow_readers_and_slow_apps_take_no_memory(start: Start) -> None:
    master = start("response_timeout = 60\nmax_client_body_size = 100m")
    [worker] = master.workers
    assert text(master.address) == "hello"
    before = rss_bytes(worker)
    slow = [begin(master.address, "/large") for _ in range(5)]
    uploads = [_upload(master.address, 50_000_000) for _ in range(5)]
    assert text(master.address) == "hello"
    assert rss_bytes(worker) - before < 30_000_000
    assert text(master.address, "/go_on") == ""
    for sock, left in uploads:
        sock.sendall(left)
        assert sock.recv(1000).endswith(b"50000000")
        sock.close()
    assert rss_bytes(worker) - before < 30_000_000
    for sock in slow:
        sock.close()


def _upload(address: str, size: int) -> tuple[socket.socket, bytes]:
    """As much of an upload as is taken from it, and the rest."""
    sock = connect(address)
    sock.sendall(f"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
    sock.settimeout(0.3)
    data = memoryview(bytes(size))
    with suppress(TimeoutError):
        while data:
            data = data[sock.send(data) :]
    assert data
    sock.settimeout(WAIT_S)
    return sock, bytes(data)
