"""Requests that no server may serve. Each must get one answer, its connection must end, and what the bytes behind it
smuggle in must never run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Final

import pytest

from tests.compliance.client import Connect

_numbers = count()


@dataclass(frozen=True)
class Case:
    """`raw` is answered with `status`; `rfc` says where that is written."""

    name: str
    rfc: str
    raw: bytes
    status: int = 400


def line(name: str, rfc: str, first: bytes, status: int = 400) -> Case:
    return Case(name, rfc, first + b"\r\nHost: a\r\n\r\n", status)


def field(name: str, rfc: str, *lines: bytes) -> Case:
    return Case(name, rfc, b"GET /x HTTP/1.1\r\nHost: a\r\n" + b"\r\n".join(lines) + b"\r\n\r\n")


def body(name: str, rfc: str, fields: bytes, content: bytes = b"", status: int = 400) -> Case:
    return Case(name, rfc, b"POST /x HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n" + content, status)


def chunks(name: str, rfc: str, content: bytes) -> Case:
    return body(name, rfc, b"Transfer-Encoding: chunked", content)


CHUNKED: Final = b"5\r\nhello\r\n0\r\n\r\n"

REQUEST_LINES: Final = [
    line("no version", "9112 3", b"GET /x"),
    line("no target", "9112 3", b"GET HTTP/1.1"),
    line("empty target", "9112 3", b"GET  HTTP/1.1"),
    line("blank in target", "9112 3.2", b"GET /a b HTTP/1.1"),
    line("blank before", "9112 3", b" GET /x HTTP/1.1"),
    line("blank behind", "9112 3", b"GET /x HTTP/1.1 "),
    line("tabs between", "9112 3", b"GET\t/x\tHTTP/1.1"),
    line("control in target", "3986 2", b"GET /a\x01b HTTP/1.1"),
    line("NUL in target", "3986 2", b"GET /a\0b HTTP/1.1"),
    line("NUL in path, escaped", "3986 7.3", b"GET /a%00b HTTP/1.1"),
    line("CR in target", "9112 2.2", b"GET /a\rb HTTP/1.1"),
    line("fragment in target", "9112 3.2", b"GET /x#y HTTP/1.1"),
    line("target without a slash", "9112 3.2", b"GET x HTTP/1.1"),
    line("asterisk for GET", "9112 3.2.4", b"GET * HTTP/1.1"),
    line("absolute target, other scheme", "9112 3.2.2", b"GET ftp://a/x HTTP/1.1"),
    line("absolute target, no host", "9110 4.2.1", b"GET http:///x HTTP/1.1"),
    line("absolute target, user name", "9110 4.2.4", b"GET http://u:p@a/x HTTP/1.1"),
    line("absolute target, open bracket", "3986 3.2.2", b"GET http://[::1/x HTTP/1.1"),
    line("absolute target, bad port", "3986 3.2.3", b"GET http://a:x/x HTTP/1.1"),
    line("CONNECT with a path", "9112 3.2.3", b"CONNECT /x HTTP/1.1"),
    line("method with a colon", "9110 5.6.2", b"GE:T /x HTTP/1.1"),
    line("method with a letter that is not a token", "9110 5.6.2", b"G\xcaT /x HTTP/1.1"),
    line("version in lower case", "9112 2.3", b"GET /x http/1.1"),
    line("version of two digits", "9112 2.3", b"GET /x HTTP/1.10"),
    line("version with a comma", "9112 2.3", b"GET /x HTTP/1,1"),
    line("version 2.0", "9110 15.6.6", b"GET /x HTTP/2.0", 505),
    line("version 0.9", "9110 15.6.6", b"GET /x HTTP/0.9", 505),
    line("HTTP/2 preface with a field", "9113 3.4", b"PRI * HTTP/2.0", 505),
    Case("TLS on a port without TLS", "9112 2.2", bytes.fromhex("16030100a5010000a10303") + b"\x11" * 158),
    Case("BOM before the request", "9112 2.2", b"\xef\xbb\xbfGET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
]

FIELDS: Final = [
    Case("no Host", "9112 3.2", b"GET /x HTTP/1.1\r\nX: y\r\n\r\n"),
    Case("no Host beside an absolute target", "9112 3.2", b"GET http://a/x HTTP/1.1\r\n\r\n"),
    field("two Hosts", "9112 3.2", b"Host: b"),
    field("two equal Hosts", "9112 3.2", b"Host: a"),
    Case("Host with a path", "9112 3.2", b"GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    Case("Host with a user", "9112 3.2", b"GET /x HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    Case("Host with a blank", "9112 3.2", b"GET /x HTTP/1.1\r\nHost: a b\r\n\r\n"),
    Case("Host as a list", "9112 3.2", b"GET /x HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    field("blank before the colon", "9112 5.1", b"X : y"),
    field("tab before the colon", "9112 5.1", b"X\t: y"),
    field("no colon", "9112 5", b"garbage"),
    field("no name", "9112 5", b": y"),
    field("blank in the name", "9110 5.1", b"X Y: z"),
    field("folded line", "9112 5.2", b"X: y", b" z"),
    field("folded line, by a tab", "9112 5.2", b"X: y", b"\tz"),
    Case("blank before the first field", "9112 2.2", b"GET /x HTTP/1.1\r\n Host: a\r\nX: y\r\n\r\n"),
    field("NUL in the value", "9110 5.5", b"X: a\0b"),
    field("CR in the value", "9112 2.2", b"X: a\rTransfer-Encoding: chunked"),
    field("LF in the value", "9112 2.2", b"X: a\nTransfer-Encoding: chunked"),
    field("vertical tab in the value", "9110 5.5", b"X: a\x0bb"),
    Case("LF for every end of line", "9112 2.2", b"GET /x HTTP/1.1\nHost: a\n\n"),
    Case("LF for the last two", "9112 2.2", b"GET /x HTTP/1.1\r\nHost: a\n\n"),
    Case("LF for the last but one", "9112 2.2", b"GET /x HTTP/1.1\r\nHost: a\n\r\n"),
]

LENGTHS: Final = [
    body(f"Content-Length {value!r}", "9112 6.3", b"Content-Length: " + value, b"hello")
    for value in (
        b"", b"-1", b"-0", b"+5", b"abc", b"0x5", b"0_5", b"5.0", b"5e0", b"5 5", b"5, 6", b"5, 5", b"5,", b'"5"',
        b"5;", b"18446744073709551616", b"9" * 5000, b"\xd9\xa5", b"\xb2", b"5\xa0", b"5\0", b"\x0b5",
    )
] + [
    body("two lengths", "9112 6.3", b"Content-Length: 5\r\nContent-Length: 6", b"hello!"),
    body("two equal lengths", "9112 6.3", b"Content-Length: 5\r\nContent-Length: 5", b"hello"),
    body("length 0 hides another", "9112 6.3", b"Content-Length: 0\r\nContent-Length: 40", b""),
    body("blank before the colon of the length", "9112 5.1", b"Content-Length : 5", b"hello"),
    body("folded length", "9112 5.2", b"Content-Length:\r\n 5", b"hello"),
]  # fmt: skip

ENCODINGS: Final = [
    body("length and chunked", "9112 6.1", b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    body("chunked and length", "9112 6.1", b"Transfer-Encoding: chunked\r\nContent-Length: 4", CHUNKED),
    Case(
        "chunked from 1.0", "9112 6.1",
        b"POST /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    ),
    body("two codings fields", "9112 6.3", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", CHUNKED),
    body("chunked twice", "9112 6.1", b"Transfer-Encoding: chunked, chunked", CHUNKED),
    body("chunked, not last", "9112 6.3", b"Transfer-Encoding: chunked, gzip", CHUNKED),
    body("unknown coding before chunked", "9112 6.1", b"Transfer-Encoding: gzip, chunked", CHUNKED, 501),
    body("blank before the colon of the coding", "9112 5.1", b"Transfer-Encoding : chunked", CHUNKED),
    body("folded coding", "9112 5.2", b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 5", CHUNKED),
    body("NUL in the name of the coding", "9110 5.1", b"Transfer-Encoding\0: chunked", CHUNKED),
    *(
        body(f"coding {value!r}", "9112 6.3", b"Transfer-Encoding: " + value + beside, CHUNKED)
        for value in (
            b"", b",", b"identity", b"gzip", b"xchunked", b"chunkedx", b'"chunked"', b"chunked;a=b", b"chun ked",
            b"chunked\0", b"\x0bchunked", b"chunked\x08", b"\xa0chunked", b"\xef\xbb\xbfchunked", b"foo, identity",
        )
        for beside in (b"", b"\r\nContent-Length: 5")
    ),
]  # fmt: skip

CHUNKS: Final = [
    *(
        chunks(f"chunk size {size!r}", "9112 7.1", size + b"\r\nhello\r\n0\r\n\r\n")
        for size in (
            b"", b"g", b"-5", b"+5", b"0x5", b"0_5", b" 5", b"\x0b5", b"5\0", b"5\xa0", b"5.0", b"5,5", b"5 5", b'"5"',
            b";a=b", b"\xd9\xa5", b"10000000000000005", b"f" * 5000,
        )
    ),
    chunks("chunk longer than its size", "9112 7.1", b"5\r\nhello!!\r\n0\r\n\r\n"),
    chunks("chunk shorter than its size", "9112 7.1", b"6\r\nhello\r\n0\r\n\r\n"),
    chunks("no CRLF behind the data", "9112 7.1", b"5\r\nhello0\r\n\r\n"),
    chunks("LF behind the data", "9112 7.1", b"5\r\nhello\n0\r\n\r\n"),
    chunks("anything behind the data", "9112 7.1", b"5\r\nhelloXX0\r\n\r\n"),
    chunks("LF behind the size", "9112 7.1", b"5\nhello\r\n0\r\n\r\n"),
    chunks("CR behind the size", "9112 7.1", b"5\rhello\r\n0\r\n\r\n"),
    chunks("NUL in an extension", "9112 7.1.1", b"5;a\0b\r\nhello\r\n0\r\n\r\n"),
    chunks("CR in an extension", "9112 7.1.1", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    chunks("LF in an extension", "9112 7.1.1", b"5;\nxx\r\n45\r\n0\r\n\r\n"),
    chunks("negative last chunk", "9112 7.1", b"5\r\nhello\r\n-0\r\n\r\n"),
    chunks("trailer without a colon", "9112 7.1.2", b"0\r\ngarbage\r\n\r\n"),
    chunks("trailer with a blank before the colon", "9112 5.1", b"0\r\nX : y\r\n\r\n"),
    chunks("folded trailer", "9112 5.2", b"0\r\nX: y\r\n z\r\n\r\n"),
]  # fmt: skip

CASES: Final = [*REQUEST_LINES, *FIELDS, *LENGTHS, *ENCODINGS, *CHUNKS]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.name} ({case.rfc})" for case in CASES])
@pytest.mark.parametrize("is_dripped", [False, True], ids=["whole", "dripped"])
def test_it_is_refused(case: Case, is_dripped: bool, connect: Connect, was_run: Callable[[str], bool]) -> None:
    path = f"/smuggled-{next(_numbers)}"
    raw = case.raw + b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()
    wire = connect()
    if is_dripped:
        wire.send(*(raw[at : at + 7] for at in range(0, len(raw), 7)))
    else:
        wire.send(raw)
    response = wire.response()
    assert response.status == case.status
    assert response.closes
    assert wire.drain()[0] == b""
    assert not was_run(path)


def test_the_instrument_sees_what_is_run(connect: Connect, was_run: Callable[[str], bool]) -> None:
    """Two whole requests at once: the second is no smuggled one, and found."""
    assert not was_run("/not-smuggled")
    wire = connect()
    wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /not-smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [wire.response().status for _ in range(2)] == [200, 200]
    assert was_run("/not-smuggled")
