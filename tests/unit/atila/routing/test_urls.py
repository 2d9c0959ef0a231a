"""Building URLs, as the documents have it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from skitaid.atila import Atila
from skitaid.atila.routing.urls import NoSuchRouteError
from tests.unit.atila.caller import Caller


@pytest.fixture
def app() -> Atila:
    app = Atila(__name__)

    @app.route("/add")
    def add(was: Any, num1: Any, num2: Any) -> Any:
        return int(num1) + int(num2)

    @app.route("/hello/<name>")
    def hello(was: Any, name: str = "Hans Roh") -> str:
        return f"Hello, {name}"

    @app.route("/episode/<int:id>")
    def episode(was: Any, id: int | None = None) -> str:
        return str(id)

    @app.route("/navigate")
    def navigate(was: Any, limit: int = 20, pageno: int = 1) -> str:
        return was.partial("navigate", pageno=3)  # type: ignore[no-any-return]

    @app.route("/user/<id>")
    def user(was: Any, id: str) -> str:
        return was.partial(user, id="x")  # type: ignore[no-any-return]

    @app.route("/user/<id>/pat")
    def pat(was: Any, id: str) -> str:
        return ""

    @app.route("/ask")
    def ask(was: Any, **named: Any) -> Any:
        return was.API(
            a=was.ab("add", 10, 40), b=was.ab("add", 10, num2=60), c=was.ab(add, 10, 40),
            d=was.app.build_url("add", 10, 40), e=was.ab("hello", "Your Name"), f=was.ab("hello"),
            g=was.ab("episode"), h=was.ab("episode", 100), i=was.ab("/css/home.css"),
            j=was.basepath("navigate"), k=was.basepath("user"), l=was.basepath("pat"),
            m=was.ab("pat", "a/b", tag=["x", "y"]),
        )  # fmt: skip

    return app


def test_urls(app: Atila) -> None:
    assert Caller(app, "/math").get("/math/ask").data == {
        "a": "/math/add?num1=10&num2=40", "b": "/math/add?num1=10&num2=60", "c": "/math/add?num1=10&num2=40",
        "d": "/math/add?num1=10&num2=40", "e": "/math/hello/Your_Name", "f": "/math/hello/Hans_Roh",
        "g": "/math/episode", "h": "/math/episode/100", "i": "/math/css/home.css", "j": "/math/navigate",
        "k": "/math/user/", "l": "/math/user/", "m": "/math/user/a%2Fb/pat?tag=x&tag=y",
    }  # fmt: skip


def test_some_arguments_are_those_of_the_request(app: Atila) -> None:
    call = Caller(app)
    assert call.get("/navigate?limit=100&pageno=2").text == "/navigate?limit=100&pageno=3"
    assert call.get("/navigate").text == "/navigate?pageno=3"
    assert call.get("/user/hans").text == "/user/x"


def test_the_urls_lead_to_their_functions(app: Atila) -> None:
    call = Caller(app, "/math")
    assert call.get(app.build_url("add", 10, 40).replace("/add", "/math/add", 1)).text == "50"
    assert call.get(app.build_url("hello", "Your Name")).text == "Hello, Your Name"


@pytest.mark.parametrize(("name", "hint"), [("ad", "did you mean 'add'"), ("zzz", "no route is named 'zzz'")])
def test_a_name_that_no_route_has(app: Atila, name: str, hint: str) -> None:
    with pytest.raises(NoSuchRouteError, match=hint):
        app.build_url(name)


def test_too_many_arguments(app: Atila) -> None:
    with pytest.raises(TypeError, match="takes 2 arguments"):
        app.build_url("add", 1, 2, 3)


def test_across_apps(app: Atila, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("nowhere.search")
    module.__file__ = "/apps/search.py"
    monkeypatch.setitem(sys.modules, "nowhere.search", module)
    search = Atila("nowhere.search")
    search.config.save_path = "/data"

    @search.route("/query")
    def query(was: Any, q: str) -> str:
        return q

    search.mounted_at("/search", {})

    @app.route("/far")
    def far(was: Any) -> Any:
        other = was.apps["search"]
        return was.API(
            a=was.ab("search:query", "Your Name"), b=other.build_url("query", "Your Name"), c=other.config.save_path
        )

    url = "/search/query?q=Your%20Name"
    assert Caller(app).get("/far").data == {"a": url, "b": url, "c": "/data"}
    with pytest.raises(KeyError, match="no app has the name 'other'"):
        from skitaid.atila.app_registry import APPS

        APPS["other"]


def test_a_value_names_no_other_host(app: Atila) -> None:
    @app.route("/<path:path>")
    def any_path(was: Any, path: str = "") -> Any:
        return was.redirect(was.ab("any_path", path))

    assert Caller(app).get("//evil.example/x")["Location"] == "/evil.example/x"
