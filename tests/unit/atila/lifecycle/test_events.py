"""Beginning and end of an app, events, storage, jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from skitaid import atila
from skitaid.atila import Atila
from skitaid.atila.wac import REGISTERED, WAC
from skitaid.was import states
from tests.unit.atila.caller import Caller


@pytest.fixture
def app() -> Iterator[Atila]:
    yield Atila(__name__)
    REGISTERED.clear()


def test_the_order_of_a_life(app: Atila) -> None:
    seen: list[Any] = []

    @app.before_mount
    def before_mount(wac: Any) -> None:
        wac.register("searcher", seen)
        wac.config.searchers = 1
        wac.logger.get("app").info("ready")
        seen.append(("before_mount", wac is WAC, wac.numthreads))

    @app.mounted
    def mounted(was: Any) -> None:
        seen.append(("mounted", was.app is app, was.ab("index")))

    @app.mounted_or_reloaded
    def mounted_or_reloaded(was: Any) -> None:
        seen.append("mounted_or_reloaded")

    @app.before_umount
    def before_umount(was: Any) -> None:
        seen.append("before_umount")

    @app.umounted
    def umounted(wac: Any) -> None:
        assert wac.searcher is seen
        seen.append("umounted")

    @app.route("/")
    def index(was: Any) -> str:
        was.searcher.append("index")
        return "index"

    app.mounted_at("/m", {})
    Caller(app, "/m").get("/m/")
    app._life.end()
    assert seen == [
        ("before_mount", True, 1), ("mounted", True, "/m/"), "mounted_or_reloaded", "index", "before_umount",
        "umounted",
    ]  # fmt: skip


def test_without_a_server_an_app_begins_with_its_first_request(app: Atila) -> None:
    seen: list[str] = []

    @app.startup
    def startup(wasc: Any, app: Any) -> None:
        wasc.registerObject("myobject", seen)

    app.route("/")(lambda was: was.myobject.append("x"))
    call = Caller(app)
    call.get("/")
    call.get("/")
    assert seen == ["x", "x"]


def test_a_name_that_a_service_has() -> None:
    with pytest.raises(ValueError, match=r"was\.get is there already"):
        WAC.register("get", 1)


def test_events_of_the_app(app: Atila) -> None:
    seen: list[str] = []
    app.on(atila.app_starting)(lambda was: seen.append("starting"))
    app.on(atila.app_started, atila.app_mounted)(lambda was: seen.append("started or mounted"))

    @app.on(atila.request_failed)
    def request_failed_handler(was: Any, exc_info: Any) -> None:
        seen.append(f"failed {exc_info[1]!r}")

    app.on(atila.request_starting)(lambda was: seen.append("begin"))
    app.on(atila.request_success)(lambda was: seen.append("success"))
    app.on(atila.request_tearing_down)(lambda was: seen.append("tear down"))
    app.on(atila.request_finished)(lambda was: seen.append("end"))
    app.route("/<int:n>")(lambda was, n: 1 // n)
    call = Caller(app)
    assert (call.get("/1").text, call.get("/0").code) == ("1", 500)
    assert seen == [
        "starting", "started or mounted", "started or mounted", "begin", "success", "tear down", "end", "begin",
        "failed ZeroDivisionError('integer division or modulo by zero')", "tear down", "end",
    ]  # fmt: skip


def test_templates_that_are_rendered(app: Atila, tmp_path: Path) -> None:
    seen: list[Any] = []
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "index.html").write_text("{{ choice }}")
    app.home = str(tmp_path)

    @app.on(atila.template_rendering)
    def template_rendering_handler(was: Any, template: str, params: Any) -> None:
        seen.append((template, params["choice"]))

    app.route("/")(lambda was: was.render("index.html", choice=2))
    assert Caller(app).get("/").text == "2"
    assert seen == [("index.html", 2)]


def test_events_of_ones_own(app: Atila) -> None:
    seen: list[Any] = []

    @app.on("photo-updated")
    def photo_updated(was: Any) -> None:
        seen.append("photo")

    @app.on("user-updated")
    @app.emit_after("photo-updated")
    def user_updated(was: Any, user: str = "") -> None:
        seen.append(("user", user, was.request.method))

    @app.route("/users", methods=["POST"])
    def users(was: Any) -> str:
        args = was.request.json()
        app.emit("user-updated", args["userid"])
        return ""

    @app.route("/users2/<name>", methods=["POST"])
    @app.emit_after("user-updated")
    def users2(was: Any, name: str) -> str:
        return name

    @app.emit_after("user-updated")
    @app.route("/users3", methods=["POST"])
    def users3(was: Any) -> str:
        return "3"

    call = Caller(app)
    call.json("/users", {"userid": "hans"})
    assert seen == [("user", "hans", "POST"), "photo"]
    assert call.json("/users2/Hans", {}).text == "Hans"
    assert seen[2:] == [("user", "", "POST"), "photo"]


def test_events_after_coroutines(app: Atila) -> None:
    seen: list[str] = []
    app.on("done")(lambda was: seen.append("done"))

    @app.route("/")
    @app.emit_after("done")
    async def index(was: Any) -> str:
        seen.append("index")
        return "index"

    assert Caller(app).get("/").text == "index"
    assert seen == ["index", "done"]


def test_broadcasts(app: Atila) -> None:
    photos = Atila("photos")
    seen: list[Any] = []

    @photos.on_broadcast("user:data-added")
    def refresh_user_cache(was: Any, userid: str) -> None:
        seen.append(userid)

    @photos.listen("some-event")
    def other(was: Any) -> None:
        seen.append("some")

    @app.route("/users", methods=["PATCH"])
    def users(was: Any) -> Any:
        was.broadcast("user:data-added", was.request.json()["userid"])
        return was.API()

    @app.route("/after")
    @app.broadcast_after("some-event")
    def after(was: Any) -> str:
        return "x"

    call = Caller(app)
    call.json("/users", {"userid": "hans"}, method="PATCH")
    call.get("/after")
    app.broadcast("user:data-added", "outside of a request")
    assert seen == ["hans", "some", "outside of a request"]


def test_states_are_events_too(app: Atila) -> None:
    states.register_states("weather")
    seen: list[Any] = []
    app.on_broadcast("model-changed:weather", "weather")(lambda was, *args: seen.append(args))
    states.setlu("weather", 1)
    states.setgs("weather", 2, "x")
    assert seen == [(1,), ("x",)]


def test_the_store(app: Atila) -> None:
    app.store.set("total-user", 1)
    app.store["nodes"] = 2
    total = app.store.get("total-user")
    app.store.set("total-user", total + 1)
    assert (dict(app.store), app.store.get("none", 0), app.store.add("nodes", 3)) == (
        {"total-user": 2, "nodes": 2}, 0, 5
    )  # fmt: skip
    assert app.storage is app.store
    del app.store["nodes"]
    assert "nodes" not in app.store


def test_jobs(app: Atila) -> None:
    app.config.maintain_interval = 0.001
    app.store.set("num-nodes", 0)
    seen: list[Any] = []
    enough = Event()

    @app.maintain
    def broken(was: Any, now: float, count: int) -> None:
        raise LookupError

    @app.maintain
    def maintain_num_nodes(was: Any, now: float, count: int) -> None:
        seen.append((was.app is app, now > 1e9, count))
        if count == 2:
            enough.set()

    with pytest.raises(ValueError, match="another job of this app is named broken"):
        app.maintain(broken)
    app.mounted_at("", {})
    assert enough.wait(20)
    app._life.end()
    assert seen[:2] == [(True, True, 1), (True, True, 2)]
