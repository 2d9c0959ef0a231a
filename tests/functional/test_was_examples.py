"""The examples of the documents about `was`, typed in as apps, on a real master: each does what its text says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from signal import SIGQUIT
from typing import Any

import pytest

from tests.functional.running import Client, Master, Place, get, running, text, wait_for

EXAMPLES = Path(__file__).parent / "was_examples"

pytest.importorskip("flask")


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    """Three members."""
    place = Place(tmp_path_factory.mktemp("backend"))
    server = "listen = 127.0.0.1:0, 127.0.0.2:0, 127.0.0.3:0\nthreads = 16\ntrusted = 127.0.0.1"
    place.site(server, routes=f"/ = {EXAMPLES}/backend")
    with running(place) as master:
        yield master


@pytest.fixture(scope="module")
def conf(backend: Master) -> str:
    one, three = backend.addresses[0], ", ".join(backend.addresses)
    members = {"myapi": one, "delune": one, "myupstream": one, "one": one, "mysearch": three}
    return "".join(f"[@{name}]\ntype = http\nmembers = {each}\n" for name, each in members.items())


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory, conf: str) -> Iterator[Master]:
    place = Place(tmp_path_factory.mktemp("site"))
    routes = "\n".join(
        f"/{name} = {EXAMPLES}/{name}" for name in ("requests", "clusters", "older", "background", "states")
    )
    place.site("threads = 4", routes=routes, more=conf)
    with running(place) as master:
        yield master


@pytest.fixture
def ask(master: Master) -> Any:
    return lambda path: json.loads(text(master.address, path))


def answered(master: Master, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    client = Client(master.address)
    client.request(method, path)
    response = client.getresponse()
    body = response.read().decode()
    client.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


# ---------------------------------------------------------------- requests


def test_basic(ask: Any) -> None:
    assert ask("/requests/")["path"] == "/v1/some-resources/100"
    assert ask("/requests/rpc") == 3
    assert [each["method"] for each in ask("/requests/tasks")] == ["GET", "POST"]
    assert ask("/requests/mask") == [1, 1, 2]


def test_a_task_and_a_response_that_does_not_wait(master: Master) -> None:
    assert answered(master, "/requests/returning")[::2] == (202, "202 Accepted")


def test_calling_an_api(ask: Any, master: Master) -> None:
    assert ask("/requests/one")["result"] == "ok"
    first, second = ask("/requests/two")
    assert (first["method"], json.loads(second["body"])) == ("GET", {"user": "Hans Roh", "comment": "Hello"})
    assert (second["type"], second["accept"]) == ("application/json", "application/json")
    assert ask("/requests/response") == [200, "OK", "application/json", "ok"]
    assert ask("/requests/fetch")["result"] == "ok"
    assert get(master.address, "/requests/or_throw")[0] == 404
    assert text(master.address, "/requests/headers") == "<told>Title=...&Content=...</told>"
    assert ask("/requests/methods") == ["GET", "DELETE", "POST", "PUT", "PATCH", "POST", "OPTIONS"]


def test_tasks(ask: Any) -> None:
    found = ask("/requests/pack")
    assert (found["a"]["method"], found["b"]["method"]) == ("GET", "POST")
    assert ask("/requests/pack/more") == {"codes": [200] * 4, "meta": {"user": "Hans"}, "first": "ok"}


def test_calling_rpc(ask: Any) -> None:
    assert ask("/requests/stub") == ["0.29", "0.29"]


def test_as_many_as_you_need(ask: Any) -> None:
    upload, *others = ask("/requests/many")
    assert "'method': 'POST'" in upload
    assert others == ["Error", "0.29", "0.29"]


# ---------------------------------------------------------------- clusters


def test_load_balancing(ask: Any, backend: Master) -> None:
    found = [each for _ in range(3) for each in ask("/clusters/search")]
    assert {each.partition("@")[0] for each in found} == {"Mozart"}
    ports = [address.rpartition(":")[2] for address in backend.addresses]
    assert {each.partition("@")[2] for each in found} == set(ports)


def test_map_reducing(ask: Any, backend: Master) -> None:
    expected = [f"Bach@{address.rpartition(':')[2]}" for address in backend.addresses]
    assert ask("/clusters/search/all?keyword=Bach") == expected


def test_caching(ask: Any, master: Master, backend: Master) -> None:
    first = ask("/clusters/cached")
    assert ask("/clusters/cached") == first
    assert json.loads(get(master.address, "/clusters/refreshed")[1]) == first
    refreshed = json.loads(answered(master, "/clusters/refreshed", "POST")[2])
    assert refreshed["nth"] > first["nth"]
    assert ask("/clusters/cached") == ask("/clusters/older") == refreshed
    everyone = ask("/clusters/cached/all")
    assert len({each["port"] for each in everyone}) == 3
    assert ask("/clusters/cached/all") == everyone
    assert ask("/clusters/cached/codes") == ask("/clusters/cached/codes") == 1


def test_caching_in_the_older_form(ask: Any) -> None:
    everyone = ask("/clusters/older/all")
    assert ask("/clusters/older/all") == everyone
    assert ask("/clusters/older/reraise") == ask("/clusters/older/reraise") == 1


# ---------------------------------------------------------------- older


def test_requests_of_the_older_documents(ask: Any, master: Master, backend: Master) -> None:
    assert ask("/older/req") == ["1.0", "1.1"]
    assert text(master.address, "/older/template") == "200 /slow"
    url = f"http://{backend.address}/some"
    assert ask(f"/older/get?url={url}")["path"] == "/some"
    assert get(master.address, f"/older/get?url=http://{backend.address}/status/410")[0] == 410
    assert get(master.address, "/older/get?url=http://127.0.0.1:1/")[0] == 502
    assert ask("/older/prime") == 10007
    assert ask("/older/auth") == [200, 10007]
    assert ask("/older/json") == {"keyword": "snowboard binding"}


def test_three_are_waited_for_that_are_under_way_together(ask: Any) -> None:
    """Two of them are answered only when both have come."""
    assert ask("/older/three") == [["1.0", "1.1"], 200, 200]


def test_posts_and_uploads_of_the_older_documents(ask: Any) -> None:
    posted, uploaded = ask("/older/post")
    assert json.loads(posted["body"]) == {"user": "Hans Roh", "comment": "Hello"}
    assert uploaded["type"].startswith("multipart/form-data")
    assert (EXAMPLES / "logo.png").read_bytes().decode("latin-1") in uploaded["body"]
    first, second = ask("/older/form")
    assert first["body"] == second["body"] == "user=Hans+Roh&comment=Hello"


# ---------------------------------------------------------------- background


def test_background_tasks(master: Master, ask: Any) -> None:
    for path in ("/background/accepted", "/background/accepted/two", "/background/process/accepted"):
        status, fields, _ = answered(master, path)
        assert (status, fields["content-location"]) == (202, "/later")
    status, fields, body = answered(master, "/background/process")
    assert (status, fields["content-type"], body) == (200, "application/vnd-example", "0")
    assert answered(master, "/background/thread/accepted")[0] == 202
    wait_for(lambda: ask("/background/done") == [["thread", "was.Thread"]], "the end of the thread's task")
    assert text(master.address, "/background/subprocess") == "done\n"


def test_futures(ask: Any) -> None:
    assert ask("/background/futures") == {"status_code": [200, 200]}
    assert ask("/background/futures/named") == {"path": "/stock", "announcements": "ok"}
    expected = {"b": 200, "status_code": [200, 200], "status_code_db": [200]}
    assert ask("/background/futures/chained") == expected


def test_proxypass(ask: Any, master: Master) -> None:
    assert ask("/background/proxy/css/a.css?b=1")["path"] == "/css/a.css"
    assert get(master.address, "/background/proxy/status/404")[0] == 404
    assert answered(master, "/background/proxy/x", "POST")[0] == 405


# ---------------------------------------------------------------- states


def test_a_cache_that_knows_of_changes(ask: Any, master: Master) -> None:
    for path in ("/states/query1", "/states/query2"):
        first = ask(path)
        assert ask(path) == first
        assert text(master.address, "/states/update") == "updated"
        assert ask(path) == ask(path) == first + 1


def test_state_sharing(ask: Any, master: Master) -> None:
    assert ask("/states/current") == ask("/states/current") == 1
    assert [json.loads(answered(master, "/states/nodes", method)[2]) for method in ("POST", "POST", "DELETE")] == [
        1, 2, 1,
    ]  # fmt: skip


def test_utilities(ask: Any, master: Master) -> None:
    folder, exists, has_table = ask("/states/utilities")
    assert folder.startswith(str(master.place.root))
    assert (exists, has_table) == (False, True)
    assert "Promise Sent" in text(master.address, "/states/push")


def test_logs(master: Master) -> None:
    assert text(master.address, "/states/log") == "done"
    log = master.place.log("app")
    ids = re.search(r"\[info:(GTID-C[0-9a-f]+-R\d+/1000)\] called index", log)
    assert ids is not None
    assert f"[error:{ids[1]}] exception occured" in log
    assert f"[expt:{ids[1]}] LookupError: nothing there" in log
    assert "[expt:bp1] LookupError: nothing there" in log


def test_transaction_ids(ask: Any, master: Master, backend: Master) -> None:
    (gtxnid, ltxnid), *calls = ask("/states/ids")
    assert ltxnid == "1000"
    assert calls == [[gtxnid, "2001"], [gtxnid, "2002"]]

    def logged() -> bool:
        return all(f"{gtxnid} {each}" in backend.place.log("request") for each in ("2001", "2002"))

    wait_for(logged, "the lines of both calls")
    wait_for(lambda: f"{gtxnid} 1000" in master.place.log("request"), "the line of the request")


def test_restart_and_shutdown(tmp_path: Path, conf: str) -> None:
    place = Place(tmp_path)
    place.site("processes = 2", routes=f"/states = {EXAMPLES}/states", more=conf)
    with running(place) as master:
        before = set(master.workers)
        for _ in range(8):
            answered(master, "/states/nodes", "POST")
        assert text(master.address, "/states/restart") == "restarting"
        wait_for(lambda: len(master.workers) == 2 and before.isdisjoint(master.workers), "new workers")
        # A reload keeps states, which all workers share.
        assert json.loads(answered(master, "/states/nodes", "POST")[2]) == 9
        assert text(master.address, "/states/shutdown") == "stopping"
        assert master.ended() == 0
        assert "an app asks for a shutdown" in place.log("server")


LATE_APP = """
import time
from skitai import was

def work():
    time.sleep(0.5)
    open({done!r}, "w").close()

def app(environ, start_response):
    start_response("202 Accepted", [])
    return was.Thread(work).returning([b""])
"""


def test_what_is_under_way_ends_before_the_worker_does(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = tmp_path / "done"
    place.app("app", LATE_APP.format(done=str(done)))
    place.site()
    with running(place) as master:
        assert get(master.address)[0] == 202
        assert master.stop(SIGQUIT) == 0
        assert done.exists()
