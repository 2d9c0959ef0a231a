"""Tokens against forged forms, for links, and JSON web tokens."""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest

from skitaid.atila import Atila
from skitaid.atila.context import Context
from skitaid.atila.security.jwt import TokenProblem, read_claims
from skitaid.atila.security.signing import sign
from tests.unit.atila.browser import Browser

KEY = "5b2c4f18-01fd-4b85-8cfa-01827878562f"


@pytest.fixture
def app() -> Atila:
    app = Atila("app")
    app.securekey = KEY

    @app.route("/form")
    def form(was: Any) -> str:
        return f"<form>{was.csrf_token_input}{was.csrf_token}</form>"

    @app.route("/verify")
    def verify(was: Any, **form: Any) -> str:
        return str(was.csrf_verify(keep="keep" in form))

    @app.route("/mkott")
    def mkott(was: Any) -> Any:
        # valid within 1 hour and create session token named '_reset_token'
        return was.mkott("hans", 3600, "rset")

    @app.route("/deott")
    def deott(was: Any, token: str) -> Any:
        return str(was.deott(token))

    @app.route("/rvott")
    def rvott(was: Any, token: str) -> Any:
        return str(was.rvott(token))

    return app


def token_of(page: str) -> str:
    match = re.search(r'<input type="hidden" name="XSRF_TOKEN" value="([\w=-]+)">', page)
    assert match is not None
    return match[1]


def test_a_form_of_ours_is_verified_once(app: Atila) -> None:
    browser = Browser(app)
    token = token_of(browser.get("/form").text)
    assert browser.post("/verify", {"XSRF_TOKEN": token, "keep": "1"}).text == "True"
    assert browser.post("/verify", {"XSRF_TOKEN": token}).text == "True"
    assert browser.post("/verify", {"XSRF_TOKEN": token}).text == "False"


def test_a_script_sends_it_as_a_field(app: Atila) -> None:
    browser = Browser(app)
    token = token_of(browser.get("/form").text)
    assert browser.post_json("/verify", {}, x_xsrf_token=token).text == "True"


def test_a_page_shows_another_mask_each_time(app: Atila) -> None:
    browser = Browser(app)
    first, second = (token_of(browser.get("/form").text) for _ in range(2))
    assert first != second
    assert browser.post("/verify", {"XSRF_TOKEN": first, "keep": "1"}).text == "True"
    assert browser.post("/verify", {"XSRF_TOKEN": second, "keep": "1"}).text == "True"


@pytest.mark.parametrize("token", ["", "x", "A" * 48, "é", "=" * 48])
def test_another_token_is_refused(app: Atila, token: str) -> None:
    browser = Browser(app)
    browser.get("/form")
    assert browser.post("/verify", {"XSRF_TOKEN": token}).text == "False"


def test_the_token_of_another_browser_is_refused(app: Atila) -> None:
    token = token_of(Browser(app).get("/form").text)
    other = Browser(app)
    other.get("/form")
    assert other.post("/verify", {"XSRF_TOKEN": token}).text == "False"
    assert Browser(app).post("/verify", {"XSRF_TOKEN": token}).text == "False"


def test_the_example_of_before_request(app: Atila) -> None:
    @app.before_request
    def before_request(was: Any) -> Any:
        if was.request.args.get("username") and not was.csrf_verify():
            return was.response("400 Bad Request")
        return None

    browser = Browser(app)
    assert browser.post("/verify", {"username": "hans"}).status == 400
    token = token_of(browser.get("/form").text)
    assert browser.post("/verify", {"username": "hans", "XSRF_TOKEN": token}).status == 200


# ---------------------------------------------------------------- one-time tokens


def test_a_link_works_in_this_browser_until_it_is_taken_back(app: Atila) -> None:
    browser = Browser(app)
    token = browser.get("/mkott").text
    assert browser.get(f"/deott?token={token}").text == "hans"
    assert Browser(app).get(f"/deott?token={token}").text == "None"
    assert browser.get(f"/rvott?token={token}").text == "True"
    assert browser.get(f"/deott?token={token}").text == "None"
    assert browser.get(f"/rvott?token={token}").text == "False"


def test_a_newer_token_takes_the_place_of_the_older(app: Atila) -> None:
    browser = Browser(app)
    first, second = browser.get("/mkott").text, browser.get("/mkott").text
    assert browser.get(f"/deott?token={first}").text == "None"
    assert browser.get(f"/deott?token={second}").text == "hans"


def context(cookie: str = "") -> Any:
    app = Atila("app")
    app.securekey = KEY
    return Context(app, {"HTTP_COOKIE": cookie, "wsgi.url_scheme": "http"})


def test_a_token_without_a_session_works_anywhere_until_it_is_over() -> None:
    token = context().mkott({"user": ("hans", 1)}, 3600)
    assert re.fullmatch(r"[\w.-]+", token)
    assert context().deott(token) == context().deott(token.replace("_", " ")) == {"user": ("hans", 1)}
    assert context().deott(context().mkott("hans", 0)) is None
    with pytest.raises(ValueError, match="made with a session key"):
        context().rvott(token)


def test_the_older_names() -> None:
    was = context()
    token = was.mktoken("hans", 60, "key")
    assert was.detoken(token) == "hans"
    assert was.rmtoken(token)
    assert was.detoken(was.token("hans")) == "hans"


@pytest.mark.parametrize("token", [None, 5, "", "a.b", sign(["admin", 1e12, None, ""], (KEY,), "atila-session")])
def test_what_is_no_token_of_ours_is_nothing(token: Any) -> None:
    assert context().deott(token) is None
    assert context().rvott(token) is False


# ---------------------------------------------------------------- JSON web tokens


def test_what_we_make_others_read_and_the_other_way_round() -> None:
    claims = {"username": "hansroh", "exp": time.time() + 3600}
    token = context().mkjwt(claims)
    assert "=" not in token
    assert jwt.decode(token, KEY, algorithms=["HS256"]) == claims
    assert context().dejwt(jwt.encode(claims, KEY, algorithm="HS256")) == claims


@pytest.mark.parametrize(
    "claims, problem",
    [
        ({"exp": 1000}, "token expired"),
        ({"exp": 999.5}, "token expired"),
        ({"exp": "tomorrow"}, "invalid token"),
        ({"exp": True}, "invalid token"),
        ({"nbf": 1001}, "token not activated yet"),
        ({"exp": 1001, "nbf": 1000, "aud": "others", "iat": 5000, "sub": 5}, None),
    ],
)
def test_the_times_of_a_token_are_judged(claims: dict[str, Any], problem: str | None) -> None:
    token = context().mkjwt(claims)
    assert read_claims(token, (KEY,), now=1000).get("err") == problem


def _part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_that_is_not_signed_by_us_is_not_believed() -> None:
    claims = {"username": "admin"}
    unsigned = f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."
    good = context().mkjwt(claims)
    listed = jwt.PyJWS().encode(b"[1]", KEY, algorithm="HS256")
    for token in (
        unsigned, "", "x", "a.b.c", "é.é.é", good + "=", good + "\n", good[:-1], "A" * 20000, listed,
        jwt.encode(claims, "another key that is long enough for it", algorithm="HS256"),
    ):  # fmt: skip
        found = context().dejwt(token)
        assert isinstance(found["err"], TokenProblem), token


def test_each_key_is_tried() -> None:
    was = context()
    token = was.mkjwt({"username": "hans"})
    was.app.securekey = ["a new key", KEY]
    assert was.dejwt(token) == {"username": "hans"}
    assert context().dejwt(was.mkjwt({"username": "hans"})) == {"err": "invalid token"}


def test_an_algorithm_that_is_none_of_ours() -> None:
    with pytest.raises(ValueError, match="expected one of HS256"):
        context().mkjwt({}, "none")
    with pytest.raises(TypeError, match="can't be a claim"):
        context().mkjwt({"a": object()})
