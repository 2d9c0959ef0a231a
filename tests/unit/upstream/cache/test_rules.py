"""What is kept and what it may answer (RFC 9111, RFC 5861), a table for each section."""

from __future__ import annotations

import pytest

from skitaid.protocols.dates import http_date
from skitaid.upstream.cache.asked import Asked, asked_of
from skitaid.upstream.cache.directives import response_control
from skitaid.upstream.cache.freshness import Moments, Policy, policy_of, told_age_s
from skitaid.upstream.cache.rules import (
    Refusal,
    Reuse,
    freshened,
    invalidates,
    is_for,
    judge,
    may_answer_error,
    refusal,
    stored_fields,
)

NOW = 1_700_000_000.0
LONG_AGO = http_date(NOW - 10_000).encode()
Fields = dict[bytes, bytes]


def asked(method: str = "GET", **fields: str) -> Asked:
    return asked_of(method, [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()])


def policy(fields: Fields, status: int = 200, *, has_query: bool = False) -> Policy:
    return policy_of(status, fields, Moments(NOW, NOW, has_query, told_age_s(fields)))


def control(text: str) -> Fields:
    return {b"cache-control": text.encode()}


PLAIN = asked()
WITH_COOKIE = asked(cookie="id=1")
WITH_NAME = asked(authorization="Basic eDp5")


@pytest.mark.parametrize(
    ("request_", "status", "fields", "expected"),
    [
        # section 3: it says how long, or may be kept without
        (PLAIN, 200, control("max-age=60"), None),
        (PLAIN, 200, control("s-maxage=60"), None),
        (PLAIN, 200, {b"expires": http_date(NOW + 9).encode()}, None),
        (PLAIN, 200, {b"last-modified": LONG_AGO}, None),
        (PLAIN, 200, {b"etag": b'"a"'}, None),
        (PLAIN, 200, {}, Refusal.NO_LIFETIME),
        (PLAIN, 200, control("max-age=0"), Refusal.NO_LIFETIME),
        (PLAIN, 200, {**control("max-age=0"), b"etag": b'"a"'}, None),
        (PLAIN, 200, control("no-cache"), Refusal.NO_LIFETIME),
        (PLAIN, 200, {**control("no-cache"), b"etag": b'"a"'}, None),
        (PLAIN, 200, {**control("max-age=60"), b"age": b"70"}, Refusal.NO_LIFETIME),
        (PLAIN, 200, control("max-age=0, stale-while-revalidate=60"), None),
        (PLAIN, 200, control("max-age=0, stale-if-error=60"), None),
        # section 3: methods
        (asked("HEAD"), 200, control("max-age=60"), Refusal.METHOD),
        (asked("POST"), 200, control("max-age=60"), Refusal.METHOD),
        (asked("OPTIONS"), 200, control("max-age=60"), Refusal.METHOD),
        # section 3: statuses; without a lifetime only those that may be guessed about
        (PLAIN, 301, {b"etag": b'"a"'}, None),
        (PLAIN, 404, control("max-age=60"), None),
        (PLAIN, 302, {b"etag": b'"a"'}, Refusal.NO_LIFETIME),
        (PLAIN, 302, control("max-age=60"), None),
        (PLAIN, 302, {**control("public"), b"last-modified": LONG_AGO}, None),
        (PLAIN, 500, {b"etag": b'"a"'}, Refusal.NO_LIFETIME),
        (PLAIN, 503, control("max-age=60"), None),
        (PLAIN, 299, control("max-age=60"), None),
        # section 3.3: parts, and what only this request was answered
        (PLAIN, 206, control("max-age=60"), Refusal.STATUS),
        (PLAIN, 304, control("max-age=60"), Refusal.STATUS),
        (PLAIN, 401, control("max-age=60"), Refusal.STATUS),
        (PLAIN, 412, control("max-age=60"), Refusal.STATUS),
        (PLAIN, 400, control("max-age=60"), Refusal.STATUS),
        (PLAIN, 413, control("public, max-age=60"), Refusal.STATUS),
        (PLAIN, 416, control("max-age=60"), Refusal.STATUS),
        (PLAIN, 429, control("max-age=60"), Refusal.STATUS),
        (asked(range="bytes=0-1"), 200, control("max-age=60"), None),
        (asked(range="bytes=0-1"), 404, control("max-age=60"), Refusal.STATUS),
        # 5.2.1.5 and 5.2.2.5: no-store, of either side
        (asked(cache_control="no-store"), 200, control("max-age=60"), Refusal.REQUEST_NO_STORE),
        (PLAIN, 200, control("no-store, max-age=60"), Refusal.NO_STORE),
        # 5.2.2.3: must-understand goes before no-store where the status is understood
        (PLAIN, 200, control("must-understand, no-store, max-age=60"), None),
        (PLAIN, 299, control("must-understand, no-store, max-age=60"), Refusal.NO_STORE),
        # 5.2.2.7: private; with names it concerns those fields alone
        (PLAIN, 200, control("private, max-age=60"), Refusal.PRIVATE),
        (PLAIN, 200, control("public, private, max-age=60"), Refusal.PRIVATE),
        (PLAIN, 200, control('private="x-user", max-age=60'), None),
        # 3.5: Authorization; must-revalidate is not enough here, though the section lets it be
        (WITH_NAME, 200, control("max-age=60"), Refusal.AUTHORIZATION),
        (WITH_NAME, 200, control("max-age=60, must-revalidate"), Refusal.AUTHORIZATION),
        (WITH_NAME, 200, control("max-age=60, public"), None),
        (WITH_NAME, 200, control("s-maxage=60"), None),
        (asked(x_api_key="k"), 200, control("max-age=60"), Refusal.AUTHORIZATION),
        # 4.1: what varies by everything
        (PLAIN, 200, {**control("max-age=60"), b"vary": b"*"}, Refusal.VARY),
        (PLAIN, 200, {**control("public, max-age=60"), b"vary": b"accept, *"}, Refusal.VARY),
        # stricter than the RFC: a page made for whoever has this cookie
        (WITH_COOKIE, 200, control("max-age=60"), Refusal.COOKIE),
        (WITH_COOKIE, 200, {b"last-modified": LONG_AGO}, Refusal.COOKIE),
        (WITH_COOKIE, 200, {b"etag": b'"a"'}, Refusal.COOKIE),
        (WITH_COOKIE, 200, control("public, max-age=60"), None),
        (WITH_COOKIE, 200, control("s-maxage=60"), None),
        (WITH_COOKIE, 200, {**control("max-age=60"), b"vary": b"Cookie"}, None),
        # 7.3: a cookie that is set belongs to one user
        (PLAIN, 200, {**control("max-age=60"), b"set-cookie": b"id=1"}, Refusal.SET_COOKIE),
        (PLAIN, 200, {**control("s-maxage=60"), b"set-cookie": b"id=1"}, Refusal.SET_COOKIE),
        (PLAIN, 200, {**control("public, max-age=60"), b"set-cookie": b"id=1"}, None),
        (PLAIN, 200, {**control('no-cache="set-cookie", max-age=60'), b"set-cookie": b"id=1"}, None),
        (PLAIN, 200, {**control('private="Set-Cookie", max-age=60'), b"set-cookie": b"id=1"}, None),
    ],
)
def test_what_is_kept_3(request_: Asked, status: int, fields: Fields, expected: Refusal | None) -> None:
    assert refusal(request_, status, fields, policy(fields, status)) is expected


def test_nothing_is_guessed_of_a_query_4_2_2() -> None:
    fields = {b"last-modified": LONG_AGO}
    assert policy(fields).lifetime_s > 0
    assert policy(fields, has_query=True).lifetime_s == 0


@pytest.mark.parametrize(
    ("name", "is_kept"),
    [
        # 3.1: what is for the next hop, and for whoever sends the body
        (b"connection", False),
        (b"keep-alive", False),
        (b"transfer-encoding", False),
        (b"upgrade", False),
        (b"proxy-authenticate", False),
        (b"proxy-authorization", False),
        (b"proxy-authentication-info", False),
        (b"content-length", False),
        (b"x-named", False),
        # 5.1: our own age is told
        (b"age", False),
        # 5.2.2.7
        (b"x-user", False),
        # for the one who asked
        (b"set-cookie", False),
        (b"date", True),
        (b"etag", True),
        (b"content-type", True),
        (b"x-other", True),
    ],
)
def test_which_fields_are_kept_3_1(name: bytes, is_kept: bool) -> None:
    fields = [(name, b"1"), (b"connection", b"close, X-Named")]
    kept = stored_fields(fields, response_control(b'public, private="X-User"'))
    assert (name in dict(kept)) is is_kept
    assert b"connection" not in dict(kept)


@pytest.mark.parametrize(
    ("request_", "text", "varies_by", "expected"),
    [
        (PLAIN, "max-age=60", (), True),
        (WITH_COOKIE, "max-age=60", (), False),
        (WITH_COOKIE, "max-age=60", (b"cookie",), True),
        (WITH_COOKIE, "public, max-age=60", (), True),
        (WITH_NAME, "max-age=60", (), False),
        (WITH_NAME, "max-age=60", (b"cookie",), False),
        (WITH_NAME, "s-maxage=60", (), True),
    ],
)
def test_who_gets_what_is_kept(request_: Asked, text: str, varies_by: tuple[bytes, ...], expected: bool) -> None:
    assert is_for(request_, response_control(text.encode()), varies_by) is expected


FRESH, STALE, REFRESH, VALIDATE = Reuse.FRESH, Reuse.STALE, Reuse.REFRESH, Reuse.VALIDATE


@pytest.mark.parametrize(
    ("response", "request_", "age", "expected"),
    [
        # 4.2: fresh as long as its age is below its lifetime
        ("max-age=60", {}, 0, FRESH),
        ("max-age=60", {}, 59, FRESH),
        ("max-age=60", {}, 60, VALIDATE),
        ("max-age=60", {}, 600, VALIDATE),
        # 5.2.2.4: no-cache is validated each time; with names it is not
        ("max-age=60, no-cache", {}, 0, VALIDATE),
        ('max-age=60, no-cache="x-a"', {}, 0, FRESH),
        # 5.2.1.4, 5.4: the client asks for validation
        ("max-age=60", {"cache_control": "no-cache"}, 0, VALIDATE),
        ("max-age=60", {"pragma": "no-cache"}, 0, VALIDATE),
        ("max-age=60", {"pragma": "no-cache", "cache_control": "max-age=99"}, 0, FRESH),
        # 5.2.1.1: not older than
        ("max-age=60", {"cache_control": "max-age=10"}, 10, FRESH),
        ("max-age=60", {"cache_control": "max-age=10"}, 11, VALIDATE),
        ("max-age=60", {"cache_control": "max-age=0"}, 1, VALIDATE),
        ("max-age=60", {"cache_control": "max-age=900"}, 61, VALIDATE),
        # 5.2.1.3: fresh for so long still
        ("max-age=60", {"cache_control": "min-fresh=20"}, 40, FRESH),
        ("max-age=60", {"cache_control": "min-fresh=20"}, 41, VALIDATE),
        # 5.2.1.2: stale is fine, for so long or for ever
        ("max-age=60", {"cache_control": "max-stale"}, 10_000, STALE),
        ("max-age=60", {"cache_control": "max-stale=30"}, 90, STALE),
        ("max-age=60", {"cache_control": "max-stale=30"}, 91, VALIDATE),
        # 4.2.4: unless the response forbids it
        ("max-age=60, must-revalidate", {"cache_control": "max-stale"}, 61, VALIDATE),
        ("max-age=60, proxy-revalidate", {"cache_control": "max-stale"}, 61, VALIDATE),
        ("s-maxage=60", {"cache_control": "max-stale"}, 61, VALIDATE),
        ("max-age=60, no-cache", {"cache_control": "max-stale"}, 61, VALIDATE),
        # RFC 5861 section 3: stale while a new one is fetched
        ("max-age=60, stale-while-revalidate=30", {}, 60, REFRESH),
        ("max-age=60, stale-while-revalidate=30", {}, 89, REFRESH),
        ("max-age=60, stale-while-revalidate=30", {}, 90, VALIDATE),
        ("s-maxage=60, stale-while-revalidate=30", {}, 61, REFRESH),
        ("max-age=60, stale-while-revalidate=30, must-revalidate", {}, 61, VALIDATE),
        ("max-age=60, stale-while-revalidate=30", {"cache_control": "no-cache"}, 61, VALIDATE),
        ("max-age=60, stale-while-revalidate=30", {"cache_control": "max-age=5"}, 61, VALIDATE),
        ("max-age=60, stale-while-revalidate=30", {"cache_control": "min-fresh=0"}, 61, VALIDATE),
    ],
)
def test_what_a_stored_response_is_good_for_4(
    response: str, request_: dict[str, str], age: int, expected: Reuse
) -> None:
    assert judge(policy(control(response)), asked(**request_), NOW + age) is expected


@pytest.mark.parametrize(
    ("response", "request_", "age", "expected"),
    [
        # RFC 5861 section 4: by the response, by the request
        ("max-age=60, stale-if-error=30", {}, 89, True),
        ("max-age=60, stale-if-error=30", {}, 90, False),
        ("max-age=60", {}, 61, False),
        ("max-age=60", {"cache_control": "stale-if-error=30"}, 61, True),
        ("max-age=60, must-revalidate, stale-if-error=30", {}, 61, False),
        ("max-age=60, no-cache, stale-if-error=30", {}, 61, False),
        ("max-age=60, stale-if-error=30", {"cache_control": "no-cache"}, 61, False),
        ("s-maxage=60", {"cache_control": "stale-if-error=30"}, 61, False),
        ("s-maxage=60, stale-if-error=30", {}, 61, True),
    ],
)
def test_instead_of_an_error(response: str, request_: dict[str, str], age: int, expected: bool) -> None:
    assert may_answer_error(policy(control(response)), asked(**request_), NOW + age) is expected


def test_a_304_renews_the_fields_3_2() -> None:
    stored = ((b"etag", b'"a"'), (b"content-type", b"text/plain"), (b"x-a", b"1"), (b"x-a", b"2"), (b"vary", b"x"))
    news = [
        (b"date", b"now"), (b"x-a", b"3"), (b"content-length", b"0"), (b"content-encoding", b"gzip"),
        (b"connection", b"x-hop"), (b"x-hop", b"1"), (b"set-cookie", b"id=1"), (b"cache-control", b"max-age=5"),
    ]  # fmt: skip
    assert freshened(stored, news, response_control(b"max-age=5")) == (
        (b"etag", b'"a"'), (b"content-type", b"text/plain"), (b"vary", b"x"), (b"date", b"now"), (b"x-a", b"3"),
        (b"cache-control", b"max-age=5"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        # 4.4: unsafe methods, and unknown ones, that were not answered by an error
        ("POST", 200, True),
        ("PUT", 204, True),
        ("DELETE", 303, True),
        ("PATCH", 200, True),
        ("PURGE", 200, True),
        ("POST", 400, False),
        ("POST", 500, False),
        ("GET", 200, False),
        ("HEAD", 200, False),
        ("OPTIONS", 200, False),
    ],
)
def test_what_makes_the_stored_invalid_4_4(method: str, status: int, expected: bool) -> None:
    assert invalidates(method, status) is expected
