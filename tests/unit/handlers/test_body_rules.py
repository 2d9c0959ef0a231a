from __future__ import annotations

import pytest

from skitaid.handlers.body_rules import NO_RULES, BodyRules
from skitaid.protocols.http1.head import RequestHead, parse_head

RULES = BodyRules(max_bytes=5, max_form_bytes=20)


def head(kind: str | None) -> RequestHead:
    field = "" if kind is None else f"\r\nContent-Type: {kind}"
    return parse_head(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3{field}".encode())


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("multipart/form-data; boundary=x", 20),
        ("Multipart/Form-Data;boundary=x", 20),
        ("multipart/mixed", 20),
        ("multipart", 5),
        ("application/x-www-form-urlencoded", 5),
        ("application/json", 5),
        ("text/multipart/", 5),
        ("", 5),
        (None, 5),
    ],
)
def test_the_limit_goes_by_the_kind(kind: str | None, limit: int) -> None:
    assert RULES.limit(head(kind)) == limit


@pytest.mark.parametrize("kind", ["multipart/form-data", "text/plain", None])
def test_one_limit_for_all(kind: str | None) -> None:
    assert BodyRules.of(7).limit(head(kind)) == 7
    assert NO_RULES.limit(head(kind)) is None


def test_an_announced_body_that_is_too_long_is_refused_at_once() -> None:
    long = parse_head(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11")
    assert [BodyRules.refusal(long, limit) for limit in (None, 12, 11)] == [None] * 3
    assert "10 bytes" in str(BodyRules.refusal(long, 10))
    chunked = parse_head(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked")
    assert BodyRules.refusal(chunked, 10) is None
