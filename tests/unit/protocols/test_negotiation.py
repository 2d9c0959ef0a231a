from __future__ import annotations

import pytest

from skitaid.protocols.negotiation import choose_coding, prefers, weights

OFFERED = (b"br", b"gzip")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", {}),
        (b"gzip", {b"gzip": 1.0}),
        (b"GZip;Q=0.5 , br ;q=0", {b"gzip": 0.5, b"br": 0.0}),
        (b"a;x=y;q=0.3, a;q=0.7", {b"a": 0.7}),
        (b"a;q=, b;q=nonsense, c;q=1.9", {b"a": 1.0, b"b": 1.0, b"c": 1.0}),
        (b",,a,", {b"a": 1.0}),
    ],
)
def test_weights(value: bytes, expected: dict[bytes, float]) -> None:
    assert weights(value) == expected


def test_a_long_field_is_not_read_to_its_end() -> None:
    assert b"last" not in weights(b"x," * 3000 + b"last")


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        (b"", None),
        (b"gzip", b"gzip"),
        (b"gzip, deflate, br", b"br"),
        (b"gzip;q=1.0, br;q=0.9", b"gzip"),
        (b"*", b"br"),
        (b"*;q=0.1", b"br"),
        (b"br;q=0, *", b"gzip"),
        (b"br;q=0, gzip;q=0", None),
        (b"identity", None),
        (b"identity, gzip", b"gzip"),
        (b"identity;q=1, gzip;q=0.5", None),
        (b"identity;q=0.5, gzip;q=1", b"gzip"),
        (b"identity;q=0", None),
        (b"deflate", None),
        (b"x-gzip-like, gzipped", None),
        (b"identity;q=1, *;q=0", None),
    ],
)
def test_the_coding_that_is_sent(accept_encoding: bytes, coding: bytes | None) -> None:
    assert choose_coding(accept_encoding, OFFERED) == coding


def test_only_what_is_offered_is_sent() -> None:
    assert choose_coding(b"br, gzip;q=0.1", (b"gzip",)) == b"gzip"
    assert choose_coding(b"br, gzip", ()) is None


@pytest.mark.parametrize(
    ("accept", "wants_json"),
    [
        (b"", False),
        (b"*/*", False),
        (b"text/html,application/xhtml+xml,*/*;q=0.8", False),
        (b"application/json", True),
        (b"application/json, */*", True),
        (b"application/json, text/html", False),
        (b"application/json;q=0.9, text/html;q=0.8", True),
        (b"application/json;q=0", False),
    ],
)
def test_what_is_preferred(accept: bytes, wants_json: bool) -> None:
    assert prefers(accept, b"application/json", b"text/html") is wants_json
