"""Heads made once for many responses, and bodies that pass the protocol by."""

from __future__ import annotations

import pytest

from skitaid.protocols.errors import ResponseError
from skitaid.protocols.http1.response import Field, Http1Exchange, Stamp, prepare_head

FIELDS: list[Field] = [("Content-Type", "text/plain"), ("ETag", '"x"')]
STAMP = Stamp(b"Date: now\r\n", b"Server: s\r\n", b"Server: s\r\nDate: now\r\n")


def started(method: str = "GET", *fields: Field, minor: int = 1) -> Http1Exchange:
    exchange = Http1Exchange(method, minor, is_persistent=True)
    exchange.start("200 OK", fields, STAMP)
    return exchange


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("is_persistent", [True, False])
def test_a_prepared_response_is_that_of_respond(method: str, minor: int, is_persistent: bool) -> None:
    head = prepare_head("200 OK", FIELDS, 5)
    prepared = Http1Exchange(method, minor, is_persistent).respond_prepared(head, b"hello", STAMP)
    assert prepared == Http1Exchange(method, minor, is_persistent).respond("200 OK", FIELDS, b"hello", STAMP)


def test_it_counts_as_started() -> None:
    exchange = Http1Exchange("GET", 1, is_persistent=True)
    exchange.respond_prepared(prepare_head("200 OK", [], 0), b"", STAMP)
    assert exchange.is_started


@pytest.mark.parametrize(
    ("status", "field"),
    [
        ("200 OK", ("Date", "today")),
        ("200 OK", ("Server", "other")),
        ("200 OK", ("Connection", "close")),
        ("200 OK", ("Content-Length", "5")),
        ("304 Not Modified", ("ETag", '"x"')),
        ("100 Continue", ("ETag", '"x"')),
        ("200 OK", ("X", "a\r\nb")),
    ],
)
def test_what_can_not_be_prepared(status: str, field: Field) -> None:
    with pytest.raises(ResponseError):
        prepare_head(status, [field], 5)


def test_bytes_that_pass_by_are_counted() -> None:
    exchange = started("GET", ("Content-Length", "10"))
    assert exchange.data(b"123") == b"123"
    assert exchange.pass_over(5)
    assert not exchange.is_complete
    assert exchange.data(b"90too long") == b"90"
    assert exchange.is_complete
    assert exchange.end() == b""
    assert exchange.is_persistent


def test_fewer_than_promised_end_the_connection() -> None:
    exchange = started("GET", ("Content-Length", "10"))
    assert exchange.pass_over(9)
    exchange.end()
    assert not exchange.is_persistent


def test_more_than_promised_must_not_pass() -> None:
    exchange = started("GET", ("Content-Length", "10"))
    with pytest.raises(ResponseError, match="promised"):
        exchange.pass_over(11)


def test_nothing_passes_into_chunks() -> None:
    with pytest.raises(ResponseError, match="promised"):
        started("GET").pass_over(1)


def test_until_the_end_of_the_connection_anything_passes() -> None:
    exchange = started("GET", minor=0)
    assert exchange.pass_over(1 << 40)
    assert not exchange.is_persistent


def test_head_gets_nothing() -> None:
    assert not started("HEAD", ("Content-Length", "10")).pass_over(10)
    assert not started("HEAD").pass_over(10)
