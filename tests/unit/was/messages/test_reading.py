from __future__ import annotations

import gzip
import json
import xmlrpc.client

import pytest

from skitaid.was.messages.errors import ReplyError, RpcFault
from skitaid.was.messages.reading import Reader, read_http
from skitaid.was.messages.reply import Reply

FORM = "application/x-www-form-urlencoded"


def reply(body: bytes, content_type: str | None, *fields: tuple[bytes, bytes], status: int = 200) -> Reply:
    head = () if content_type is None else ((b"Content-Type", content_type.encode("latin-1")),)
    return Reply(status, "OK", (*head, *fields), body, max_bytes=1000)


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        (b'{"result": "ok"}', "application/json", {"result": "ok"}),
        (b'{"result": "ok"}', "application/problem+json; charset=utf-8", {"result": "ok"}),
        ('"é"'.encode("utf-16"), "application/json", "é"),
        ('"é"'.encode("latin-1"), "application/json; charset=iso-8859-1", "é"),
        (b"\xef\xbb\xbf[1]", "application/json", [1]),
        (b"", "application/json", None),
        (b" \n", "application/json", None),
        (b"a=1&b=&a=2", FORM, {"a": ["1", "2"], "b": ""}),
        (b"ACK=Success&AMT=1%2E50\n", "text/namevalue", {"ACK": "Success", "AMT": "1.50"}),
        ("<p>é</p>".encode(), "text/html", "<p>é</p>"),
        ("<p>é</p>".encode("latin-1"), "text/html", "<p>é</p>"),
        ("한글".encode("euc-kr"), "text/html; charset=EUC-KR", "한글"),
        (b"\xff", "text/plain; charset=utf-8", "\ufffd"),
        (b"abc", "text/plain; charset=rot13", "abc"),
        (b"abc", "text/plain; charset=no-such", "abc"),
        (b"<a/>", "text/xml", "<a/>"),
        (b"<a/>", "application/atom+xml", "<a/>"),
        (xmlrpc.client.dumps(([1],), methodresponse=True).encode(), "text/xml", [1]),
        (b"\x89PNG", "image/png", b"\x89PNG"),
        (b"abc", None, b"abc"),
        (b"", None, b""),
    ],
)
def test_data(body: bytes, content_type: str | None, data: object) -> None:
    found = read_http(reply(body, content_type))
    assert found.data == data and type(found.data) is type(data)
    assert (found.status_code, found.reason, found.content, found.error) == (200, "OK", body, None)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"), (b"[" * 100_000, "application/json"), (b"9" * 5000, "application/json"),
        (b"\xff\xfe", "application/json"), (b"\xff", "application/json; charset=utf-8"),
        (b"&".join([b"a=1"] * 20_000), FORM), (b"<methodResponse></methodResponse>", "text/xml"),
        (b"<!DOCTYPE a><methodResponse></methodResponse>", "text/xml"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_what_it_says(body: bytes, content_type: str) -> None:
    found = read_http(reply(body, content_type))
    assert (found.status_code, found.reason, found.data) == (502, "Bad Gateway", None)
    assert isinstance(found.error, ReplyError)
    assert found.content == body


@pytest.mark.parametrize(("body", "data"), [(b'{"e": 1}', {"e": 1}), (b"<h1>sorry", "<h1>sorry")])
def test_an_error_page_may_be_anything(body: bytes, data: object) -> None:
    found = read_http(reply(body, "application/json", status=500))
    assert (found.status_code, found.data, found.error) == (500, data, None)


def test_a_fault_is_an_error() -> None:
    body = xmlrpc.client.dumps(xmlrpc.client.Fault(42, "no")).encode()
    found = read_http(reply(body, "text/xml"))
    assert found.status_code == 500 and isinstance(found.error, RpcFault) and found.error.code == 42


def test_packed() -> None:
    body = json.dumps(list(range(100))).encode()
    found = read_http(reply(gzip.compress(body), "application/json", (b"content-encoding", b"gzip")))
    assert found.data == list(range(100)) and found.content == body


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(bytes(5000)), gzip.compress(b"{}")[:-1]])
@pytest.mark.parametrize(("status", "expected"), [(200, 502), (404, 502), (503, 503)])
def test_packed_badly(body: bytes, status: int, expected: int) -> None:
    found = read_http(reply(body, "application/json", (b"content-encoding", b"gzip"), status=status))
    assert found.status_code == expected and isinstance(found.error, ReplyError) and found.data is None


def test_a_reader_of_ones_own() -> None:
    seen: list[object] = []

    def read(body: bytes, content_type: str) -> object:
        seen.append((body, content_type))
        return "mine"

    reader = Reader(read)
    assert reader(reply(b"x", "a/b")).data == "mine"
    assert reader(reply(b"x", "text/plain", status=500)).data == "x"
    assert seen == [(b"x", "a/b")]


def test_headers() -> None:
    found = read_http(reply(b"", "text/plain", (b"X-A", b"1"), (b"x-a", b"2")))
    assert found.headers["Content-Type"] == "text/plain"
    assert found.headers["x-A"] == "1, 2"


@pytest.mark.parametrize(
    ("body", "content_type", "fields"),
    [
        (b"no gzip", None, ((b"Content-Encoding", b"gzip"),)),
        (gzip.compress(bytes(2000)), None, ((b"Content-Encoding", b"gzip"),)),
        (b"{", "application/json", ()),
        (b"<methodResponse>", "text/xml", ()),
    ],
)
def test_an_error_keeps_nothing_of_what_was_read(
    body: bytes, content_type: str | None, fields: tuple[tuple[bytes, bytes], ...]
) -> None:
    try:
        raise LookupError
    except LookupError as apps:
        found = read_http(reply(body, content_type, *fields))
        assert apps.__traceback__ is not None
    error: BaseException | None = found.error
    assert error is not None
    while error is not None:
        assert (error.__traceback__, error.__context__) == (None, None)
        error = error.__cause__
