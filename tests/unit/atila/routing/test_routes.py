"""Routes of an app, as the documents have them: paths, methods, types, values in the path."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid.atila import Atila
from skitaid.atila.routing.patterns import RuleError
from tests.unit.atila.caller import Caller


@pytest.fixture
def app() -> Atila:
    return Atila(__name__)


def test_hello(app: Atila) -> None:
    @app.route("/hello")
    def hello_world(was: Any) -> str:
        return "hello"

    answer = Caller(app).get("/hello")
    assert (answer.status, answer.text) == ("200 OK", "hello")
    assert answer.fields == [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "5")]


def test_restrictions(app: Atila) -> None:
    @app.route("/hello", methods=["GET"], content_types=["text/xml"])
    def hello_world(was: Any) -> str:
        return "hello"

    call = Caller(app)
    assert call.post("/hello", "<a/>", "text/xml").code == 405
    assert call.post("/hello")["Allow"] == "GET, HEAD, OPTIONS"
    assert call.get("/hello").code == 415
    assert call.get("/hello", CONTENT_TYPE="text/xml; charset=utf-8").text == "hello"


def test_several_routes_of_a_function(app: Atila) -> None:
    @app.route("/hello", methods=["POST"])
    @app.route("/")
    def hello_world(was: Any) -> str:
        return "hello"

    call = Caller(app)
    assert call.get("/").text == call.post("/hello").text == "hello"
    assert call.get("/hello").code == 405


@pytest.mark.parametrize(("rule", "with_slash", "without"), [("", 404, 200), ("/", 200, 301)])
def test_the_mount_point(app: Atila, rule: str, with_slash: int, without: int) -> None:
    @app.route(rule)
    def hello_world(was: Any) -> str:
        return "hello"

    call = Caller(app, "/sub")
    assert (call.get("/sub/").code, call.get("/sub").code) == (with_slash, without)
    if without == 301:
        assert call.get("/sub?a=1")["Location"] == "/sub/?a=1"
        assert call.post("/sub").text == "hello"


def test_an_empty_rule_at_the_root_of_a_host(app: Atila) -> None:
    @app.route("")
    def hello_world(was: Any) -> str:
        return "hello"

    assert Caller(app).get("/").text == "hello"


def test_a_redirection_leads_to_no_other_host(app: Atila) -> None:
    app.route("/a/<b>/")(lambda was, b: b)
    answer = Caller(app, "//evil.example").get("//evil.example/a/b")
    assert answer.code == 301
    assert answer["Location"] == "/evil.example/a/b/"


def test_head(app: Atila) -> None:
    @app.route("/a", methods=["GET"])
    def a(was: Any) -> str:
        return "hello"

    @app.route("/b")
    def b(was: Any) -> Any:
        return was.API(x=1)

    call = Caller(app)
    for path, length in (("/a", "5"), ("/b", "8")):
        answer = call("HEAD", path)
        assert (answer.code, answer.body, answer["Content-Length"]) == (200, b"", length)


def test_other_scripts(app: Atila) -> None:
    @app.route("/정보")
    def info(was: Any) -> str:
        return was.ab("info")  # type: ignore[no-any-return]

    @app.route("/이름/<name>")
    def name(was: Any, name: str) -> str:
        return name

    call = Caller(app)
    assert call.get("/%EC%A0%95%EB%B3%B4").text == "/%EC%A0%95%EB%B3%B4"
    assert call.get("/%EC%9D%B4%EB%A6%84/%ED%95%9C_%EA%B8%80").text == "한 글"
    assert call.get("/%ff%fe").code == 404


def test_a_value_with_a_default(app: Atila) -> None:
    @app.route("/episode/<int:id>", methods=["GET", "POST", "PUT", "DELETE", "OPTIONS"])
    def episode(was: Any, id: int | None = None) -> Any:
        if was.request.method == "POST" and id is None:
            return was.API(id=7)
        return str(id)

    call = Caller(app)
    assert call.get("/episode/100").text == "100"
    assert call.get("/episode").text == "None"
    assert call.post("/episode").data == {"id": 7}
    assert call.get("/episode/x").code == 404


def test_a_default_at_the_root_needs_a_route_of_its_own(app: Atila) -> None:
    @app.route("/<int:id>")
    def episode(was: Any, id: int | None = None) -> str:
        return str(id)

    call = Caller(app)
    assert call.get("/").code == 404
    assert call.get("/3").text == "3"


def test_all_paths(app: Atila) -> None:
    """As an app serves the one page of a frontend."""

    @app.route("/api")
    def api(was: Any) -> str:
        return "api"

    @app.route("/<path:path>")
    def vapp(was: Any, path: str | None = None) -> str:
        return f"page {path}"

    call = Caller(app)
    assert [call.get(path).text for path in ("/api", "/", "/a/b.js")] == ["api", "page None", "page a/b.js"]


@pytest.mark.parametrize("method", ["DELETE", "POST", "PATCH", "PUT"])
def test_notme_is_for_reading(app: Atila, method: str) -> None:
    @app.route("/episodes/<int:uid>")
    def episodes(uid: Any) -> str:
        return repr(uid)

    call = Caller(app)
    texts = [call.get(f"/episodes/{uid}").text for uid in ("4", "me", "new", "notme")]
    assert texts == ["4", "'me'", "'new'", "'notme'"]
    assert call(method, "/episodes/notme").code == 421
    assert call(method, "/episodes/me").code == 200


def test_options(app: Atila) -> None:
    @app.route("/a", methods=["GET", "DELETE"])
    def a(was: Any) -> str:
        raise AssertionError

    @app.route("/b")
    def b(was: Any) -> str:
        raise AssertionError

    @app.route("/c", methods=["OPTIONS"])
    def c(was: Any) -> str:
        return "mine"

    call = Caller(app)
    assert call("OPTIONS", "/a")["Allow"] == "DELETE, GET, HEAD, OPTIONS"
    assert "PATCH" in str(call("OPTIONS", "/b")["Allow"])
    assert call("OPTIONS", "/c").text == "mine"
    assert call("OPTIONS", "/d").code == 404


def test_what_is_known_of_the_route(app: Atila) -> None:
    @app.route("/a", methods=["POST", "OPTIONS"], content_types=["text/xml"])
    def a(was: Any) -> Any:
        return was.API(routable=was.request.routable, name=was.request.routed_function.__name__)

    assert Caller(app).post("/a", "<a/>", "text/xml").data == {
        "routable": {"methods": ["OPTIONS", "POST"], "content_types": ["text/xml"]}, "name": "a",
    }  # fmt: skip


def test_a_routed_function_can_be_called_as_it_is_written(app: Atila) -> None:
    @app.route("/pets/<kind>")
    @app.test_params("JSON", ["area"])
    def pets(was: Any, kind: str, limit: int, offset: int = 0, **JSON: Any) -> Any:
        return [kind, limit, offset, JSON]

    assert pets(None, "dog", 10, area="LA") == ["dog", 10, 0, {"area": "LA"}]


@pytest.mark.parametrize("name", ["mehotd", "method", "autenticate", "content_type", "access_control_allow_origins"])
def test_a_misspelt_option_leaves_no_route_open(name: str) -> None:
    app = Atila(__name__)
    with pytest.raises(RuleError, match=f"{name}=, which does nothing; did you mean"):
        app.route("/", **{name: ["POST"]})(lambda was: "")
    assert app.route("/", note="mine")(lambda was: "").__name__ == "<lambda>"
