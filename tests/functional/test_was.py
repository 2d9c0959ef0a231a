"""`was` in apps of every kind, on real masters."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.functional.running import Client, Master, Place, get, running, text, wait_for

BACKEND = """
import asyncio
import json

nth = 0

async def app(scope, receive, send):
    global nth
    nth += 1
    if scope["query_string"]:
        await asyncio.sleep(float(scope["query_string"]))
    body = json.dumps({"path": scope["path"], "nth": nth}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
"""

ASGI = """
import json
from skitai import was

async def answer(scope):
    path = scope["path"].removeprefix(scope["root_path"])
    if path == "/one":
        task = was.get("@back/a")
        result = await task
        return [result.status, result.data["path"], task.fetch()["path"], was.env["path"]]
    if path == "/several":
        return [each["path"] for each in (await was.Tasks([was.get("@back/a"), was.get("@back/b")])).fetch()]
    if path == "/thread":
        return (await was.Thread(lambda: was.env["path"])).fetch()
    if path == "/late":
        return (await was.get("@back/a", b"60", timeout=0.05)).status
    if path == "/blocks":
        return was.get("@back/a").fetch()
    if path == "/error":
        raise was.Error("404 Not Found", "nothing here")
    if path == "/failed":
        return (await was.get("http://127.0.0.1:1/")).fetch()

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    body = json.dumps(await answer(scope)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""

LOOP = """
from skitai import was

def app(environ, start_response):
    def respond(was, results):
        start_response("200 OK", [])
        return [",".join(each.data["path"] for each in results).encode()]

    if environ["PATH_INFO"] == "/blocks":
        return was.get("@back/a").fetch()
    return was.Tasks([was.get("@back/a"), was.get("@back/b")]).then(respond)
"""

PLAIN = """
import gc
import json
import os
import threading
import time
from skitai import was

was.register_states("sum")

def respond(was, results):
    return {"nth": [each.status_code for each in results]}

def census():
    kinds = ("Task", "HttpWork", "Flight", "ClusterExchange", "Call", "Stream")
    gc.collect()
    found = [type(each).__name__ for each in gc.get_objects() if type(each).__module__.startswith("skitaid")]
    return {"threads": threading.active_count(), "files": len(os.listdir("/proc/self/fd")),
            **{kind: found.count(kind) for kind in kinds}}

def some(number):
    was.get("@back/a").fetch()
    was.get("http://127.0.0.1:1/").dispatch()
    was.get("@back/a", b"60").dispatch(0)
    was.Tasks([was.get("@back/a"), was.Thread(len, "abc")]).fetch()
    was.get(f"@back/{number}").dispatch(5, 60)
    was.get("@back/a").returning(None)

def make(environ):
    path = environ["PATH_INFO"]
    if path == "/many":
        return sum(code == 200 for code in was.Tasks([was.get("@back/a") for _ in range(1000)], 30).dispatch().code)
    if path == "/some":
        for number in range(int(environ["QUERY_STRING"])):
            some(number % 20)
        return None
    if path == "/census":
        return census()
    if path == "/kept":
        was.Tasks([was.get("@back/kept").dispatch(5, 60) and was.Mask(1) for _ in range(3)])
        return was.get("@back/kept").fetch(5, 60)["nth"]
    if path == "/add":
        return os.getpid(), [was.addgs("sum") for _ in range(50)][-1]
    if path == "/sum":
        return was.getgs("sum")

def app(environ, start_response):
    if environ["PATH_INFO"] == "/later":
        return was.Tasks([was.get("@back/a", b"0.2"), was.get("@back/b")]).then(respond)
    body = json.dumps(make(environ)).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
"""


@pytest.fixture(scope="module")
def alias(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A section of a conf."""
    place = Place(tmp_path_factory.mktemp("backend"))
    place.app("app", BACKEND)
    place.site()
    with running(place) as master:
        yield f"[@back]\ntype = http\nmembers = {master.address}\n"


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory, alias: str) -> Iterator[Master]:
    place = Place(tmp_path_factory.mktemp("site"))
    place.app("plain", PLAIN)
    place.app("async_app", ASGI)
    place.site("threads = 2", routes="/ = ../../apps/plain\n/async = ../../apps/async_app", more=alias)
    with running(place) as found:
        yield found


def test_in_async_code(master: Master) -> None:
    ask = {path: json.loads(text(master.address, f"/async/{path}")) for path in ("one", "several", "thread", "late")}
    assert ask == {"one": [3, "/a", "/a", "/async/one"], "several": ["/a", "/b"], "thread": "/async/thread", "late": 1}


def test_errors_in_async_code(master: Master) -> None:
    assert get(master.address, "/async/error")[0] == 404
    assert get(master.address, "/async/failed")[0] == 502


def test_what_would_stop_the_loop_is_refused(master: Master) -> None:
    assert get(master.address, "/async/blocks")[0] == 500
    wait_for(lambda: "LoopThreadError" in master.place.log("app"), "what happened in the log")
    assert "`await task`" in master.place.log("app")
    assert text(master.address, "/async/several")


def test_without_threads(tmp_path: Path, alias: str) -> None:
    place = Place(tmp_path)
    place.app("app", LOOP)
    place.site("threads = 0", more=alias)
    with running(place) as master:
        clients = [Client(master.address) for _ in range(20)]
        for client in clients:
            client.request("GET", "/")
        assert {client.getresponse().read() for client in clients} == {b"/a,/b"}
        assert get(master.address, "/blocks")[0] == 500
        assert text(master.address) == "/a,/b"
        for client in clients:
            client.close()


def test_responses_that_come_later_hold_no_thread(master: Master) -> None:
    clients = [Client(master.address) for _ in range(20)]
    for client in clients:
        client.request("GET", "/later")
    # Two threads would be held for two seconds.
    assert text(master.address, "/sum") == "0"
    assert {client.getresponse().read() for client in clients} == {b'{"nth": [200, 200]}'}
    for client in clients:
        client.close()


def test_a_thousand_tasks_from_one_request(master: Master) -> None:
    assert text(master.address, "/many") == "1000"


def test_kept_results(master: Master) -> None:
    assert text(master.address, "/kept") == text(master.address, "/kept")


def census(master: Master) -> Any:
    return json.loads(text(master.address, "/census"))


def test_nothing_is_left_of_calls(master: Master) -> None:
    text(master.address, "/some?40")
    wait_for(lambda: census(master)["ClusterExchange"] == 0, "the end of all calls")
    before = census(master)
    text(master.address, "/some?400")

    surplus: dict[str, tuple[int, int]] = {}
    # Each of the four app threads keeps its last request until the next.
    slack = {"files": 10, "Call": 4, "Stream": 4}

    def is_as_before() -> bool:
        found = census(master)
        surplus.clear()
        surplus.update(
            {kind: (before[kind], found[kind]) for kind in before if found[kind] > before[kind] + slack.get(kind, 0)}
        )
        return not surplus

    with suppress(AssertionError):
        wait_for(is_as_before, "as it was")
    assert surplus == {}, "before, and now"


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: "T" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0], "the stop")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_workers_share_states(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.app("app", PLAIN)
    place.site("processes = 3")
    with running(place) as master:
        found = [json.loads(text(master.address, "/add")) for _ in range(9)]
        # The kernel may have one worker answer whoever comes alone: it has to leave that to another for once.
        with stopped(found[-1][0]):
            found.append(json.loads(text(master.address, "/add")))
        pids = {pid for pid, _ in found}
        assert len(pids) > 1, "one worker answered every time"
        assert os.getpid() not in pids
        assert int(text(master.address, "/sum")) == 50 * len(found) == found[-1][1]
