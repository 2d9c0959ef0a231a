"""Cookies: read from hostile fields, written so that browsers take them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from skitaid.atila import Atila
from skitaid.atila.sessions.cookies import CookieOptions, parse_cookies, set_cookie_field
from tests.unit.atila.browser import Browser

HOSTILE = [
    ";" * 65536, "a=" * 32768, '="\\' * 21845, "a=b;" * 16384, '"' * 65536, "a=" + "\\" * 65534,
    'a="' + "\\1" * 32766 + '"', "a=" + "%" * 65534, "a=" + "%41" * 21844, "=" * 65536, " " * 65536, "a=\xff" * 21845,
]  # fmt: skip


@pytest.mark.parametrize(
    "field, expected",
    [
        ("a=1; b=2", {"a": ["1"], "b": ["2"]}),
        ("a=1;a=2", {"a": ["1", "2"]}),
        ('a="x y"', {"a": ["x y"]}),
        (r'a="x\"y\073"', {"a": ['x"y;']}),
        ("a=x%20y", {"a": ["x y"]}),
        ("a=x=y=", {"a": ["x=y="]}),
        ("a=", {"a": [""]}),
        ("nothing; =no name; ;;", {}),
        ("a=" + "é".encode().decode("latin-1"), {"a": ["é"]}),
    ],
)
def test_a_field_is_read(field: str, expected: dict[str, list[str]]) -> None:
    assert parse_cookies(field) == expected


@pytest.mark.parametrize("field", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_field_of_64_kb_is_read_at_once(field: str) -> None:
    assert len(field) >= 65000
    best = min(_seconds(field) for _ in range(3))
    assert best < 0.05


def _seconds(field: str) -> float:
    begin = time.thread_time()
    parse_cookies(field)
    return time.thread_time() - begin


def test_what_is_set_comes_back_as_it_was() -> None:
    settled = CookieOptions().settled({"wsgi.url_scheme": "http"})
    value = "".join(chr(code) for code in range(0x20, 0x17F)) + '"; Path=/evil\r\nSet-Cookie: a=b'
    field = set_cookie_field("name", value, settled)
    assert field.isascii()
    assert "\n" not in field
    assert parse_cookies(field.partition("; Path=/")[0]) == {"name": [value]}


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a=b", "ä", "a\r\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a cookie"):
        set_cookie_field(name, "x", CookieOptions())


@pytest.mark.parametrize("options", [{"path": "/;x"}, {"domain": "a\r\nb"}, {"same_site": "whatever"}])
def test_options_that_would_be_other_attributes_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cookie|SameSite"):
        CookieOptions(**options).settled({})


@pytest.fixture
def app() -> Atila:
    app = Atila("app")

    @app.route("/first")
    def first(was: Any) -> str:
        if "user_id" not in was.cookie:
            was.cookie.set("user_id", "hansroh")
            # or
            was.cookie["user_id"] = "hansroh"
        return str(was.cookie.get("user_id"))

    @app.route("/set")
    def set_cookie(was: Any, **options: Any) -> str:
        settings: dict[str, Any] = {"expires": None, **options}
        if settings["expires"] and settings["expires"].isdecimal():
            settings["expires"] = int(settings["expires"])
        was.cookie.set("key", "value", **settings)
        return "set"

    @app.route("/all")
    def everything(was: Any) -> Any:
        cookie = was.cookie
        assert sorted(cookie.keys()) == sorted(cookie.iterkeys()) == sorted(cookie)
        assert list(cookie.values()) == list(cookie.itervalues())
        assert list(cookie.items()) == list(cookie.iteritems())
        assert len(cookie) == len(cookie.keys())
        return was.API({"all": dict(cookie.items()), "has": cookie.has_key("key")})

    @app.route("/clear")
    def clear(was: Any) -> str:
        was.cookie.clear()
        return str(len(was.cookie))

    @app.route("/remove")
    def remove(was: Any) -> str:
        was.cookie.remove("key")
        return str(was.cookie.get("key"))

    return app


def test_a_cookie_is_set_and_comes_back(app: Atila) -> None:
    browser = Browser(app)
    reply = browser.get("/first")
    assert reply["Set-Cookie"] == "user_id=hansroh; Path=/; SameSite=Lax"
    assert reply["Vary"] == "Cookie"
    assert not browser.get("/first").all("Set-Cookie")


@pytest.mark.parametrize(
    "query, expected",
    [
        ("", "key=value; Path=/shop; SameSite=Lax"),
        ("?path=/&domain=example.com", "key=value; Path=/; Domain=example.com; SameSite=Lax"),
        ("?secure=1&http_only=1", "key=value; Path=/shop; Secure; HttpOnly; SameSite=Lax"),
        ("?same_site=none", "key=value; Path=/shop; Secure; SameSite=None"),
        ("?expires=now", "key=value; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/shop; SameSite=Lax"),
        ("?expires=0", "key=value; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/shop; SameSite=Lax"),
    ],
)
def test_options_of_a_cookie(app: Atila, query: str, expected: str) -> None:
    assert Browser(app, mount="/shop").get("/set" + query)["Set-Cookie"] == expected


def test_options_by_position(app: Atila) -> None:
    @app.route("/positions")
    def positions(was: Any) -> str:
        was.cookie.set("key", "value", None, "/", "example.com", True, True)
        return "set"

    expected = "key=value; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax"
    assert Browser(app).get("/positions")["Set-Cookie"] == expected


def test_it_expires_when_it_is_told_to(app: Atila) -> None:
    browser = Browser(app)
    assert "; Max-Age=60; " in browser.get("/set?expires=60")["Set-Cookie"]
    assert "; Max-Age=3153600000; " in browser.get("/set?expires=never")["Set-Cookie"]


def test_it_is_secure_where_the_connection_is(app: Atila) -> None:
    assert "; Secure; " in Browser(app, scheme="https").get("/set")["Set-Cookie"]


def test_reading_is_that_of_a_dict(app: Atila) -> None:
    browser = Browser(app, cookies={"key": "x%20y", "other": "1"})
    assert browser.get("/all").json == {"all": {"key": "x y", "other": "1"}, "has": True}


def test_cookies_are_removed(app: Atila) -> None:
    browser = Browser(app, cookies={"key": "1", "other": "2"})
    assert browser.get("/remove").text == "None"
    assert browser.cookies == {"other": "2"}
    assert browser.get("/clear").text == "0"
    assert not browser.cookies
