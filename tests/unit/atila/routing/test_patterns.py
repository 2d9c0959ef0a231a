"""Paths of routes: reading, matching, building."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid.atila.routing.patterns import Mixed, RuleError, Variable, parse


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        ("/", []),
        ("", []),
        ("/episode/<int:id>", ["int"]),
        ("/a/<float:x>/<name>", ["float", "string"]),
        ("/download/<int:major_ver>/<path>", ["int", "path"]),
        ("/<path:file>", ["path"]),
        ("/<path>/edit", ["string"]),
        ("/<int:year>-<int:month>", ["int", "int"]),
    ],
)
def test_kinds(rule: str, kinds: list[str]) -> None:
    assert [each.kind for each in parse(rule).variables] == kinds


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("hello", "no slash"),
        ("/<date:x>", "no type 'date'"),
        ("/<path:p>/x", "must stand last"),
        ("/<a>/<a>", "twice"),
        ("/<a", "expected <name>"),
        ("/x-<path:p>", "on its own"),
    ],
)
def test_wrong_rules(rule: str, part: str) -> None:
    with pytest.raises(RuleError, match=part):
        parse(rule)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "100", 100),
        ("int", "-3", -3),
        ("int", "me", "me"),
        ("int", "notme", "notme"),
        ("int", "new", "new"),
        ("int", "other", None),
        ("int", "9" * 40, None),
        ("int", "", None),
        ("int", "١", None),
        ("float", "1.5", 1.5),
        ("float", "2", 2.0),
        ("float", "1e5", None),
        ("float", "nan", None),
        ("string", "Hans_Roh", "Hans Roh"),
        ("string", "", None),
    ],
)
def test_values(kind: str, text: str, value: Any) -> None:
    assert Variable("x", kind).read(text) == value


def test_a_segment_of_several_pieces() -> None:
    segment = parse("/report-<int:year>.<ext>").segments[0]
    assert isinstance(segment, Mixed)
    assert segment.read("report-2026.csv") == [2026, "csv"]
    assert segment.read("report-x.csv") is None


@pytest.mark.parametrize(
    ("rule", "values", "path"),
    [
        ("/hello/<name>", {"name": "Your Name"}, "/hello/Your_Name"),
        ("/hello/<name>", {"name": "a/b?c"}, "/hello/a%2Fb%3Fc"),
        ("/hello/<name>", {"name": "한글"}, "/hello/%ED%95%9C%EA%B8%80"),
        ("/f/<path:path>", {"path": "a/b c"}, "/f/a/b%20c"),
        ("/episode/<int:id>", {"id": None}, "/episode"),
        ("/episode/<int:id>", {"id": 100}, "/episode/100"),
        ("/x-<int:a>-<int:b>", {"a": 1, "b": 2}, "/x-1-2"),
        ("/", {}, "/"),
        ("", {}, ""),
        ("/docs/", {}, "/docs/"),
    ],
)
def test_building(rule: str, values: dict[str, Any], path: str) -> None:
    assert parse(rule).build(values) == path


@pytest.mark.parametrize(("rule", "base"), [("/user/<id>", "/user/"), ("/user/<id>/pat", "/user/"), ("/n", "/n")])
def test_the_base(rule: str, base: str) -> None:
    assert parse(rule).base == base
