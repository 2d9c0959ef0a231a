"""Cache-Control, by the sections of RFC 9111 and RFC 5861."""

from __future__ import annotations

import time

import pytest

from skitaid.upstream.cache.directives import (
    FOREVER_S,
    RequestControl,
    ResponseControl,
    request_control,
    response_control,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # 5.2.1: each directive of a request
        (b"max-age=5", RequestControl(max_age=5)),
        (b"max-stale", RequestControl(max_stale=FOREVER_S)),
        (b"max-stale=60", RequestControl(max_stale=60)),
        (b"min-fresh=20", RequestControl(min_fresh=20)),
        (b"no-cache", RequestControl(no_cache=True)),
        (b"no-store", RequestControl(no_store=True)),
        (b"only-if-cached", RequestControl(only_if_cached=True)),
        (b"no-transform", RequestControl()),
        # RFC 5861 section 4
        (b"stale-if-error=30", RequestControl(stale_if_error=30)),
        # 5.2: names whatever their case, a quoted argument, blanks, several
        (b'Max-Age="7" ,  NO-CACHE', RequestControl(max_age=7, no_cache=True)),
        (b", ,max-age=5,", RequestControl(max_age=5)),
        # 5.2.3: what is not known is ignored
        (b'community="a, b", max-age=5', RequestControl(max_age=5)),
        # what can't be read is taken as the stricter
        (b"max-age=x", RequestControl(max_age=0)),
        (b"max-age", RequestControl(max_age=0)),
        (b"max-age=-1", RequestControl(max_age=0)),
        (b"max-stale=x", RequestControl(max_stale=0)),
        (b"min-fresh=x", RequestControl(min_fresh=FOREVER_S)),
        # 1.2.2: too great a number
        (b"max-age=99999999999", RequestControl(max_age=FOREVER_S)),
        (b"max-age=" + b"9" * 5000, RequestControl(max_age=FOREVER_S)),
        (b"", RequestControl()),
    ],
)
def test_requests(value: bytes, expected: RequestControl) -> None:
    assert request_control(value) == expected


@pytest.mark.parametrize(
    ("control", "pragma", "expected"),
    [
        (None, b"no-cache", RequestControl(no_cache=True)),
        (None, b"x, No-Cache", RequestControl(no_cache=True)),
        (None, b"other", RequestControl()),
        (b"max-age=3", b"no-cache", RequestControl(max_age=3)),
        (None, None, RequestControl()),
    ],
)
def test_pragma_counts_without_cache_control_5_4(
    control: bytes | None, pragma: bytes | None, expected: RequestControl
) -> None:
    assert request_control(control, pragma) == expected


def test_silence_is_known() -> None:
    assert request_control(b"no-transform").is_silent
    assert not request_control(b"max-stale").is_silent


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"max-age=5", ResponseControl(max_age=5)),
        (b"s-maxage=6, max-age=5", ResponseControl(s_maxage=6, max_age=5)),
        (b"public", ResponseControl(public=True)),
        (b"private", ResponseControl(private=True)),
        (b"no-store", ResponseControl(no_store=True)),
        (b"no-cache", ResponseControl(no_cache=True)),
        (b"must-revalidate", ResponseControl(must_revalidate=True)),
        (b"proxy-revalidate", ResponseControl(must_revalidate=True)),
        (b"must-understand, no-store", ResponseControl(must_understand=True, no_store=True)),
        (b"stale-while-revalidate=9", ResponseControl(stale_while_revalidate=9)),
        (b"stale-if-error=9", ResponseControl(stale_if_error=9)),
        # 5.2.2.4, 5.2.2.7: with field names they concern those alone
        (b'private="X-User, Set-Cookie"', ResponseControl(withheld=frozenset({b"x-user", b"set-cookie"}))),
        (b'no-cache="Set-Cookie"', ResponseControl(withheld=frozenset({b"set-cookie"}))),
        (b"no-cache=set-cookie", ResponseControl(withheld=frozenset({b"set-cookie"}))),
        # both forms: the one without names holds
        (b'private="a", private', ResponseControl(private=True, withheld=frozenset({b"a"}))),
        # a quote that never ends, or nothing in it: the form without names
        (b'private="a', ResponseControl(private=True)),
        (b'no-cache=""', ResponseControl(no_cache=True)),
        # 4.2.1: conflicting or invalid numbers make it stale
        (b"max-age=5, max-age=9", ResponseControl(max_age=0)),
        (b"max-age=5, max-age=5", ResponseControl(max_age=5)),
        (b"max-age=5.5", ResponseControl(max_age=0)),
        (b"s-maxage=, max-age=9", ResponseControl(s_maxage=0, max_age=9)),
        (b'max-age="10"', ResponseControl(max_age=10)),
        # a comma inside of quotes divides nothing
        (b'x="a, no-store", max-age=5', ResponseControl(max_age=5)),
    ],
)
def test_responses(value: bytes, expected: ResponseControl) -> None:
    assert response_control(value) == expected


def test_a_response_for_everybody() -> None:
    assert response_control(b"public").is_shared
    assert response_control(b"s-maxage=1").is_shared
    assert not response_control(b"max-age=1").is_shared
    assert not response_control(b"public, private").is_shared
    assert response_control(None) == ResponseControl()


def test_a_hostile_value_is_read_in_one_pass() -> None:
    since = time.process_time()
    for value in (b'a="\\' * 20_000, b'a="' + b"x" * 60_000, b"," * 60_000, b'a="\\"' * 15_000):
        assert response_control(value).max_age is None
    assert time.process_time() - since < 2.0
