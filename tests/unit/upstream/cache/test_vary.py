"""Which response a request selects (RFC 9111 section 4.1)."""

from __future__ import annotations

import pytest

from skitaid.upstream.cache.vary import is_everything, normalized, selects, variant_of, vary_names


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, ()),
        (b"", ()),
        (b"Accept-Encoding", (b"accept-encoding",)),
        (b"Cookie, accept-encoding,COOKIE", (b"accept-encoding", b"cookie")),
        (b"*", (b"*",)),
    ],
)
def test_names(value: bytes | None, names: tuple[bytes, ...]) -> None:
    assert vary_names(value) == names


def test_a_star_is_found_anywhere() -> None:
    assert is_everything(vary_names(b"accept, *"))
    assert not is_everything(vary_names(b"accept"))


@pytest.mark.parametrize(
    ("name", "one", "other", "is_same"),
    [
        # the same codings in another order, case, weight
        (b"accept-encoding", b"gzip, br", b"BR,gzip;q=0.5", True),
        (b"accept-encoding", b"gzip, deflate, br", b"br, gzip", False),
        (b"accept-encoding", b"gzip", b"gzip;q=0", False),
        (b"accept-encoding", b"gzip;q=0", b"", True),
        (b"accept-encoding", b"gzip", b"gzip, identity", True),
        (b"accept-encoding", b"gzip", b"gzip, identity;q=0", False),
        (b"accept-encoding", b"gzip, *;q=0", b"gzip, identity;q=0", True),
        (b"accept-encoding", b"gzip, *;q=0, identity", b"gzip", True),
        (b"accept-encoding", b"*", b"gzip", False),
        # blanks, and case where it means nothing
        (b"accept-language", b"de,  EN;q=0.5", b"de,en;q=0.5", True),
        (b"accept-language", b"de, en", b"en, de", False),
        (b"accept", b"text/HTML", b"text/html", True),
        (b"x-mode", b" a , b ", b"a,b", True),
        # anything else as it is
        (b"cookie", b"a=B", b"a=b", False),
        (b"user-agent", b"curl/8", b"Curl/8", False),
    ],
)
def test_values_that_mean_the_same(name: bytes, one: bytes, other: bytes, is_same: bool) -> None:
    assert (normalized(name, one) == normalized(name, other)) is is_same


def test_a_field_that_is_missing_is_not_an_empty_one() -> None:
    assert normalized(b"cookie", None) is None
    assert normalized(b"cookie", b"") == b""


def test_a_request_selects_the_variant_it_would_get() -> None:
    names = vary_names(b"Accept-Language, Cookie")
    variant = variant_of(names, {b"accept-language": b"DE"}.get)
    assert variant == ((b"accept-language", b"de"), (b"cookie", None))
    assert selects(variant, {b"accept-language": b"de", b"accept": b"*/*"}.get)
    assert not selects(variant, {b"accept-language": b"de", b"cookie": b"a=1"}.get)
    assert not selects(variant, {}.get)
    assert selects((), {b"cookie": b"a=1"}.get)


def test_long_values_are_compared_too() -> None:
    variant = variant_of((b"cookie",), {b"cookie": b"a" * 1000}.get)
    assert selects(variant, {b"cookie": b"a" * 1000}.get)
    assert not selects(variant, {b"cookie": b"a" * 999 + b"b"}.get)
