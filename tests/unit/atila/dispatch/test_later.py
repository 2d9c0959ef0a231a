"""Functions whose response comes later: coroutines, and what other parts of `was` give."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from skitaid.atila import Atila
from skitaid.was.later import Later
from tests.unit.atila.caller import Caller


class Delayed(Later):
    """Gives what a function makes, after another thread said so."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def when_ready(self, function: Callable[[], None]) -> None:
        threading.Thread(target=function).start()

    def make(self) -> Any:
        return self._function()


class World:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.app = app = Atila(__name__)
        app.before_request(lambda was: self.seen.append("before"))
        app.finish_request(lambda was: self.seen.append("finish"))
        app.failed_request(lambda was, exc_info: self.seen.append("failed"))
        app.teardown_request(lambda was: self.seen.append("teardown"))


@pytest.fixture
def world() -> World:
    return World()


def test_what_runs_after_the_function_runs_after_its_response(world: World) -> None:
    @world.app.route("/")
    def index(was: Any) -> Any:
        def second() -> Any:
            world.seen.append("second")
            return was.API(status_code=[200])

        def first() -> Any:
            world.seen.append("first")
            return Delayed(second)

        was.response.set_header("X-A", 1)
        return Delayed(first)

    answer = Caller(world.app).get("/")
    assert (answer.data, answer["X-A"]) == ({"status_code": [200]}, "1")
    assert world.seen == ["before", "first", "second", "finish", "teardown"]


def test_a_failure_later(world: World) -> None:
    @world.app.route("/")
    def index(was: Any) -> Any:
        return Delayed(lambda: 1 / 0)

    assert Caller(world.app).get("/").code == 500
    assert world.seen == ["before", "failed", "teardown"]


def test_a_coroutine(world: World) -> None:
    from skitaid import was as found

    @world.app.route("/<int:n>")
    async def index(was: Any, n: int) -> Any:
        await asyncio.sleep(0)
        assert found.request is was.request
        if n == 2:
            raise was.Error("409 Conflict", "no")
        return was.API("201 Created", n=n)

    call = Caller(world.app)
    assert (call.get("/1").status, call.get("/1").data) == ("201 Created", {"n": 1})
    assert world.seen[:3] == ["before", "finish", "teardown"]
    assert call.get("/2").code == 409
    assert world.seen[-2:] == ["failed", "teardown"]


def test_nothing_stays_behind() -> None:
    """A thread of another server holds no request that is over."""
    from skitaid.was.context import bound_request

    app = Atila(__name__)
    app.route("/")(lambda was: "x")
    Caller(app).get("/")
    assert bound_request() is None
