"""Apps of Atila in a daemon, and under another server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from skitaid.atila import Atila
from tests.functional.running import WAIT_S, Client, Master, Place, free_port, wait_for

EXAMPLES = Path(__file__).parent / "atila_examples"
SERVER = "threads = 2"
ROUTES = f"/ = {EXAMPLES}/main.py\n/search = {EXAMPLES}/search.py"
MORE = "[/search]\nconfig.save_path = /data\nconfig.max_post_body_size = 1000\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    place = Place(tmp_path_factory.mktemp("atila"))
    upstream = free_port()
    alias = f"[@myupstream]\ntype = http\nmembers = 127.0.0.1:{upstream}\n"
    place.site(f"listen = 127.0.0.1:0, 127.0.0.1:{upstream}\n{SERVER}", routes=ROUTES, more=MORE + alias)
    master = Master(place)
    try:
        yield master.ready()
    finally:
        master.end()


def ask(site: Master, target: str, method: str = "GET", body: Any = None, **fields: str) -> Any:
    """Status, fields and text."""
    client = Client(site.address)
    try:
        client.request(method, target, body, fields)
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        client.close()


def port(site: Master) -> str:
    return site.address.rpartition(":")[2]


def test_hello(site: Master) -> None:
    status, fields, text = ask(site, "/")
    assert (status, text, fields["X-Same"], fields["Content-Length"]) == (200, "index", "True", "5")


def test_futures(site: Master) -> None:
    answer = json.loads(ask(site, f"/futures?port={port(site)}")[2])
    assert answer == {"status_code": [200, 200, 404], "url": "/futures"}


def test_futures_that_follow_each_other(site: Master) -> None:
    answer = json.loads(ask(site, f"/chained?port={port(site)}")[2])
    assert answer == {"last": [404], "b": 200, "status_code": [200]}


def test_a_coroutine_runs_on_the_loop(site: Master) -> None:
    assert json.loads(ask(site, f"/async?port={port(site)}")[2]) == {"text": "b", "thread": False}


def test_coroutines_hold_no_thread(site: Master) -> None:
    """Ten that wait for each other are answered, by an instance with two threads."""
    clients = [Client(site.address) for _ in range(10)]
    for client in clients[:9]:
        client.request("GET", "/async/together")
    assert ask(site, "/")[2] == "index"
    clients[9].request("GET", "/async/together")
    answers = [client.getresponse().read() for client in clients]
    for client in clients:
        client.close()
    assert answers == [b"together"] * 10


def test_a_coroutine_that_fails(site: Master) -> None:
    status, _, text = ask(site, "/async/failing")
    assert (status, "of the coroutine" in text) == (500, True)
    wait_for(lambda: "LookupError: of the coroutine" in site.place.log("app"), "the failure in app.log")


def test_a_failure_is_told_in_the_log_alone(site: Master) -> None:
    status, _, text = ask(site, "/search/fail")
    assert (status, "of the app" in text) == (500, False)
    wait_for(lambda: "LookupError: of the app" in site.place.log("app"), "the failure in app.log")


def test_a_file(site: Master) -> None:
    source = (EXAMPLES / "main.py").read_text()
    status, fields, text = ask(site, "/file")
    assert (status, text, fields["Content-Type"]) == (200, source, "text/plain")
    assert ask(site, "/file", "HEAD")[1]["Content-Length"] == str(len(source))
    assert ask(site, "/file", **{"If-Modified-Since": fields["Last-Modified"]})[0] == 304


def test_a_generator_knows_its_request(site: Master) -> None:
    assert ask(site, "/stream")[2] == "0,GET\n1,GET\n2,GET\n"


def test_what_the_conf_says_of_another_app(site: Master) -> None:
    url = "/search/query?q=Your%20Name"
    assert json.loads(ask(site, "/apps")[2]) == {"url": url, "same": url, "path": "/data", "limit": 1000}
    assert ask(site, url)[2] == "Your Name"


def test_what_another_server_answers(site: Master) -> None:
    status, fields, text = ask(site, "/passed/stream")
    assert (status, fields["Content-Type"], text) == (200, "text/csv", "0,GET\n1,GET\n2,GET\n")
    assert ask(site, "/passed/none")[0] == 404
    assert ask(site, "/passed/stream", "POST")[0] == 405


def test_bodies(site: Master) -> None:
    body = '{"a": "한"}'.encode()
    status, _, text = ask(site, "/echo", "POST", body, **{"Content-Type": "application/json"})
    assert (status, json.loads(text)) == (200, {"a": "한", "size": 12})
    chunked = iter([b'{"a":', b" 1}"])
    client = Client(site.address)
    client.request("POST", "/echo", chunked, {"Content-Type": "application/json"}, encode_chunked=True)
    assert json.loads(client.getresponse().read()) == {"a": 1, "size": 8}
    client.close()


def test_a_conf_that_an_app_can_not_use(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.site(SERVER, routes=ROUTES, more="[/search]\nconfig.max_post_body_size = big\n")
    master = Master(place)
    try:
        master.ready()
        assert ask(master, "/search/query?q=a")[0] == 500
        assert ask(master, "/")[2] == "index"
        assert "cannot be mounted: ValueError" in place.log("app")
    finally:
        master.end()


LEFTOVERS = {
    "text": 200, "stream": 200, "failure": 500, "coroutine": 200, "coroutine/failing": 500, "later": 200,
    "later/failing": 500, "none": 404,
}  # fmt: skip


def test_nothing_is_left_of_a_request(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.site(SERVER, routes=f"/ = {EXAMPLES}/leftovers.py")
    master = Master(place)
    try:
        master.ready()
        for path, status in LEFTOVERS.items():
            assert ask(master, f"/{path}")[0] == status, path
            wait_for(lambda: ask(master, "/left")[2] == "0", f"nothing to be left of /{path}")
    finally:
        master.end()


def test_the_beginning_and_the_end(tmp_path: Path) -> None:
    """With a server whose loop runs the apps."""
    place = Place(tmp_path)
    place.site("threads = 0", routes=ROUTES)
    master = Master(place)
    try:
        master.ready()
        assert ask(master, "/")[2] == "index"
        assert json.loads(ask(master, f"/async?port={port(master)}")[2]) == {"text": "b", "thread": False}
        assert "1 threads" in place.log("app")
        assert "it is over" not in place.log("app")
        assert master.stop() == 0
        assert "it is over" in place.log("app")
    finally:
        master.end()


def test_bootstrap_and_the_reloader(tmp_path: Path) -> None:
    """The app asks for the reloader itself."""
    place = Place(tmp_path)
    source = (
        "from atila import Atila\napp = Atila(__name__)\napp.use_reloader = True\n"
        "@app.route('/')\ndef index(was):\n    return f'ANSWER {app.config.urllist} {app.get_resource(\"a\", \"b\")}'\n"
    )
    (place.apps / "shop").mkdir()
    (place.apps / "urls").write_text("one\ntwo\n")
    place.app(
        "shop/__init__",
        "def bootstrap(pref):\n    with open(pref.config.urlfile) as f:\n"
        "        pref.config.urllist = f.read().split()\n",
    )
    place.app("shop/app", source.replace("ANSWER", "first"))
    more = f"[/shop]\nconfig.urlfile = {place.apps}/urls\n"
    place.site(SERVER, routes=f"/shop = {place.apps}/shop/app.py", more=more)
    master = Master(place)
    try:
        master.ready()
        assert ask(master, "/shop/")[2] == f"first ['one', 'two'] {place.apps}/shop/resources/a/b"
        place.app("shop/app", source.replace("ANSWER", "second"))
        wait_for(lambda: ask(master, "/shop/")[2].startswith("second"), "the app to be loaded anew", WAIT_S)
    finally:
        master.end()


def test_under_another_server() -> None:
    """wsgiref's knows nothing of us."""
    app = Atila(__name__)

    @app.route("/")
    async def index(was: Any) -> Any:
        was.g.name = "Hans"
        return f"{was.g.name} {was.ab('index')} {was.timestamp() > 0}"

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with urlopen(f"http://127.0.0.1:{server.server_port}/", timeout=WAIT_S) as answer:
            assert answer.read() == b"Hans / True"
        thread.join(WAIT_S)
        assert not thread.is_alive()
