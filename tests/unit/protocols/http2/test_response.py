"""Responses as header blocks; what apps give is checked as for HTTP/1."""

from __future__ import annotations

import pytest
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from skitaid.protocols.errors import ResponseError
from skitaid.protocols.http1.response import Stamp, prepare_head
from skitaid.protocols.http2.encoding import block_of_fields, block_of_lines
from skitaid.protocols.http2.response import Http2Exchange

STAMP = Stamp(b"Date: today\r\n", b"Server: skitaid\r\n", b"Server: skitaid\r\nDate: today\r\n")
ADDED = [("server", "skitaid"), ("date", "today")]


def read(block: bytes) -> list[tuple[str, str]]:
    return [(name, value) for name, value in Decoder().decode(block)]


@pytest.mark.parametrize("times", [1, 3])
def test_a_whole_response(times: int) -> None:
    """And the same when its parts are known."""
    for _ in range(times):
        exchange = Http2Exchange("GET")
        body = exchange.respond("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")], b"hello", STAMP)
        fields = [(":status", "200"), ("content-type", "text/plain"), ("content-length", "5"), *ADDED]
        assert (body, read(exchange.block)) == (b"hello", fields)
        assert exchange.is_started and exchange.is_complete


def test_a_length_is_added() -> None:
    exchange = Http2Exchange("GET")
    exchange.respond("404 Not Found", [], b"x" * 300, STAMP)
    assert read(exchange.block) == [(":status", "404"), ("content-length", "300"), *ADDED]


def test_fields_about_the_connection_are_left_out() -> None:
    exchange = Http2Exchange("GET")
    fields = [("Connection", "close"), ("Upgrade", "h2c"), ("Keep-Alive", "3"), ("Transfer-Encoding", "chunked")]
    exchange.start("200 OK", [*fields, ("X-A", "b")], STAMP)
    assert read(exchange.block) == [(":status", "200"), ("x-a", "b"), *ADDED]


def test_dates_and_servers_of_the_app_stay() -> None:
    exchange = Http2Exchange("GET")
    exchange.start("200 OK", [("Date", "then"), ("Server", "app")], STAMP)
    assert read(exchange.block) == [(":status", "200"), ("date", "then"), ("server", "app")]


def test_head_has_no_body() -> None:
    exchange = Http2Exchange("HEAD")
    assert exchange.respond("200 OK", [("Content-Length", "5")], b"", STAMP) == b""
    assert exchange.is_bodiless and ("content-length", "5") in read(exchange.block)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "205 Reset Content"])
def test_statuses_without_a_body(status: str) -> None:
    exchange = Http2Exchange("GET")
    assert exchange.respond(status, [("Content-Length", "5")], b"hello", STAMP) == b""
    assert exchange.is_bodiless
    assert dict(read(exchange.block)).get("content-length") == ("5" if status[:3] == "304" else None)


@pytest.mark.parametrize(("body", "left", "sent"), [(b"hello", -2, b"hel"), (b"h", 2, b"h")])
def test_another_length_than_promised(body: bytes, left: int, sent: bytes) -> None:
    whole = Http2Exchange("GET")
    assert whole.respond("200 OK", [("Content-Length", "3")], body, STAMP) == sent
    assert whole.left == left and whole.is_complete == (left < 0)
    pieces = Http2Exchange("GET")
    pieces.start("200 OK", [("Content-Length", "3")], STAMP)
    assert pieces.data(body) == sent
    assert pieces.left == left and pieces.is_complete == (left < 0)


def test_heads_made_before() -> None:
    exchange = Http2Exchange("GET")
    assert exchange.respond_prepared(prepare_head("200 OK", [("ETag", "x")], 5), b"hello", STAMP) == b"hello"
    assert read(exchange.block) == [(":status", "200"), ("etag", "x"), ("content-length", "5"), *ADDED]


def test_trailers_and_interims() -> None:
    exchange = Http2Exchange("GET")
    exchange.interim("103 Early Hints", [("Link", "</a.css>; rel=preload")])
    assert exchange.interims is not None
    assert read(exchange.interims[0]) == [(":status", "103"), ("link", "</a.css>; rel=preload")]
    assert not exchange.is_started
    exchange.start("200 OK", [], STAMP)
    exchange.end([("grpc-status", "0")])
    assert read(exchange.trailers) == [("grpc-status", "0")]


@pytest.mark.parametrize("field", [("A\r\nB", "c"), ("A", "b\nc"), ("A", "\0"), ("A b", "c")])
def test_fields_that_cannot_be_sent(field: tuple[str, str]) -> None:
    with pytest.raises(ResponseError):
        Http2Exchange("GET").respond("200 OK", [field], b"", STAMP)


def test_cookies_are_kept_in_no_table() -> None:
    block = block_of_lines(b"Set-Cookie: a=b\r\n")
    assert block[0] & 0xF0 == 0x10


_NAMES = st.from_regex(rb"[a-z][a-z0-9-]{0,30}", fullmatch=True)
_VALUES = st.one_of(st.from_regex(rb"[!-~]{0,20}", fullmatch=True), st.integers(0, 70000).map(lambda size: b"v" * size))


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=8))
def test_what_is_encoded_is_decoded(fields: list[tuple[bytes, bytes]]) -> None:
    decoder = Decoder(1 << 30)
    for _ in range(2):
        assert list(decoder.decode(block_of_fields(fields), raw=True)) == fields
    assert not decoder.header_table.dynamic_entries
