"""What runs around requests, as the documents have it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from skitaid.atila import EVEXCEPT, EVOK, EVREQEND, Atila
from skitaid.atila.dispatch.hooks import HookError
from skitaid.was import states
from tests.unit.atila.caller import Caller


class World:
    """An app that notes what runs. `say` is what its hooks answer."""

    def __init__(self) -> None:
        self.app = Atila(__name__)
        self.seen: list[str] = []
        self.say: dict[str, Any] = {}
        app = self.app

        @app.before_request
        def before_request(was: Any) -> Any:
            return self.note("before")

        @app.finish_request
        def finish_request(was: Any) -> Any:
            was.g.user_id  # noqa: B018
            return self.note("finish")

        @app.failed_request
        def failed_request(was: Any, exc_info: Any) -> Any:
            assert isinstance(exc_info[1], ZeroDivisionError)
            return self.note("failed")

        @app.teardown_request
        def teardown_request(was: Any) -> Any:
            return self.note("teardown")

        @app.route("/view-account")
        def view_account(was: Any, userid: str = "") -> Any:
            was.g.user_id = "jerry"
            self.note("view")
            return f"content {1 // (userid != 'bad')}"

    def note(self, what: str) -> Any:
        self.seen.append(what)
        found = self.say.get(what)
        if isinstance(found, Exception):
            raise found
        return found

    def ask(self, query: str = "") -> str:
        return Caller(self.app).get(f"/view-account?{query}").text


@pytest.fixture
def world() -> World:
    return World()


def test_when_all_goes_well(world: World) -> None:
    assert world.ask() == "content 1"
    assert world.seen == ["before", "view", "finish", "teardown"]


def test_a_stop_before(world: World) -> None:
    world.say["before"] = "Not Authorized"
    assert world.ask() == "Not Authorized"
    assert world.seen == ["before", "teardown"]


def test_a_failure(world: World) -> None:
    assert "Internal Server Error" in world.ask("userid=bad")
    assert world.seen == ["before", "view", "failed", "teardown"]


def test_a_failure_that_is_answered(world: World) -> None:
    world.say["failed"] = "We're sorry"
    assert world.ask("userid=bad") == "We're sorry"
    assert world.seen == ["before", "view", "failed", "teardown"]


@pytest.mark.parametrize("what", ["before", "finish"])
def test_a_hook_that_fails(world: World, what: str) -> None:
    world.say[what] = ZeroDivisionError()
    assert "Internal Server Error" in world.ask()
    assert world.seen[-1] == "teardown"
    assert world.seen.count("failed") == (what == "before")


def test_a_teardown_that_fails(world: World) -> None:
    world.say["teardown"] = ZeroDivisionError()
    assert world.ask() == "content 1"


def test_no_hooks_for_what_is_not_routed(world: World) -> None:
    assert Caller(world.app).get("/none").code == 404
    assert world.seen == []


def test_the_oldest_names() -> None:
    app = Atila(__name__)
    seen: list[str] = []

    @app.after_request
    def after_request(was: Any) -> None:
        seen.append(f"after {was.temp.user_id}")

    @app.failed_request
    def failed_request(was: Any) -> None:
        seen.append("failed")

    @app.route("/view-account")
    def view_account(was: Any, userid: str) -> Any:
        was.temp.user_id = "jerry"
        assert was.g.user_id == "jerry"
        assert was.g.get("other", 1) == 1
        return 1 / (userid != "bad")

    assert Caller(app).get("/view-account?userid=ok").code == 200
    assert Caller(app).get("/view-account?userid=bad").code == 500
    assert seen == ["after jerry", "failed"]


@pytest.mark.parametrize(("query", "expected"), [("", ["ok", "end"]), ("?bad=1", ["except", "end"])])
def test_what_a_function_binds_to_its_request(query: str, expected: list[str]) -> None:
    app = Atila(__name__)
    seen: list[str] = []

    @app.route("/view-account")
    def view_account(was: Any, bad: str = "") -> Any:
        was.temp.bind(EVOK, lambda was: seen.append("ok"))
        was.temp.bind(EVEXCEPT, lambda was: seen.append("except"))
        was.temp.bind(EVREQEND, lambda was: seen.append("end"))
        return 1 / (not bad)

    Caller(app).get("/view-account" + query)
    assert seen == expected


def test_run_before_and_run_after() -> None:
    app = Atila(__name__)
    seen: list[str] = []

    def pre1(was: Any) -> Any:
        seen.append("pre1")

    def pre2(was: Any) -> Any:
        seen.append("pre2")
        return "stop" if was.request.args.get("stop") else None

    def post1(was: Any) -> Any:
        seen.append("post1")
        return "ignored"

    @app.route("/")
    @app.run_before(pre1, pre2)
    @app.run_after(post1)
    def index(was: Any, stop: str = "") -> Any:
        seen.append("index")
        return "index"

    call = Caller(app)
    assert call.get("/").text == "index"
    assert seen == ["pre1", "pre2", "index", "post1"]
    seen.clear()
    assert call.get("/?stop=1").text == "stop"
    assert seen == ["pre1", "pre2"]


def test_if_file_modified(tmp_path: Path) -> None:
    app = Atila(__name__)
    path = tmp_path / "config"
    path.write_text("1")
    seen: list[str] = []

    def reload_config(was: Any, path: str) -> None:
        seen.append(path)

    @app.route("/")
    @app.if_file_modified(str(path), reload_config, interval=0)
    def index(was: Any) -> str:
        return "index"

    call = Caller(app)
    call.get("/")
    os.utime(path, (1, 1))
    call.get("/")
    assert call.get("/").text == "index"
    assert seen == [str(path)]


def test_if_updated() -> None:
    app = Atila(__name__)
    states.register_states("weather-news")
    seen: list[str] = []

    def reload_cache(was: Any, key: str) -> None:
        seen.append(key)

    @app.route("/")
    @app.if_updated("weather-news", reload_cache)
    def index(was: Any) -> str:
        return "index"

    @app.route("/add")
    def add_weather(was: Any) -> str:
        was.setlu("weather-news")
        return "added"

    call = Caller(app)
    call.get("/")
    call.get("/add")
    call.get("/")
    assert call.get("/").text == "index"
    assert seen == ["weather-news"]


def test_an_exit_runs_teardown_and_ends_the_request() -> None:
    app = Atila(__name__)
    seen: list[str] = []
    app.teardown_request(lambda was: seen.append("teardown"))
    app.route("/")(lambda was: sys.exit(3))
    with pytest.raises(SystemExit):
        Caller(app).get("/")
    assert seen == ["teardown"]


def test_an_empty_object_is_something() -> None:
    app = Atila(__name__)
    app.before_request(lambda was: was.API() if was.request.args.get("stop") else False)
    app.route("/")(lambda was, stop="": "index")
    assert Caller(app).get("/").text == "index"
    assert Caller(app).get("/?stop=1").text == "{}"


def test_a_hook_is_no_coroutine() -> None:
    async def hook(was: Any) -> None:
        """Never awaited."""

    with pytest.raises(HookError, match="hook is a coroutine, expected a function"):
        Atila(__name__).before_request(hook)
