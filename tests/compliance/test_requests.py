"""Valid requests, as the app sees them: targets, fields and bodies, whole and cut anywhere."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.compliance.client import Connect

GET: Final = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
HELLO: Final = b"5\r\nhello\r\n"


def post(fields: bytes, content: bytes = b"") -> bytes:
    return b"POST /x HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n" + content


# ---------------------------------------------------------------- targets


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/x/y?a=b?c", "/x/y", "a=b?c"),
        (b"/?", "/", ""),
        (b"/a%20b%2Fc%3F", "/a b/c?", ""),
        (b"/%zz", "/%zz", ""),
        (b"/%C3%A9", "/\xc3\xa9", ""),
        (b"/\xc3\xa9", "/\xc3\xa9", ""),
        (b"//b/x", "//b/x", ""),
        (b"/a/../b/./c", "/a/../b/./c", ""),
        (b"/;p=1:@!$&'()*+,=", "/;p=1:@!$&'()*+,=", ""),
        (b"http://b.example/x?y", "/x", "y"),
        (b"http://b.example?y", "/", "y"),
        (b"HTTP://b.example:80", "/", ""),
    ],
)
def test_a_target_becomes_a_path_and_a_query(target: bytes, path: str, query: str, connect: Connect) -> None:
    """RFC 9112 sections 3.2.1 and 3.2.2; PEP 3333 for how the app sees it."""
    seen = connect().ask(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target).json
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == (path, query)


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 204), (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405)],
)
def test_what_is_not_for_an_app_is_answered_without_one(raw: bytes, status: int, connect: Connect) -> None:
    """RFC 9110 sections 9.3.6 and 9.3.7."""
    response = connect().ask(raw)
    assert response.status == status
    assert b"PATH_INFO" not in response.body


@pytest.mark.parametrize("method", [b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"get", b"FROB-1!"])
def test_any_method_reaches_the_app(method: bytes, connect: Connect) -> None:
    """RFC 9110 section 9.1: methods are case-sensitive tokens."""
    seen = connect().ask(b"%b /x HTTP/1.1\r\nHost: a\r\n\r\n" % method).json
    assert seen["REQUEST_METHOD"] == method.decode()


# ---------------------------------------------------------------- fields


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        (b"X-Y:z", "HTTP_X_Y", "z"),
        (b"X-Y: \t z \t", "HTTP_X_Y", "z"),
        (b"X-Y:", "HTTP_X_Y", ""),
        (b"X-Y: a\r\nx-y: b", "HTTP_X_Y", "a, b"),
        (b"X-Y: \xe9\xff", "HTTP_X_Y", "\xe9\xff"),
        (b"Cookie: a=1\r\nCookie: b=2", "HTTP_COOKIE", "a=1; b=2"),
        (b"Content-Type: a/b", "CONTENT_TYPE", "a/b"),
        (b"Expect: 200-other", "HTTP_EXPECT", "200-other"),
        (b"X_Y: stolen\r\nX-Y: z", "HTTP_X_Y", "z"),
    ],
)
def test_a_field_reaches_the_app(fields: bytes, name: str, value: str, connect: Connect) -> None:
    """RFC 9110 sections 5.3 and 5.5; PEP 3333."""
    assert connect().ask(b"GET /x HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % fields).json[name] == value


@pytest.mark.parametrize("field", [b"Proxy: http://evil", b"X_Y: z", b"Content_Length: 5"])
def test_a_field_that_would_pass_for_another_does_not(field: bytes, connect: Connect) -> None:
    """CVE-2016-5385, and names that only an environ makes equal."""
    seen = connect().ask(b"GET /x HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % field).json
    assert set(seen) == {"REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "HTTP_HOST", "body"}


def test_an_empty_host_is_one(connect: Connect) -> None:
    """RFC 9112 section 3.2."""
    assert connect().ask(b"GET /x HTTP/1.1\r\nHost:\r\n\r\n").json["HTTP_HOST"] == ""


def test_empty_lines_before_a_request_are_skipped(connect: Connect) -> None:
    """RFC 9112 section 2.2."""
    wire = connect()
    wire.send(b"\r\n\r\n" + GET + b"\r\n" + GET)
    assert [wire.response().status for _ in range(2)] == [200, 200]


# ---------------------------------------------------------------- bodies

CHUNKED: Final = b"Transfer-Encoding: chunked"
BODIES: Final[list[tuple[str, bytes, str]]] = [
    ("a length", post(b"Content-Length: 5", b"hello"), "hello"),
    ("a length with zeros", post(b"Content-Length: 0005", b"hello"), "hello"),
    ("a length of nothing", post(b"Content-Length: 0"), ""),
    ("no length", post(b"X: y"), ""),
    ("a body of GET", b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\r\n", "\r\n"),
    ("a body that looks like a request", post(b"Content-Length: %d" % len(GET), GET), GET.decode()),
    ("chunks", post(CHUNKED, HELLO + b"1\r\n!\r\n0\r\n\r\n"), "hello!"),
    ("Chunked in capitals", post(b"TRANSFER-ENCODING: CHUNKED", HELLO + b"0\r\n\r\n"), "hello"),
    ("no chunk but the last", post(CHUNKED, b"0\r\n\r\n"), ""),
    ("capitals in a size", post(CHUNKED, b"A\r\n0123456789\r\n0\r\n\r\n"), "0123456789"),
    ("zeros before a size", post(CHUNKED, b"00a\r\n0123456789\r\n000\r\n\r\n"), "0123456789"),
    ("extensions", post(CHUNKED, b'5;a;b=c;d="e;f"\r\nhello\r\n0 ; last\r\n\r\n'), "hello"),
    ("trailers", post(CHUNKED + b"\r\nTrailer: X", HELLO + b"0\r\nX: y\r\nContent-Length: 99\r\n\r\n"), "hello"),
    ("data of line ends", post(CHUNKED, b"4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "body"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_a_body_and_the_request_behind_it(raw: bytes, body: str, connect: Connect) -> None:
    """RFC 9112 sections 6.2, 6.3 and 7.1."""
    wire = connect()
    wire.send(raw + GET)
    assert wire.response().json["body"] == body
    following = wire.response().json
    assert (following["REQUEST_METHOD"], following["body"]) == ("GET", "")


@pytest.mark.parametrize(("raw", "body"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_cut_anywhere_it_is_the_same_request(raw: bytes, body: str, connect: Connect) -> None:
    wire = connect()
    whole = wire.ask(raw).json
    assert whole["body"] == body
    for cut in range(1, len(raw)):
        wire.send(raw[:cut], raw[cut:])
        assert wire.response().json == whole, f"cut at {cut}"


@pytest.mark.parametrize(("raw", "body"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_a_byte_at_a_time_it_is_the_same_request(raw: bytes, body: str, connect: Connect) -> None:
    wire = connect()
    for _ in range(2):
        wire.send(*(raw[at : at + 1] for at in range(len(raw))))
        assert wire.response().json["body"] == body


def test_trailers_do_not_become_fields(connect: Connect) -> None:
    """RFC 9110 section 6.5.1."""
    seen = connect().ask(post(b"Transfer-Encoding: chunked", b"0\r\nX-Late: y\r\nHost: evil\r\n\r\n")).json
    assert "HTTP_X_LATE" not in seen
    assert seen["HTTP_HOST"] == "a"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_large_body(is_chunked: bool, connect: Connect) -> None:
    content = bytes(range(256)) * 4000
    if is_chunked:
        sizes = [1, 15, 4096, 65536, 300_000, len(content) - 369_648]
        assert sum(sizes) == len(content)
        raw, at = b"", 0
        for size in sizes:
            raw += b"%x\r\n%b\r\n" % (size, content[at : at + size])
            at += size
        raw = post(b"Transfer-Encoding: chunked", raw + b"0\r\n\r\n")
    else:
        raw = post(b"Content-Length: %d" % len(content), content)
    wire = connect()
    for _ in range(2):
        assert wire.ask(raw).json["body"] == content.decode("latin-1")


# ---------------------------------------------------------------- HTTP/1.0


def seen_by(connect: Connect, raw: bytes) -> Any:
    return connect().ask(raw).json


def test_1_0_needs_no_host_and_is_told_so(connect: Connect) -> None:
    """RFC 9112 section 3.2; RFC 3875 section 4.1.16."""
    seen = seen_by(connect, b"GET /x HTTP/1.0\r\n\r\n")
    assert seen["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert "HTTP_HOST" not in seen
    assert seen_by(connect, GET)["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_a_higher_minor_version_is_taken_for_1_1(connect: Connect) -> None:
    """RFC 9110 section 2.5."""
    assert connect().ask(b"GET /x HTTP/1.7\r\nHost: a\r\n\r\n").status == 200


def test_a_body_of_1_0(connect: Connect) -> None:
    """RFC 9112 section 6.3."""
    assert seen_by(connect, b"POST /x HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello")["body"] == "hello"
