"""Nothing of a request waits for the garbage collector: not its files, and not itself."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.atila import Atila
from tests.unit.atila.browser import Browser


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def touch(was: Any) -> None:
    was.cookie.get("x")
    was.session.set("a", 1)
    was.mbox.send("hello")
    was.g.thing = was.request.args
    was.response.set_header("X-A", "b")
    was.deott(was.mkott("x"))
    assert was.csrf_token
    assert was.request.JWT["err"]
    assert not was.request.user


@pytest.mark.parametrize("ends", ["text", "response", "json", "stream", "error"])
def test_a_request_is_gone_when_it_is_answered(ends: str) -> None:
    app = Atila("app")
    app.securekey = "key"
    seen: list[weakref.ref[Any]] = []

    @app.route("/")
    def index(was: Any) -> Any:
        touch(was)
        seen.append(weakref.ref(was))
        if ends == "response":
            return was.response("200 OK", "text")
        if ends == "json":
            return was.API(a=1)
        if ends == "stream":
            return (str(each) for each in (was.request.method, "x"))
        if ends == "error":
            raise was.Error("404 Not Found")
        return "text"

    Browser(app).get("/")
    assert seen[0]() is None


def test_files_are_gone_when_it_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    app = Atila("app")

    @app.route("/", methods=["POST"])
    def index(was: Any, **form: Any) -> int:
        return len(list(tmp_path.iterdir()))

    assert Browser(app).upload("/", [("a", "a", b"1"), ("b", "b", b"2")]).text == "2"
    assert list(tmp_path.iterdir()) == []
