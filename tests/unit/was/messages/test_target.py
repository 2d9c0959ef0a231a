from __future__ import annotations

import pytest

from skitaid.was.messages.errors import CallError
from skitaid.was.messages.target import Target, parse_target


def url(scheme: str, host: str, port: int, path: str) -> Target:
    return Target(None, scheme, host, port, path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://example.org", url("http", "example.org", 80, "/")),
        ("https://Example.ORG/a?b=c#d", url("https", "example.org", 443, "/a?b=c")),
        ("http://example.org?q=1", url("http", "example.org", 80, "/?q=1")),
        ("http://example.org:8080/", url("http", "example.org", 8080, "/")),
        ("http://example.org:/", url("http", "example.org", 80, "/")),
        ("http://[::1]:5000/x", url("http", "::1", 5000, "/x")),
        ("http://[::1]/x", url("http", "::1", 80, "/x")),
        ("HTTP://127.0.0.1/", url("http", "127.0.0.1", 80, "/")),
        ("http://bücher.example/ä", url("http", "xn--bcher-kva.example", 80, "/%C3%A4")),
        ("http://h/a b\r\nX: y", url("http", "h", 80, "/a%20b%0D%0AX:%20y")),
        ("http://h/100%/%41%zz", url("http", "h", 80, "/100%25/%41%25zz")),
        ("http://h/a;b=1,2&c='\"<>", url("http", "h", 80, "/a;b=1,2&c='%22%3C%3E")),
        ("http://me:p%40ss@h/", Target(None, "http", "h", 80, "/", "me", "p@ss")),
        ("http://me@h/", Target(None, "http", "h", 80, "/", "me", "")),
        ("@mysearch/rpc2", Target("mysearch", "", "", 0, "/rpc2")),
        ("@my-search.2", Target("my-search.2", "", "", 0, "/")),
        ("@mysearch?q=ü", Target("mysearch", "", "", 0, "/?q=%C3%BC")),
    ],
)
def test_targets(text: str, expected: Target) -> None:
    assert parse_target(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "/path", "example.org/", "ftp://example.org/", "ws://example.org/", "http://", "http:///x", "http://h:0/",
        "http://h:65536/", "http://h:x/", "http://h:-1/", "http://a b/", "http://h\\@evil/", "http://::1/",
        "http://[::1/", "http://[abc]/", "http://a%41/", "http://h\r\n/", "@", "@/x", "@a b/x", "@al:ias/x",
        "http://" + "a" * 300 + "/", "http://ü" + "ü" * 200 + "/", "http://h/\ud800",
    ],
)  # fmt: skip
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(CallError):
        parse_target(text)


def test_messages_do_not_show_a_password() -> None:
    with pytest.raises(CallError) as caught:
        parse_target("http://me:secret@host:port/")
    assert "secret" not in str(caught.value)


def test_a_query_is_added_to_what_is_there() -> None:
    target = parse_target("http://h/a?b=1")
    assert target.with_query("c=2").path == "/a?b=1&c=2"
    assert parse_target("@a/b").with_query("c=2").path == "/b?c=2"
    assert target.with_query("") is target


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("http://h/", "h"),
        ("http://h:443/", "h:443"),
        ("https://h:443/", "h"),
        ("http://[::1]:81/", "[::1]:81"),
        ("@a/b", "@a"),
    ],
)
def test_authority(text: str, authority: str) -> None:
    assert parse_target(text).authority == authority


def test_origins() -> None:
    origin = parse_target("http://h/a").origin
    assert origin == parse_target("http://me:x@h:80/b").origin
    others = ("https://h/a", "http://h:81/a", "http://i/a", "@h/a")
    assert all(parse_target(text).origin != origin for text in others)
