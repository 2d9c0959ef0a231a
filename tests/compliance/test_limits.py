"""How much a client may send, and that it may send it for as long as it likes without harm."""

from __future__ import annotations

import threading

import pytest

from tests.compliance.client import Connect, Response, Wire
from tests.compliance.server import MAX_BODY_BYTES


def answer_to(wire: Wire, *pieces: bytes) -> Response:
    """The answer to what is sent while it is read: a server need not take everything before it answers."""
    sender = threading.Thread(target=wire.send, args=pieces)
    sender.start()
    try:
        return wire.response()
    finally:
        sender.join()


@pytest.mark.parametrize(("size", "status"), [(16_000, 200), (17_000, 414), (100_000, 414), (3_000_000, 414)])
def test_the_request_line(size: int, status: int, connect: Connect) -> None:
    """RFC 9112 section 3: at least 8000 bytes; 414 beyond what the server takes."""
    wire = connect()
    assert answer_to(wire, b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: a\r\n\r\n").status == status


@pytest.mark.parametrize(("size", "status"), [(60_000, 200), (70_000, 431), (3_000_000, 431)])
def test_one_field(size: int, status: int, connect: Connect) -> None:
    """RFC 6585 section 5."""
    wire = connect()
    assert answer_to(wire, b"GET /x HTTP/1.1\r\nHost: a\r\nX: " + b"a" * size + b"\r\n\r\n").status == status


@pytest.mark.parametrize(("count", "status"), [(200, 200), (300, 431), (50_000, 431)])
def test_many_fields(count: int, status: int, connect: Connect) -> None:
    """RFC 6585 section 5."""
    lines = b"".join(b"X-%d: y\r\n" % number for number in range(count))
    assert answer_to(connect(), b"GET /x HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n").status == status


def test_blanks_cost_no_time(connect: Connect) -> None:
    """A field of nothing but blanks before a bad byte is refused as quickly as any other."""
    raw = b"GET /x HTTP/1.1\r\nHost: a\r\nX:" + b" " * 60_000 + b"\0\r\n\r\n"
    for _ in range(20):
        assert connect().ask(raw).status == 400


def test_a_body_that_announces_too_much(connect: Connect) -> None:
    """RFC 9110 section 15.5.14: refused before it is sent."""
    wire = connect()
    raw = b"POST /too-long HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1)
    assert wire.ask(raw).status == 413
    assert connect().ask(b"GET /was-run?/too-long HTTP/1.1\r\nHost: a\r\n\r\n").body == b"no"


def test_a_body_that_announces_too_much_is_not_asked_for(connect: Connect) -> None:
    """RFC 9110 section 10.1.1."""
    raw = b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1)
    response = connect().ask(raw)
    assert response.status == 413
    assert response.closes


def test_the_longest_body(connect: Connect) -> None:
    wire = connect()
    raw = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % MAX_BODY_BYTES
    assert len(answer_to(wire, raw, b"a" * MAX_BODY_BYTES).json["body"]) == MAX_BODY_BYTES


def test_chunks_beyond_the_limit(connect: Connect) -> None:
    """RFC 9110 section 15.5.14, also when an app has begun to read."""
    wire = connect()
    raw = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    response = answer_to(wire, raw, *[chunk] * (MAX_BODY_BYTES // 65536 + 2), b"0\r\n\r\n")
    assert (response.status, response.closes) == (413, True)
    assert wire.drain()[0] == b""


@pytest.mark.parametrize(
    "flood",
    [
        b"5;" + b"e" * 1_000_000,
        b"1;%b\r\nx\r\n" % (b"e" * 4000) * 300,
        b"0\r\n" + b"X: y\r\n" * 50_000,
        b"0\r\nX: " + b"a" * 1_000_000,
        b"0" * 1_000_000,
    ],
    ids=["one extension", "extensions", "trailers", "one trailer", "zeros"],
)
def test_what_is_around_the_data_of_chunks(flood: bytes, connect: Connect) -> None:
    """RFC 9112 section 7.1.1."""
    wire = connect()
    assert answer_to(wire, b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", flood).status == 400
    assert wire.drain()[0] == b""


def test_small_chunks_are_no_flood(connect: Connect) -> None:
    wire = connect()
    raw = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
    assert len(answer_to(wire, raw).json["body"]) == 50_000
