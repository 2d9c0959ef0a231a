from __future__ import annotations

from datetime import date

import pytest

from skitaid.was.messages.content_types import JSON, Kind, RequestType, kind_of, parameter, read_type
from skitaid.was.messages.encoding import encode_body, encode_query
from skitaid.was.messages.errors import CallError

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("data", "content_type", "body"),
    [
        ({"user": "Hans Roh", "n": 1}, "application/json", b'{"user":"Hans Roh","n":1}'),
        ([1, None, True], "application/vnd.api+json; charset=utf-8", b"[1,null,true]"),
        ({"d": date(2024, 1, 2)}, "application/json", b'{"d":"2024-01-02"}'),
        ({"a": "é"}, "application/json", '{"a":"é"}'.encode()),
        ('{"ready": 1}', "application/json", b'{"ready": 1}'),
        (b"raw", "application/json", b"raw"),
        (bytearray(b"raw"), "image/png", b"raw"),
        ({"user": "Hans Roh", "c": "a&b"}, FORM, b"user=Hans+Roh&c=a%26b"),
        ([("a", 1), ("a", 2)], FORM, b"a=1&a=2"),
        ({"a": [1, 2], "b": None, "c": ("x",)}, FORM, b"a=1&a=2&c=x"),
        ({"a": "한"}, FORM, b"a=%ED%95%9C"),
        ({"a": b"\xff"}, FORM, b"a=%FF"),
        ("a=1", FORM, b"a=1"),
        ({"METHOD": "Pay", "AMT": 1}, "text/namevalue", b"METHOD=Pay&AMT=1"),
        ("<a/>", "text/xml", b"<a/>"),
        ("é", "text/plain", "é".encode()),
    ],
)
def test_bodies(data: object, content_type: str, body: bytes) -> None:
    assert encode_body(data, content_type) == body


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        ({"a": 1}, "text/xml"), ({"a": 1}, "application/octet-stream"), (1, "text/plain"),
        ({"a": object()}, "application/json"), ({"a": float("nan")}, "application/json"), ("\ud800", "text/plain"),
        (7, FORM), ([1, 2], FORM), ({"a": "\ud800"}, "application/json"), ({1: {2, 3}}, "application/json"),
    ],
)  # fmt: skip
def test_what_has_no_form_is_refused(data: object, content_type: str) -> None:
    with pytest.raises(CallError):
        encode_body(data, content_type)


def test_what_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(CallError):
        encode_body(loop, "application/json")


@pytest.mark.parametrize(
    ("data", "query"),
    [
        (None, ""), ({}, ""), ({"a": "b c", "d": None}, "a=b+c"), ("?a=b", "a=b"), (b"a=b", "a=b"),
        ([("a", 1)], "a=1"), ({"a": [1, 2]}, "a=1&a=2"),
    ],
)  # fmt: skip
def test_queries(data: object, query: str) -> None:
    assert encode_query(data) == query


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/json", Kind.JSON), ("Application/JSON; charset=x", Kind.JSON), ("application/a+json", Kind.JSON),
        (FORM, Kind.FORM), ("text/xml", Kind.XML), ("application/xml", Kind.XML), ("image/svg+xml", Kind.XML),
        ("text/namevalue", Kind.NVP), ("text/html", Kind.TEXT), ("image/png", Kind.OTHER), ("", Kind.OTHER),
        ("json", Kind.OTHER),
    ],
)  # fmt: skip
def test_kinds(content_type: str, kind: Kind) -> None:
    assert kind_of(content_type) is kind


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("text/html; charset=UTF-8", "UTF-8"), ('text/html;CHARSET="utf-8"', "utf-8"), ("text/html", None),
        ('text/html; a="; charset=x"; charset=y', "y"), ('text/html; charset="a\\"b"', 'a"b'),
        ("text/html;charset=", ""),
    ],
)  # fmt: skip
def test_parameters(content_type: str, charset: str | None) -> None:
    assert parameter(content_type, "charset") == charset


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, JSON), ("json", JSON), ("FORM", RequestType(FORM, "*/*")),
        ("text/xml", RequestType("text/xml", "text/xml")),
        (("text/xml", "*/*"), RequestType("text/xml", "*/*")), (["a/b", "c/d"], RequestType("a/b", "c/d")),
    ],
)  # fmt: skip
def test_default_types(setting: object, expected: RequestType) -> None:
    assert read_type(setting) == expected


@pytest.mark.parametrize("setting", ["yaml", 1, (), ("a/b",)])
def test_a_default_type_that_is_none(setting: object) -> None:
    with pytest.raises(CallError, match="default_request_type"):
        read_type(setting)
