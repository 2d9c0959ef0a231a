"""Calls on the wire, and what must not get there."""

from __future__ import annotations

import pytest

from skitaid.protocols.http1.request import (
    BodyWriter,
    RequestError,
    field_lines,
    framing_line,
    replaced_line,
    request_line,
)


def test_a_request_line() -> None:
    assert request_line("GET", b"/a?b=c") == b"GET /a?b=c HTTP/1.1"
    assert request_line("OPTIONS", b"*") == b"OPTIONS * HTTP/1.1"


@pytest.mark.parametrize(
    ("method", "target"),
    [("GE T", b"/"), ("", b"/"), ("GET\r\n", b"/"), ("GÉT", b"/"), ("GET", b""), ("GET", b"/ b"), ("GET", b"/\r\nX: y"),
     ("GET", b"/\x00"), ("GET", b"/\t")],
)  # fmt: skip
def test_a_line_that_would_be_another_is_refused(method: str, target: bytes) -> None:
    with pytest.raises(RequestError):
        request_line(method, target)


def test_fields_are_lines() -> None:
    fields = ((b"accept", b"*/*"), (b"x-empty", b""), (b"x-text", b"\xc3\xa9\t;"))
    expected = b"accept: */*\r\nx-empty: \r\nx-text: \xc3\xa9\t;\r\n"
    assert field_lines(fields) == field_lines(list(fields)) == expected


def test_what_the_sender_makes_is_not_taken_from_the_caller() -> None:
    names = [b"Host", b"content-length", b"Transfer-Encoding", b"connection", b"Keep-Alive", b"TE", b"upgrade"]
    assert field_lines([(name, b"1") for name in names]) == b""


@pytest.mark.parametrize(
    "field",
    [(b"a b", b""), (b"", b"x"), (b"a:", b"x"), (b"a", b"x\r\ny: z"), (b"a", b"x\n"), (b"a", b"\x00"), (b"a\n", b"")],
)
def test_a_field_that_would_be_two_is_refused(field: tuple[bytes, bytes]) -> None:
    for _ in range(2):
        with pytest.raises(RequestError):
            field_lines([field])


@pytest.mark.parametrize(
    ("method", "length", "line"),
    [
        ("GET", 0, b""),
        ("DELETE", 0, b""),
        ("POST", 0, b"Content-Length: 0\r\n"),
        ("GET", 3, b"Content-Length: 3\r\n"),
        ("PUT", None, b"Transfer-Encoding: chunked\r\n"),
    ],
)
def test_how_long_a_body_is_said_to_be(method: str, length: int | None, line: bytes) -> None:
    assert framing_line(method, length) == line


def test_a_body_of_known_length() -> None:
    writer = BodyWriter(5)
    assert writer.data(b"abc") + writer.data(b"") + writer.data(b"de") + writer.end() == b"abcde"


def test_a_body_of_another_length_than_promised_is_refused() -> None:
    with pytest.raises(RequestError, match="longer"):
        BodyWriter(2).data(b"abc")
    writer = BodyWriter(2)
    writer.data(b"a")
    with pytest.raises(RequestError, match="1 bytes shorter"):
        writer.end()


def test_a_chunked_body() -> None:
    writer = BodyWriter(None)
    parts = [writer.data(b"a" * 20), writer.data(b""), writer.end([(b"x-sum", b"1")])]
    assert parts == [b"14\r\n" + b"a" * 20 + b"\r\n", b"", b"0\r\nx-sum: 1\r\n\r\n"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"", b"a: x\r\n"),
        (b"a: 1\r\n", b"a: x\r\n"),
        (b"b: 1\r\nA: 2\r\nab: a: 3\r\na: 4\r\n", b"b: 1\r\nab: a: 3\r\na: x\r\n"),
    ],
)
def test_a_line_in_place_of_others(lines: bytes, expected: bytes) -> None:
    assert replaced_line(lines, b"a", b"x") == expected
