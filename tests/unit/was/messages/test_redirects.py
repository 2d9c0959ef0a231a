from __future__ import annotations

import pytest

from skitaid.was.messages.errors import ReplyError
from skitaid.was.messages.redirects import next_method, next_target
from skitaid.was.messages.target import parse_target


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("GET", 301, "GET"), ("GET", 303, "GET"), ("GET", 307, "GET"), ("HEAD", 302, "HEAD"), ("HEAD", 303, "HEAD"),
        ("POST", 301, "GET"), ("POST", 302, "GET"), ("POST", 303, "GET"), ("POST", 307, "POST"), ("POST", 308, "POST"),
        ("PUT", 301, "PUT"), ("PUT", 303, "GET"), ("DELETE", 302, "DELETE"), ("PATCH", 308, "PATCH"),
    ],
)  # fmt: skip
def test_methods(method: str, status: int, expected: str) -> None:
    assert next_method(method, status) == expected


@pytest.mark.parametrize(("status", "expected"), [(301, "POST"), (302, "POST"), (303, "GET"), (308, "POST")])
def test_a_remote_procedure_stays_a_post(status: int, expected: str) -> None:
    assert next_method("POST", status, keeps_method=True) == expected


@pytest.mark.parametrize(
    ("here", "location", "there"),
    [
        ("http://h/a/b?q=1", "/c", "http://h/c"),
        ("http://h/a/b?q=1", "c?d", "http://h/a/c?d"),
        ("http://h/a/b", "../c#top", "http://h/c"),
        ("http://h:81/a", "?x=1", "http://h:81/a?x=1"),
        ("http://h/a", "//i/b", "http://i/b"),
        ("http://h/a", "https://h/b c", "https://h/b%20c"),
        ("https://me:secret@h/a", "/b", "https://h/b"),
        ("http://[::1]:81/a", "/b", "http://[::1]:81/b"),
        ("@api/a/b", "/c?d", "@api/c?d"),
        ("@api/a/b", "c", "@api/a/c"),
        ("@api/a", "/x:y", "@api/x:y"),
        ("@api/a", "//h/b", "http://h/b"),
        ("@api/a", "https://h/b", "https://h/b"),
    ],
)
def test_places(here: str, location: str, there: str) -> None:
    assert next_target(parse_target(here), location) == parse_target(there)


@pytest.mark.parametrize("location", ["ftp://h/", "file:///etc/passwd", "javascript:x", "http://[x/", "http://h:x/"])
def test_places_that_cannot_be_reached(location: str) -> None:
    with pytest.raises(ReplyError):
        next_target(parse_target("http://h/a"), location)


def test_nothing_that_a_server_says_leads_to_an_alias() -> None:
    assert next_target(parse_target("http://h/a"), "@other/x") == parse_target("http://h/@other/x")
