"""@app.test_params."""

from __future__ import annotations

import re
from typing import Any

import pytest

from skitaid.atila import Atila
from skitaid.atila.dispatch.testing_params import TestError, make_guard
from tests.unit.atila.caller import Caller


def ask(query: str, *args: Any, **tests: Any) -> int:
    app = Atila(__name__)

    @app.route("/")
    @app.test_params("ARGS", *args, **tests)
    def test(was: Any, **named: Any) -> str:
        return ""

    return Caller(app).get("/?" + query).code


UUID = "5b2c4f18-01fd-4b85-8cfa-01827878562f"


@pytest.mark.parametrize(
    ("tests", "right", "wrong"),
    [
        ({"required": ["id"]}, ["id=1"], ["", "id=", "other=1"]),
        ({"ints": ["id"]}, ["id=1", "id=-1", ""], ["id=x", "id=1.5", "id=1&id=2", "id=1_0", "id=%D9%A3"]),
        ({"ints": ["id"]}, ["id=%201"], [f"id={'9' * 5000}"]),
        ({"floats": ["x"]}, ["x=1", "x=1.5", "x=1e3"], ["x=a", "x=nan", "x=inf", "x=1&x=2"]),
        ({"emails": ["e"]}, ["e=hans@example.com"], ["e=hans", "e=a@b", "e=@example.com", "e=a@example.com%0aBcc:b"]),
        ({"uuids": ["u"]}, [f"u={UUID}"], ["u=1"]),
        ({"a__gte": 5}, ["a=5", "a=10"], ["a=4", "a=x"]),
        ({"a__gt": 5}, ["a=6"], ["a=5"]),
        ({"a__lt": 5}, ["a=4", "a=-100"], ["a=5"]),
        ({"a__lte": 5}, ["a=5"], ["a=6"]),
        ({"b__between": (-4, -1)}, ["b=-4", "b=-1"], ["b=-5", "b=0"]),
        ({"c__in": (1, 2)}, ["c=1", "c=2"], ["c=3"]),
        ({"c__in": ("x", "y")}, ["c=x"], ["c=z"]),
        ({"d__neq": 3}, ["d=4"], ["d=3"]),
        ({"a": re.compile("^hans")}, ["a=hansroh"], ["a=roh"]),
        ({"a": re.compile("hans")}, ["a=hans"], ["a=hans&a=other"]),
        ({"a__len__between": (4, 8)}, ["a=1234", "a=12345678"], ["a=123", "a=123456789"]),
        ({"a__len": 4}, ["a=1234"], ["a=123"]),
        ({"a__len__gte": 2}, ["a=12"], ["a=1"]),
    ],
)
def test_tests(tests: dict[str, Any], right: list[str], wrong: list[str]) -> None:
    assert [ask(query, **tests) for query in right] == [200] * len(right)
    assert [ask(query, **tests) for query in wrong] == [400] * len(wrong)


def test_the_first_example() -> None:
    app = Atila(__name__)

    @app.route("/test")
    @app.test_params("ARGS", ["id"], ints=["id"])
    def test(was: Any, id: str) -> str:
        return id

    call = Caller(app)
    assert (call.get("/test?id=4").text, call.get("/test?id=x").code, call.get("/test").code) == ("4", 400, 400)


def test_the_client_is_told_what_is_wrong() -> None:
    app = Atila(__name__)
    app.route("/")(app.test_params("URL", a__between=(1, 5))(lambda was, **named: ""))
    answer = Caller(app).get("/?a=9", HTTP_ACCEPT="application/json")
    assert answer.data == {"code": 400, "message": "Bad Request", "detail": "parameter a should be between (1, 5)"}


@pytest.mark.parametrize(("scope", "tests"), [("ARG", {}), ("ARGS", {"a__near": 3})])
def test_a_test_that_is_none(scope: str, tests: dict[str, Any]) -> None:
    with pytest.raises(TestError, match="test_params"):
        make_guard(scope, None, tests)
