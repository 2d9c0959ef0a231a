"""The sample's Atila app, as a browser and as a program use it."""

from __future__ import annotations

import importlib
import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.atila.browser import Browser, Reply

SAMPLE = Path(__file__).parents[2] / "etc" / "skitaid" / "sample"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKITAID_VAR_PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def modules(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The sample's modules by name; nothing of them is left in this process afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(SAMPLE))
    yield {name: importlib.import_module(name) for name in ("desk", "desk_files")}
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == SAMPLE:
            del sys.modules[name]


@pytest.fixture
def browser(modules: dict[str, ModuleType]) -> Browser:
    return Browser(modules["desk"].app, mount="/desk")


def token_of(reply: Reply) -> str:
    match = re.search(r'name="XSRF_TOKEN" value="([^"]+)"', reply.text)
    assert match is not None
    return match[1]


def sign_in(browser: Browser, name: str = "Ada", password: str = "desk") -> Reply:
    form = {"XSRF_TOKEN": token_of(browser.get("/sign-in")), "name": name, "password": password}
    return browser.post("/sign-in", form)


def put(browser: Browser, name: str, content: bytes = b"hello") -> Reply:
    token = token_of(browser.get("/")).encode()
    return browser.upload("/files", [("XSRF_TOKEN", None, token), ("file", name, content)])


def test_who_signs_in_is_greeted_once_and_escaped(browser: Browser) -> None:
    reply = sign_in(browser, " <b>Ada</b> ")
    assert (reply.status, reply["Location"]) == (303, "/desk/")
    assert "Welcome, &lt;b&gt;Ada&lt;/b&gt;." in browser.get("/").text
    text = browser.get("/").text
    assert "Welcome" not in text
    assert "Sign out &lt;b&gt;Ada&lt;/b&gt;" in text


@pytest.mark.parametrize("name, password", [("Ada", "wrong"), (" ", "desk")])
def test_who_does_not_fit_is_told_and_what_was_typed_stays(browser: Browser, name: str, password: str) -> None:
    reply = sign_in(browser, name, password)
    assert reply.status == 200
    assert 'role="alert">That did not fit.' in reply.text
    assert f'value="{name}"' in reply.text
    assert "Sign out" not in browser.get("/").text


def test_who_signs_out_is_out(browser: Browser) -> None:
    sign_in(browser)
    assert browser.post("/sign-out", {"XSRF_TOKEN": "forged"}).status == 303
    assert "Sign out" in browser.get("/").text
    browser.post("/sign-out", {"XSRF_TOKEN": token_of(browser.get("/"))})
    assert "Sign in" in browser.get("/").text


def test_a_file_is_put_down_and_taken_away(browser: Browser, data: Path) -> None:
    sign_in(browser)
    for _ in range(2):
        assert put(browser, "../my_notes ü.txt").status == 303
    assert "my_notes ü.1.txt lies on the desk." in browser.get("/").text
    assert {path.name for path in (data / "desk").iterdir()} == {"my_notes ü.txt", "my_notes ü.1.txt"}
    (link,) = re.findall(r'<a href="/desk(/files/my_notes%20%C3%BC.txt)">my_notes ü.txt</a>', browser.get("/").text)
    reply = browser.get(link)
    assert (reply.body, reply["Content-Type"]) == (b"hello", "application/octet-stream")
    assert reply["Content-Disposition"].startswith("attachment; ")
    form = {"XSRF_TOKEN": token_of(browser.get("/"))}
    assert browser.post("/remove/my_notes ü.txt", form).status == 303
    assert browser.get(link).status == 404


def test_who_is_not_signed_in_is_asked_to(browser: Browser, data: Path) -> None:
    reply = browser.upload("/files", [("file", "a.txt", b"x")])
    assert (reply.status, reply["Location"]) == (303, "/desk/sign-in")
    assert "Please sign in first." in browser.get("/sign-in").text
    assert browser.post("/remove/a.txt").status == 303
    assert not (data / "desk").exists()


def test_a_form_of_another_site_is_refused(browser: Browser, data: Path) -> None:
    sign_in(browser)
    assert browser.upload("/files", [("file", "a.txt", b"x")]).status == 400
    assert browser.post("/remove/a.txt", {"XSRF_TOKEN": "forged"}).status == 400
    assert not (data / "desk").exists()


@pytest.mark.parametrize("name", ["../desk.key", "..", ".", "", "%2e%2e/desk.key", "missing"])
def test_nothing_but_the_files_is_handed_out(browser: Browser, name: str) -> None:
    sign_in(browser)
    put(browser, "a.txt")
    assert browser.get(f"/files/{name}").status == 404


def test_what_is_too_large_or_too_many_is_told(browser: Browser) -> None:
    sign_in(browser)
    reply = put(browser, "large.bin", b"x" * ((1 << 20) + 1))
    assert reply.status == 413
    assert "a file of more than 1048576 bytes" in reply.text
    for number in range(20):
        assert put(browser, f"{number}.txt").status == 303
    reply = put(browser, "one-more.txt")
    assert reply.status == 409
    assert "20 files on the desk, which is all that it holds" in reply.text


def test_no_file_chosen(browser: Browser) -> None:
    sign_in(browser)
    assert put(browser, "", b"").status == 303
    assert "Choose a file first." in browser.get("/").text


def test_a_program_gets_a_token_and_sends_a_file(browser: Browser) -> None:
    basic = "Basic " + b64encode(b"ada:desk").decode()
    assert browser.post("/api/token").status == 401
    token = browser.post("/api/token", authorization=basic).json["token"]
    parts: list[tuple[str, str | None, bytes]] = [("file", "notes.txt", b"hello")]
    reply = browser.upload("/api/files", parts, authorization=f"Bearer {token}")
    assert (reply.status, reply.json) == (201, {"name": "notes.txt", "by": "ada"})
    assert browser.get("/api/files").json == {"files": [{"name": "notes.txt", "bytes": 5}]}
    assert browser.upload("/api/files", parts, authorization="Bearer x").status == 401
    fault = browser.post_json("/api/files", {}, authorization=f"Bearer {token}")
    assert (fault.status, fault.json["code"]) == (400, 40001)


def test_the_key_is_kept_and_nobody_else_reads_it(modules: dict[str, ModuleType], data: Path, tmp_path: Path) -> None:
    path = data / "desk.key"
    assert path.read_text() == modules["desk"].app.securekey == modules["desk_files"].signing_key(data)
    assert path.stat().st_mode & 0o777 == 0o600
    assert modules["desk_files"].signing_key(None) != modules["desk_files"].signing_key(None)


def test_errors_are_pages_of_the_site(browser: Browser) -> None:
    reply = browser.get("/<script>")
    assert reply.status == 404
    assert "<script>" not in reply.text
    assert "default-src 'none'" in reply["Content-Security-Policy"]
