from __future__ import annotations

import pytest

from skitaid.was.messages.errors import CallError
from skitaid.was.messages.fields import Headers, read_headers, value_of, without


@pytest.mark.parametrize(
    "given",
    [
        {"Content-Type": "text/xml", "X-N": 1},
        [("Content-Type", "text/xml"), ("X-N", 1)],
        (["content-type", " text/xml "], ("x-n", "1")),
        {b"Content-Type": b"text/xml", "x-n": b"1"},
    ],
)
def test_both_forms(given: object) -> None:
    assert read_headers(given) == ((b"content-type", b"text/xml"), (b"x-n", b"1"))  # type: ignore[arg-type]


def test_none() -> None:
    assert read_headers(None) == read_headers({}) == ()


def test_fields_of_the_connection_are_left_out() -> None:
    given = {"Connection": "close", "Content-Length": "7", "Transfer-Encoding": "chunked", "Host": "h", "TE": "x"}
    assert read_headers(given) == ((b"host", b"h"),)


@pytest.mark.parametrize(
    "given",
    [
        {"content-type", "text/xml"}, {"a b": "1"}, {"a": "1\r\nb: 2"}, {"": "1"}, {"a": "\x00"}, ["ab"],
        [("a", "b", "c")], {"a": "\ud800"}, {"a:": "1"},
    ],
)  # fmt: skip
def test_what_is_none_is_refused(given: object) -> None:
    with pytest.raises(CallError):
        read_headers(given)  # type: ignore[arg-type]


def test_text_beyond_ascii() -> None:
    assert read_headers({"a": "é"}) == ((b"a", b"\xe9"),)
    assert read_headers({"a": "한"}) == ((b"a", "한".encode()),)


def test_looking_up() -> None:
    fields = ((b"a", b"1"), (b"b", b"2"), (b"a", b"3"))
    assert value_of(fields, b"a") == b"3"
    assert value_of(fields, b"c") is None
    assert without(fields, b"a", b"c") == ((b"b", b"2"),)


def test_headers_of_a_result() -> None:
    headers = Headers([(b"Content-Type", b"text/html"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"),
                       (b"vary", b"a"), (b"Vary", b"b")])  # fmt: skip
    assert headers["content-type"] == headers["Content-TYPE"] == "text/html"
    assert headers.get("x") is None
    assert headers["vary"] == "a, b"
    assert headers["set-cookie"] == "a=1"
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert "VARY" in headers and "x" not in headers
    assert list(headers) == ["content-type", "set-cookie", "vary"]
    assert len(headers) == 3
    assert headers.pairs[3:] == (("vary", "a"), ("Vary", "b"))
