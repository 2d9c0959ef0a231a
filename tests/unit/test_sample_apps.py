"""The sample's apps, called directly as WSGI apps, with wsgiref.validate around each."""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import urlencode
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

ETC = Path(__file__).parents[2] / "etc" / "skitaid"
SAMPLE = ETC / "sample"
APPS = ("front", "hello", "guestbook", "live", "host", "flask_site", "desk")
LINE = (
    '2026.03.05 10:20:3{second} 192.0.2.7 site.example GET /shop?token=hidden HTTP/1.1 0 200 512 gtxn-1 1000 "ada" '
    'bearer-secret "http://other/\\"x y" "Mozilla/5.0 (X11)" 198.51.100.1 W0 3 12 0\n'
)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Client:
    """Calls an app as a strict WSGI server would."""

    app: WSGIApplication
    mount: str = ""

    def __call__(self, method: str = "GET", path: str = "/", *, body: bytes = b"", **more: str) -> Reply:
        environ: dict[str, object] = {"REQUEST_METHOD": method, "SCRIPT_NAME": self.mount, "QUERY_STRING": ""}
        environ |= {"PATH_INFO": path.encode().decode("latin-1"), "HTTP_HOST": "127.0.0.1:5000"}
        if body:
            environ |= {"CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": str(len(body))}
        environ |= {"wsgi.input": io.BytesIO(body), **more}
        setup_testing_defaults(environ)
        heads: list[tuple[str, dict[str, str]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            heads.append((status, dict(headers)))
            return lambda data: None

        result = validator(self.app)(environ, start_response)  # type: ignore[arg-type]
        try:
            sent = b"".join(result)
        finally:
            result.close()  # type: ignore[attr-defined]
        (status, headers) = heads[-1]
        return Reply(int(status[:3]), headers, sent)

    def post(self, *, headers: dict[str, str] | None = None, **fields: str) -> Reply:
        return self("POST", body=urlencode(fields).encode(), **(headers or {}))


ClientOf = Callable[[str], Client]


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """The sample's modules by name; nothing of them is left in this process afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(SAMPLE))
    names = [path.stem for path in SAMPLE.glob("*.py") if path.stem != "flask_site"]
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(SAMPLE))
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == SAMPLE:
            del sys.modules[name]


@pytest.fixture
def client(modules: dict[str, ModuleType]) -> ClientOf:
    """Makes a client for the app of a module: `client("hello")`."""

    def of(name: str) -> Client:
        if name == "flask_site":
            pytest.importorskip("flask", reason="Flask is not installed; `make venv` installs it")
        mount = {"front": "", "host": "", "flask_site": "/flask"}.get(name, f"/{name}")
        return Client(importlib.import_module(name).app, mount)

    return of


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an instance as skitaid would tell the apps: conf, log and data."""
    for folder in ("servers-enabled", "log", "data"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("SKITAID_INSTANCE", "sample")
    monkeypatch.setenv("SKITAID_ETC", str(tmp_path))
    monkeypatch.setenv("SKITAID_LOG_PATH", str(tmp_path / "log"))
    monkeypatch.setenv("SKITAID_VAR_PATH", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SKITAID_")]:
        monkeypatch.delenv(name)


# ---------------------------------------------------------------- each app


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", APPS)
def test_head_has_the_headers_of_get_and_no_body(name: str, client: ClientOf) -> None:
    got, head = client(name)(), client(name)("HEAD")
    assert got.status == head.status == 200
    assert len(got.body) == int(got.headers["Content-Length"]) == int(head.headers["Content-Length"])
    assert head.body == b""


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_answered_405_with_what_is_allowed(name: str, method: str, client: ClientOf) -> None:
    reply = client(name)(method)
    assert reply.status == 405
    assert {"GET", "HEAD"} <= set(re.split(", *", reply.headers["Allow"]))


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", [name for name in APPS if name != "hello"])
def test_an_unknown_path_is_404_and_cannot_inject_markup(name: str, client: ClientOf) -> None:
    reply = client(name)("GET", "/<script>é")
    assert reply.status == 404
    assert "<script>é" not in reply.text


@pytest.mark.usefixtures("no_site")
@pytest.mark.parametrize("name", ["front", "live", "desk"])
def test_without_skitaid_the_page_says_so(name: str, client: ClientOf) -> None:
    reply = client(name)()
    assert reply.status == 200
    assert "without skitaid" in " ".join(reply.text.split())


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", ["front", "guestbook", "host", "desk"])
def test_pages_need_nothing_from_elsewhere_and_nothing_inline(name: str, client: ClientOf) -> None:
    reply = client(name)()
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert not re.search(r"<style|<script(?! src=\"/)| style=| on\w+=|src=\"(?!/)", reply.text)


def test_a_name_below_hello_is_greeted(client: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREETING", "Servus")
    reply = client("hello")("GET", "/<b>Jörg")
    assert "<h1>Servus, &lt;b&gt;Jörg</h1>" in reply.text


def test_the_virtual_host_knows_the_name_that_was_asked_for(client: ClientOf) -> None:
    reply = client("host")(HTTP_HOST="blue.sample.localhost:5000")
    assert "You asked for “blue”" in reply.text
    assert "<h1>A virtual host</h1>" in client("host")(HTTP_HOST="sample.localhost").text


def test_flask_makes_links_below_its_mount(client: ClientOf) -> None:
    flask = client("flask_site")
    assert 'href="/flask/add/2/3"' in flask().text
    assert json.loads(flask("GET", "/add/2/3").body) == {"first": 2, "second": 3, "sum": 5}


# ---------------------------------------------------------------- the front page


def test_the_front_page_shows_each_line_of_the_conf_and_where_it_stands(site: Path, client: ClientOf) -> None:
    conf = site / "servers-enabled" / "sample.conf"
    conf.write_text("[server]\nport = 1\n[routes:line]\n/ = a\n/mine = ../b:x ; comment\n: .sample.localhost\n/ = c\n")
    text = client("front")().text
    for line, where in (("/ = a", 4), ("/mine = ../b:x", 5), ("/ = c", 7)):
        assert re.search(rf"<code>{re.escape(line)}</code>\s*<span class=\"where\">sample.conf:{where}<", text)
    assert 'href="/mine/"' in text
    assert 'href="http://sample.localhost:5000/"' in text
    conf.write_text("[routes:line]\n/other = d\n")
    assert "/mine" not in client("front")().text


def test_the_front_page_knows_every_line_of_the_sample_conf(client: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKITAID_ETC", str(ETC))
    monkeypatch.setenv("SKITAID_INSTANCE", "sample")
    text = client("front")().text
    assert text.count('class="where"') == 9
    assert "A line of your own." not in text
    for title in ("Plain WSGI", "Flask", "Guestbook", "Atila", "Static files", "Virtual host"):
        assert f">{title}</a>" in text


def test_the_front_page_still_links_when_the_conf_cannot_be_read(site: Path, client: ClientOf) -> None:
    text = client("front")().text
    assert 'href="/guestbook/"' in text
    assert f"The lines of {site}" in text


def test_routes_are_read_from_their_section_alone(modules: dict[str, ModuleType]) -> None:
    text = "\ufeff; no\n[/x]\n/ = 1\n[routes:line]\r\n; / = 2\n  /a/b = c = d  ; e\n@ one two\n/ = f\nx\n[@x]\n/ = g\n"
    found = modules["conf_lines"].read_routes(text)
    assert [(route.number, route.host, route.path, route.target) for route in found] == [
        (6, "default", "/a/b", "c = d"),
        (8, "one two", "/", "f"),
    ]


# ---------------------------------------------------------------- the live view


def ask(live: Client, since: str = "") -> tuple[list[dict[str, str]], str, str]:
    answer = json.loads(live(QUERY_STRING=f"since={since}" if since else "").body)
    return answer["entries"], answer["position"], answer["note"]


def test_the_live_view_goes_on_where_it_was(site: Path, client: ClientOf) -> None:
    log, live = site / "log" / "request.log", client("live")
    log.write_text(LINE.format(second=1) + LINE.format(second=2))
    entries, position, _ = ask(live)
    assert [entry["time"] for entry in entries] == ["10:20:31", "10:20:32"]
    assert ask(live, position) == ([], position, "")
    with log.open("a") as file:
        file.write(LINE.format(second=3) + LINE.format(second=4)[:30])
    entries, position, _ = ask(live, position)
    assert [entry["time"] for entry in entries] == ["10:20:33"]
    with log.open("a") as file:
        file.write(LINE.format(second=4)[30:])
    assert [entry["time"] for entry in ask(live, position)[0]] == ["10:20:34"]


def test_the_live_view_finds_the_new_file_after_rotation(site: Path, client: ClientOf) -> None:
    log, live = site / "log" / "request.log", client("live")
    log.write_text(LINE.format(second=1))
    _, position, _ = ask(live)
    log.rename(site / "log" / "request.log.1")
    log.write_text(LINE.format(second=2))
    entries, position, _ = ask(live, position)
    assert [entry["time"] for entry in entries] == ["10:20:32"]
    log.write_text("")
    assert ask(live, position)[0] == []


def test_a_long_log_is_shown_from_its_end_and_in_whole_lines(site: Path, client: ClientOf) -> None:
    log, live = site / "log" / "request.log", client("live")
    log.write_text(LINE.format(second=1) * 1000 + LINE.format(second=9))
    entries, position, _ = ask(live)
    assert 1 < len(entries) < 100
    assert entries[-1]["time"] == "10:20:39"
    assert position.endswith(f"-{log.stat().st_size}")
    assert ask(live, f"{log.stat().st_ino}-0")[0] == entries


def test_the_live_view_tells_nothing_private(site: Path, client: ClientOf) -> None:
    (site / "log" / "request.log").write_text(LINE.format(second=1))
    body = client("live")().text
    assert json.loads(body)["entries"] == [{
        "time": "10:20:31", "host": "site.example", "method": "GET", "path": "/shop", "status": "200",
        "reply_bytes": "512", "worker": "W0", "handling_ms": "12",
    }]  # fmt: skip
    for private in ("hidden", "192.0.2.7", "198.51.100.1", "bearer-secret", "ada", "Mozilla"):
        assert private not in body


@pytest.mark.parametrize("since", ["x", "1-", "-", "1-2-3", "1-²", "9" * 60, "%00", "1-" + "9" * 30])
def test_a_position_that_makes_no_sense_starts_anew(since: str, site: Path, client: ClientOf) -> None:
    (site / "log" / "request.log").write_text(LINE.format(second=1))
    assert len(ask(client("live"), since.encode().decode("latin-1"))[0]) == 1


def test_the_log_line_is_the_one_that_the_engine_writes(modules: dict[str, ModuleType]) -> None:
    request = importlib.import_module("skitaid.logs.request")
    record = (0.0, "::1", "a", "GET", "/a b?q", "1.1", 7, 404, 9, "g", "l", 'u "v', None, None, "x y", None, 1, 5.4, 0)
    entry = modules["request_log"].entry_of(request.line_formatter("W3")(record).rstrip("\n"))
    shown = (entry.host, entry.method, entry.path, entry.status, entry.reply_bytes, entry.worker, entry.handling_ms)
    assert shown == ("a", "GET", "/a\\x20b", "404", "9", "W3", "5")


@pytest.mark.usefixtures("site")
def test_a_log_that_is_not_there_is_told(client: ClientOf) -> None:
    assert "request.log is not there yet" in ask(client("live"))[2]


# ---------------------------------------------------------------- the guestbook


@pytest.mark.usefixtures("site")
def test_an_entry_is_shown_after_a_redirect_and_escaped(client: ClientOf) -> None:
    book = client("guestbook")
    reply = book.post(name="<b>Ada</b>", message="<script>alert(1)</script>\r\n& \"two\" 'lines'")
    assert (reply.status, reply.headers["Location"]) == (303, "/guestbook/#entries")
    text = book().text
    assert "<strong>&lt;b&gt;Ada&lt;/b&gt;</strong>" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\n&amp; &#34;two&#34; &#39;lines&#39;" in text
    assert "One entry" in text


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": " ", "message": "x"}, "give a name"),
        ({"name": "x"}, "message is empty"),
        ({"name": "x" * 61, "message": "x"}, "61 characters; 60 fit"),
        ({"name": "x", "message": "ü" * 1001}, "1001 characters; 1000 fit"),
    ],
)
def test_what_does_not_fit_is_told_and_what_was_typed_stays(
    fields: dict[str, str], told: str, client: ClientOf
) -> None:
    reply = client("guestbook").post(**fields)
    assert reply.status == 422
    assert told in reply.text
    assert 'role="alert"' in reply.text
    assert f'value="{fields["name"].strip()}"' in reply.text
    assert "No entries yet" in reply.text


@pytest.mark.usefixtures("site")
def test_the_longest_entry_fits(client: ClientOf) -> None:
    book = client("guestbook")
    assert book.post(name="𝔄" * 60, message="🎿" * 1000).status == 303
    assert "🎿" * 1000 in book().text


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("changes", "body", "status"),
    [
        ({"CONTENT_LENGTH": "20000"}, b"name=x&message=y", 413),
        ({"CONTENT_LENGTH": "9" * 4000}, b"name=x&message=y", 413),
        ({"CONTENT_LENGTH": ""}, b"name=x&message=y", 411),
        ({"CONTENT_TYPE": "text/plain"}, b"name=x&message=y", 415),
        ({}, b"name=%ff&message=y", 400),
        ({}, b"\xff", 400),
        ({}, b"&".join([b"a=b"] * 20), 400),
        ({"HTTP_ORIGIN": "http://evil.example"}, b"name=x&message=y", 403),
        ({"HTTP_ORIGIN": "null"}, b"name=x&message=y", 403),
        ({"HTTP_SEC_FETCH_SITE": "cross-site"}, b"name=x&message=y", 403),
        ({"HTTP_SEC_FETCH_SITE": "same-site"}, b"name=x&message=y", 403),
        ({"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "https://outside"}, b"name=x&message=y", 303),
        ({"HTTP_ORIGIN": "http://127.0.0.1:5000"}, b"name=x&message=y", 303),
    ],
)
def test_only_the_own_form_is_taken(changes: dict[str, str], body: bytes, status: int, client: ClientOf) -> None:
    book = client("guestbook")
    assert book("POST", body=body, **changes).status == status
    assert ("One entry" in book().text) == (status == 303)


@pytest.mark.usefixtures("no_site")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_guestbook_without_a_folder_is_closed(method: str, client: ClientOf) -> None:
    reply = client("guestbook")(method, body=b"name=x&message=y" if method == "POST" else b"")
    assert reply.status == 503
    assert "no folder to keep entries in" in reply.text
    assert "<form" not in reply.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_guestbook_that_is_no_database_is_told(method: str, site: Path, client: ClientOf) -> None:
    (site / "data" / "guestbook.db").write_text("not a database, but long enough to be looked at" * 100)
    reply = client("guestbook")(method, body=b"name=x&message=y" if method == "POST" else b"")
    assert reply.status == 503
    assert "cannot be used: file is not a database" in reply.text


def test_writers_at_the_same_time_lose_nothing(site: Path, modules: dict[str, ModuleType]) -> None:
    store = modules["guestbook_store"].Store(site / "data")
    together = threading.Barrier(6)
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        together.wait(30)  # so that the file is made by all of them at once
        try:
            for number in range(10):
                store.add(f"writer {writer}", str(number))
        except BaseException as error:  # noqa: BLE001 - handed to the test, which asserts there is none
            failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    written = {(entry.name, entry.message) for entry in store.newest(100)}
    assert written == {(f"writer {writer}", str(number)) for writer in range(6) for number in range(10)}


def test_the_oldest_entries_make_room(
    site: Path, modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules["guestbook_store"], "_KEEP_ENTRIES", 3)
    store = modules["guestbook_store"].Store(site / "data")
    for number in range(5):
        store.add("x", str(number))
    assert [entry.message for entry in store.newest(10)] == ["4", "3", "2"]
    assert store.count() == 3


# ---------------------------------------------------------------- the files beside the apps


def test_pages_stay_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (SAMPLE / "static").iterdir()}
    assert {"style.css", "live.js", "logo.svg", "index.html"} <= set(sizes)
    assert sum(sizes.values()) < 20_000
