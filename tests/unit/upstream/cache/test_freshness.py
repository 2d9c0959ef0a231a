"""Freshness lifetime and age (RFC 9111 section 4.2)."""

from __future__ import annotations

import pytest

from skitaid.protocols.dates import http_date
from skitaid.upstream.cache.directives import FOREVER_S
from skitaid.upstream.cache.freshness import HEURISTIC_CAP_S, Moments, policy_of, told_age_s

NOW = 1_700_000_000.0
AT_ONCE = Moments(NOW, NOW)


def date(offset: float) -> bytes:
    return http_date(NOW + offset).encode()


@pytest.mark.parametrize(
    ("fields", "lifetime", "is_explicit"),
    [
        # 4.2.1: in this order
        ({b"cache-control": b"s-maxage=3, max-age=5", b"expires": date(9)}, 3, True),
        ({b"cache-control": b"max-age=5", b"expires": date(9)}, 5, True),
        ({b"expires": date(9), b"date": date(0)}, 9, True),
        # 5.3: Expires counts from Date, not from our clock; without Date from when it came
        ({b"expires": date(9), b"date": date(4)}, 5, True),
        ({b"expires": date(9)}, 9, True),
        ({b"expires": date(-9), b"date": date(0)}, 0, True),
        # 5.3: what is not a date is in the past
        ({b"expires": b"0"}, 0, True),
        ({b"expires": b"-1"}, 0, True),
        ({b"expires": date(9) + b", " + date(9)}, 0, True),
        # 5.2.2.1: max-age goes before Expires even when it is 0
        ({b"cache-control": b"max-age=0", b"expires": date(9)}, 0, True),
        ({b"cache-control": b"max-age=99999999999999"}, FOREVER_S, True),
        # 4.2.2: a tenth of the time since it changed, capped
        ({b"last-modified": date(-1000), b"date": date(0)}, 100, False),
        ({b"last-modified": date(-(10**8)), b"date": date(0)}, HEURISTIC_CAP_S, False),
        ({b"last-modified": date(10), b"date": date(0)}, 0, False),
        ({b"last-modified": b"no date", b"date": date(0)}, 0, False),
        ({}, 0, False),
        # 4.2.2: not where the response says how long
        ({b"cache-control": b"max-age=0", b"last-modified": date(-1000)}, 0, True),
    ],
)
def test_lifetime(fields: dict[bytes, bytes], lifetime: float, is_explicit: bool) -> None:
    policy = policy_of(200, fields, AT_ONCE)
    assert (policy.lifetime_s, policy.is_explicit) == (lifetime, is_explicit)


@pytest.mark.parametrize(
    ("status", "control", "has_query", "lifetime"),
    [
        (200, b"", False, 100),
        (301, b"", False, 100),
        (404, b"", False, 100),
        # 4.2.2: other statuses only when they say that they are public
        (302, b"", False, 0),
        (302, b"public", False, 100),
        (500, b"", False, 0),
        # nothing is guessed of what has a query: it is likely to be made for each request
        (200, b"", True, 0),
    ],
)
def test_when_a_lifetime_is_guessed_4_2_2(status: int, control: bytes, has_query: bool, lifetime: float) -> None:
    fields = {b"last-modified": date(-1000), b"date": date(0), b"cache-control": control}
    assert policy_of(status, fields, Moments(NOW, NOW, has_query)).lifetime_s == lifetime


@pytest.mark.parametrize(
    ("fields", "requested", "received", "age"),
    [
        # 4.2.3: apparent_age = max(0, response_time - date_value)
        ({b"date": date(-7)}, 0, 0, 7),
        ({b"date": date(7)}, 0, 0, 0),
        # corrected_age_value = age_value + response_delay
        ({b"date": date(0), b"age": b"30"}, -2, 0, 32),
        ({b"date": date(-50), b"age": b"30"}, -2, 0, 50),
        # 5.1: of several the first; what can't be read is ignored
        ({b"date": date(0), b"age": b"5, 30"}, 0, 0, 5),
        ({b"date": date(0), b"age": b"x"}, 0, 0, 0),
        ({b"date": date(0), b"age": b"-5"}, 0, 0, 0),
        ({b"date": date(0), b"age": b"99999999999"}, 0, 0, FOREVER_S),
        # no Date: its making is its coming
        ({b"age": b"4"}, -3, 0, 7),
    ],
)
def test_age_when_it_comes_4_2_3(fields: dict[bytes, bytes], requested: float, received: float, age: float) -> None:
    moments = Moments(NOW + requested, NOW + received, told_age_s=told_age_s(fields))
    policy = policy_of(200, fields, moments)
    assert policy.initial_age_s == age
    assert policy.age_s(NOW + 10) == age + 10


def test_it_is_fresh_until_its_age_is_its_lifetime() -> None:
    policy = policy_of(200, {b"cache-control": b"max-age=60"}, Moments(NOW, NOW, told_age_s=20))
    assert policy.fresh_until == NOW + 40


def test_what_must_be_validated_is_never_fresh_5_2_2_4() -> None:
    assert policy_of(200, {b"cache-control": b"max-age=60, no-cache"}, AT_ONCE).fresh_until == 0


def test_a_clock_that_was_set_back_makes_it_stale() -> None:
    policy = policy_of(200, {b"cache-control": b"max-age=60"}, AT_ONCE)
    assert policy.age_s(NOW - 1) == 0
    assert policy.age_s(NOW - 3600) >= policy.lifetime_s
