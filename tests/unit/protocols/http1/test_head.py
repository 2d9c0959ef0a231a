from __future__ import annotations

import pytest

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1 import head as head_module
from skitaid.protocols.http1.head import MAX_LINE_BYTES, parse_head, parse_request_line, unquote


def refused(raw: bytes) -> int:
    with pytest.raises(ProtocolError) as caught:
        parse_head(raw)
    return caught.value.status


# ---------------------------------------------------------------- the request line


@pytest.mark.parametrize(
    ("raw", "method", "path", "query", "minor"),
    [
        (b"GET / HTTP/1.1", "GET", "/", "", 1),
        (b"GET /a/b?c=d?e HTTP/1.0", "GET", "/a/b", "c=d?e", 0),
        (b"get /? HTTP/1.9", "get", "/", "", 1),
        (b"M-SEARCH /a%20b%2Fc HTTP/1.1", "M-SEARCH", "/a b/c", "", 1),
        (b"GET /%zz%4%41 HTTP/1.1", "GET", "/%zz%4A", "", 1),
        (b"GET /%E4?%41 HTTP/1.1", "GET", "/\xe4", "%41", 1),
        (b"GET /\xc3\xa9 HTTP/1.1", "GET", "/\xc3\xa9", "", 1),
        (b"GET //other.example/x HTTP/1.1", "GET", "//other.example/x", "", 1),
        (b"GET http://a.example HTTP/1.1", "GET", "/", "", 1),
        (b"GET HTTPS://a.example:80/x?y HTTP/1.1", "GET", "/x", "y", 1),
        (b"GET http://a.example?y HTTP/1.1", "GET", "/", "y", 1),
        (b"OPTIONS * HTTP/1.1", "OPTIONS", "*", "", 1),
        (b"CONNECT a.example:443 HTTP/1.1", "CONNECT", "", "", 1),
    ],
)
def test_a_request_line(raw: bytes, method: str, path: str, query: str, minor: int) -> None:
    """RFC 9112 section 3."""
    line = parse_request_line(raw)
    assert (line.method, line.path, line.query, line.minor) == (method, path, query, minor)
    assert line.target.encode("latin-1") == raw.split(b" ")[1]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"GET",
        b"GET /x",
        b"GET HTTP/1.1",
        b"GET  HTTP/1.1",
        b"GET  /x HTTP/1.1",
        b" GET /x HTTP/1.1",
        b"GET /x HTTP/1.1 ",
        b"GET /x  HTTP/1.1",
        b"GET\t/x\tHTTP/1.1",
        b"GET\x0b/x HTTP/1.1",
        b"GET\xa0/x HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET /x HTTP/1.1 more",
        b"GET /x http/1.1",
        b"GET /x FTP/1.1",
        b"GET /x HTTP/1",
        b"GET /x HTTP/1.",
        b"GET /x HTTP/1.10",
        b"GET /x HTTP/01.1",
        b"GET /x HTTP/1,1",
        b"GET /x HTTP/-1.1",
        b"GET /x HTTP/ 1.1",
        b"GET /x HTTP/1.\xb2",
        b"GE:T /x HTTP/1.1",
        b"GE\0T /x HTTP/1.1",
        b"G\xcaT /x HTTP/1.1",
        b'"GET" /x HTTP/1.1',
        b"GET /a\0b HTTP/1.1",
        b"GET /a\x01b HTTP/1.1",
        b"GET /a\x7fb HTTP/1.1",
        b"GET /a\tb HTTP/1.1",
        b"GET /a\rb HTTP/1.1",
        b"GET /a\nb HTTP/1.1",
        b"GET /x HTTP/1.1\n",
        b"GET /x HTTP/1.1\r",
        b"GET /%00 HTTP/1.1",
        b"GET /x#fragment HTTP/1.1",
        b"GET x HTTP/1.1",
        b"GET ?x HTTP/1.1",
        b"GET * HTTP/1.1",
        b"OPTIONS ** HTTP/1.1",
        b"GET \\x HTTP/1.1",
        b"GET ://x/ HTTP/1.1",
        b"GET ftp://a/ HTTP/1.1",
        b"GET http:///x HTTP/1.1",
        b"GET http://:80/x HTTP/1.1",
        b"GET http://user@a/x HTTP/1.1",
        b"GET http://[::1/x HTTP/1.1",
        b"GET http://a:99999999/x HTTP/1.1",
        b"GET http://a:b:c/x HTTP/1.1",
        b"GET http://a/x#fragment HTTP/1.1",
        b"CONNECT /x HTTP/1.1",
        b"CONNECT a.example HTTP/1.1",
        b"CONNECT a.example:x HTTP/1.1",
        b"CONNECT http://a.example:80/ HTTP/1.1",
    ],
)
def test_any_other_request_line_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_request_line(raw)
    assert caught.value.status == 400


@pytest.mark.parametrize("version", [b"0.9", b"2.0", b"3.0", b"9.9"])
def test_another_major_version_is_not_spoken(version: bytes) -> None:
    """RFC 9110 section 15.6.6."""
    assert refused(b"GET /x HTTP/%b\r\nHost: a" % version) == 505


def test_a_request_line_has_a_longest_length() -> None:
    """RFC 9112 section 3: 414 for a longer target than the server parses."""
    around = len(b"GET  HTTP/1.1")
    longest = b"/" + b"a" * (MAX_LINE_BYTES - around - 1)
    assert parse_request_line(b"GET %b HTTP/1.1" % longest).path == longest.decode()
    assert refused(b"GET %ba HTTP/1.1\r\nHost: a" % longest) == 414


def test_request_lines_are_kept_within_bounds() -> None:
    for number in range(2 * head_module._MAX_KEPT):
        parse_request_line(b"GET /flood-%d HTTP/1.1" % number)
    assert len(head_module._KEPT) <= head_module._MAX_KEPT
    parse_request_line(b"GET /%b HTTP/1.1" % (b"x" * 300))
    assert max(map(len, head_module._KEPT)) <= head_module._MAX_KEPT_BYTES


@pytest.mark.parametrize(
    ("quoted", "plain"), [(b"", b""), (b"%41%4a%4A", b"AJJ"), (b"%", b"%"), (b"%4", b"%4"), (b"%2541", b"%41")]
)
def test_escapes_are_decoded_once(quoted: bytes, plain: bytes) -> None:
    """RFC 3986 section 2.4."""
    assert unquote(quoted) == plain


# ---------------------------------------------------------------- host


def test_an_absolute_target_goes_before_the_host_field() -> None:
    """RFC 9112 section 3.2.2."""
    assert parse_head(b"GET http://a.example:81/ HTTP/1.1\r\nHost: b.example").host == b"a.example:81"
    assert parse_head(b"GET / HTTP/1.1\r\nHost: b.example").host == b"b.example"


@pytest.mark.parametrize("lines", [b"Host: b.example\r\nAccept: x", b"Accept: x\r\nhost: a.example:81"])
def test_apps_read_the_host_of_an_absolute_target_in_the_host_field(lines: bytes) -> None:
    """What chose the app must be what the app builds its links with."""
    fields = parse_head(b"GET http://a.example:81/ HTTP/1.1\r\n" + lines).fields
    assert dict(fields.pairs) == {b"host": b"a.example:81", b"accept": b"x"}
    assert fields.environ["HTTP_HOST"] == fields.log_fields[0] == "a.example:81"
    assert fields.host == b"a.example:81"
    assert parse_head(b"GET http://c/ HTTP/1.0").fields.environ == {"HTTP_HOST": "c"}
    # Blocks are shared between requests: the one that was met is as it was.
    assert parse_head(b"GET / HTTP/1.1\r\nHost: b.example\r\nAccept: x").fields.host == b"b.example"


def test_host_is_needed_from_1_1_on() -> None:
    """RFC 9112 section 3.2."""
    assert refused(b"GET / HTTP/1.1") == 400
    assert refused(b"GET http://a.example/ HTTP/1.1\r\nX: y") == 400
    assert parse_head(b"GET / HTTP/1.0").host == b""
    assert parse_head(b"GET / HTTP/1.1\r\nHost:").host == b""


# ---------------------------------------------------------------- framing and persistence


@pytest.mark.parametrize(
    ("version", "lines", "length"),
    [
        (b"1.1", b"", 0),
        (b"1.0", b"", 0),
        (b"1.1", b"Content-Length: 7\r\n", 7),
        (b"1.0", b"Content-Length: 7\r\n", 7),
        (b"1.1", b"Transfer-Encoding: chunked\r\n", None),
        (b"1.1", b"Transfer-Encoding: \tChunked \r\n", None),
    ],
)
def test_the_length_of_a_body(version: bytes, lines: bytes, length: int | None) -> None:
    """RFC 9112 section 6.3."""
    assert parse_head(b"POST / HTTP/%b\r\n%bHost: a" % (version, lines)).content_length == length


@pytest.mark.parametrize(
    ("version", "lines", "status"),
    [
        (b"1.1", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        (b"1.1", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"1.0", b"Transfer-Encoding: chunked\r\n", 400),
        (b"1.0", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        (b"1.1", b"Transfer-Encoding: gzip\r\n", 400),
        (b"1.1", b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", 400),
        (b"1.1", b"Transfer-Encoding: chunked, gzip\r\n", 400),
        (b"1.1", b"Transfer-Encoding: chunked, chunked\r\n", 400),
        (b"1.1", b"Transfer-Encoding: chunked;a=b\r\n", 400),
        (b"1.1", b"Transfer-Encoding: xchunked\r\n", 400),
        (b"1.1", b"Transfer-Encoding:\r\n", 400),
        (b"1.1", b"Transfer-Encoding: ,\r\n", 400),
        (b"1.1", b"Transfer-Encoding: gzip, chunked\r\n", 501),
    ],
)
def test_framing_that_could_be_read_in_two_ways_is_refused(version: bytes, lines: bytes, status: int) -> None:
    """RFC 9112 sections 6.1 and 6.3: 400 unless chunked is the last coding, 501 for one that isn't known."""
    assert refused(b"POST / HTTP/%b\r\n%bHost: a" % (version, lines)) == status


@pytest.mark.parametrize(
    ("version", "connection", "is_persistent"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: keep-alive, close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", True),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_persistence(version: bytes, connection: bytes, is_persistent: bool) -> None:
    """RFC 9112 section 9.3."""
    assert parse_head(b"GET / HTTP/%b\r\n%bHost: a" % (version, connection)).is_persistent is is_persistent
