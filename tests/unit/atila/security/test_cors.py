"""Requests of pages of other origins."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid.atila import Atila
from tests.unit.atila.caller import Answer, Caller

HERE = "http://www.skitai.com:5001"


def make(**options: Any) -> Atila:
    app = Atila(__name__)

    @app.route("/post", methods=["POST", "OPTIONS"], **options)
    def post(was: Any) -> Any:
        args = was.request.json()
        return was.jstream({"got": args})

    return app


def preflight(app: Atila, origin: str) -> Answer:
    return Caller(app)(
        "OPTIONS", "/post", b"", HTTP_ORIGIN=origin, HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="content-type, x-a",
    )  # fmt: skip


def of_app(origins: list[str]) -> Atila:
    app = make()
    app.access_control_allow_origin = origins
    app.access_control_max_age = 3600
    return app


def of_route(origins: list[str]) -> Atila:
    return make(access_control_allow_origin=origins, access_control_max_age=3600)


@pytest.mark.parametrize("make_app", [of_app, of_route])
def test_an_origin_that_is_named(make_app: Any) -> None:
    app = make_app([HERE])
    answer = preflight(app, HERE)
    assert answer.code == 200
    assert answer["Access-Control-Allow-Origin"] == HERE
    assert answer["Access-Control-Allow-Methods"] == "OPTIONS, POST"
    assert answer["Access-Control-Allow-Headers"] == "content-type, x-a"
    assert answer["Access-Control-Max-Age"] == "3600"
    assert answer["Access-Control-Allow-Credentials"] == "true"
    answer = Caller(app).json("/post", {"a": 1}, HTTP_ORIGIN=HERE)
    assert (answer.data, answer["Access-Control-Allow-Origin"], answer["Vary"]) == ({"got": {"a": 1}}, HERE, "Origin")


@pytest.mark.parametrize("make_app", [of_app, of_route])
def test_another_origin(make_app: Any) -> None:
    app = make_app([HERE])
    for answer in (preflight(app, "http://evil.example"), Caller(app).json("/post", {}, HTTP_ORIGIN="null")):
        assert answer["Access-Control-Allow-Origin"] is None
        assert answer["Access-Control-Allow-Methods"] is None
        assert answer["Vary"] == "Origin"


def test_any_origin() -> None:
    app = of_app(["*"])
    answer = preflight(app, "http://anywhere.example")
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Access-Control-Allow-Credentials"] is None


def test_an_address_without_a_scheme() -> None:
    assert preflight(of_app(["127.0.0.1:8080"]), "http://127.0.0.1:8080")["Access-Control-Allow-Origin"] is not None


def test_nobody_unless_said() -> None:
    assert preflight(make(), HERE)["Access-Control-Allow-Origin"] is None
    assert Caller(make()).json("/post", {}, HTTP_ORIGIN=HERE)["Vary"] is None


def test_refusals_can_be_read_too() -> None:
    assert Caller(of_app([HERE])).post("/post", "{", "x/y", HTTP_ORIGIN=HERE)["Access-Control-Allow-Origin"] == HERE
    assert Caller(of_app([HERE])).get("/post", HTTP_ORIGIN=HERE)["Access-Control-Allow-Origin"] == HERE
