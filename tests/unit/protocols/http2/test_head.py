"""RFC 9113 section 8."""

from __future__ import annotations

import pytest

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.head import parse_head
from skitaid.protocols.http2.head import MalformedError, request_head

GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"localhost")]


def made(*more: tuple[bytes, bytes], without: bytes = b"", **changed: bytes) -> list[tuple[bytes, bytes]]:
    """GET, changed: `path=b"/x"`, without a field, and with more."""
    fields = [(name, changed.get(name[1:].decode(), value)) for name, value in GET if name != without]
    return [*fields, *more]


def test_a_head_is_what_http_1_makes_of_the_same_request() -> None:
    """Handlers must not notice."""
    here = request_head(made((b"accept", b"*/*"), (b"x-forwarded-for", b"1.1.1.1"), path=b"/a%20b?c=d"), is_ended=True)
    there = parse_head(b"GET /a%20b?c=d HTTP/1.1\r\nHost: localhost\r\naccept: */*\r\nx-forwarded-for: 1.1.1.1")
    for name in ("method", "minor", "path", "query", "raw_path", "raw_query", "target", "authority"):
        assert getattr(here.line, name) == getattr(there.line, name)
    assert (here.line.version, there.line.version) == ("2", "1.1")
    assert here.fields.environ == there.fields.environ
    assert here.fields.pairs == there.fields.pairs
    for name in ("content_length", "host", "is_persistent"):
        assert getattr(here, name) == getattr(there, name)
    assert here.fields.has_hearsay


def test_lengths() -> None:
    assert request_head(made(), is_ended=True).content_length == 0
    assert request_head(made(), is_ended=False).content_length is None
    assert request_head(made((b"content-length", b"5")), is_ended=False).content_length == 5


def test_crumbs_of_a_cookie_are_one() -> None:
    one = request_head(made((b"cookie", b"a=b"), (b"cookie", b"c=d"), (b"x-a", b"1")), is_ended=True)
    assert one.fields.get(b"cookie") == b"a=b; c=d"
    assert one.fields.environ["HTTP_COOKIE"] == "a=b; c=d"
    assert one.frame is not None and one.frame.fields.get(b"x-a") == b"1"


def test_heads_that_differ_in_their_cookies_share_the_rest() -> None:
    frames = [request_head(made((b"cookie", b"a=%d" % number)), is_ended=True).frame for number in range(4)]
    assert frames[3] is frames[2] is not None


def test_a_host_is_enough() -> None:
    head = request_head(made((b"host", b"example.com"), without=b":authority"), is_ended=True)
    assert head.host == b"example.com"


def test_connect() -> None:
    head = request_head([(b":method", b"CONNECT"), (b":authority", b"example.com:443")], is_ended=False)
    assert (head.line.method, head.line.authority) == ("CONNECT", b"example.com:443")


def test_extended_connect_is_what_http_1_has_as_an_upgrade() -> None:
    """RFC 8441 section 5."""
    fields = [(b":method", b"CONNECT"), *GET[1:], (b":protocol", b"websocket")]
    head = request_head(fields, is_ended=False, is_connect_enabled=True)
    assert (head.line.method, head.line.path, head.fields.upgrade) == ("GET", "/", b"websocket")
    with pytest.raises(MalformedError):
        request_head(fields, is_ended=False)


def test_options_of_everything() -> None:
    assert request_head(made(method=b"OPTIONS", path=b"*"), is_ended=True).line.target == "*"


@pytest.mark.parametrize(
    "fields",
    [
        made((b"X-Upper", b"v")),
        made((b":test", b"v")),
        made((b":status", b"200")),
        [(b"x-a", b"b"), *GET],
        [GET[0], (b"x-a", b"b"), *GET[1:]],
        [(b"cookie", b"a=b"), *GET],
        made(without=b":method"),
        made(without=b":scheme"),
        made(without=b":path"),
        made(without=b":authority"),
        made(path=b""),
        made(path=b"x"),
        made(path=b"http://localhost/"),
        made(path=b"*"),
        made(path=b"/a b"),
        made(path=b"/ HTTP/1.1\r\nX: y"),
        made(path=b"/#a"),
        made(method=b"GET /x"),
        made(method=b""),
        made(method=b"GET\r\nX: y"),
        made(scheme=b"ftp"),
        made(authority=b"a\r\nX: y"),
        made(authority=b"u:p@localhost"),
        made(authority=b""),
        made((b"host", b"evil")),
        made((b"host", b"localhost"), (b"host", b"evil")),
        *([*GET, field] for field in GET),
        made((b"connection", b"keep-alive")),
        made((b"keep-alive", b"3")),
        made((b"proxy-connection", b"close")),
        made((b"transfer-encoding", b"chunked")),
        made((b"upgrade", b"h2c")),
        made((b"te", b"gzip")),
        *(made((name, b"v")) for name in (b"x\0", b"x\r", b"x\ny", b"x y", b"x:y", b"", b"x\xe9")),
        *(made((b"x-a", value)) for value in (b"a\0b", b"a\rb", b"a\nb", b"a\r\nEvil: 1", b" b", b"b\t", b"a\x7f")),
        made((b"cookie", b"a\r\nb")),
        made((b"content-length", b"5")),
        [(b":method", b"CONNECT"), *GET[1:]],
        [(b":method", b"CONNECT")],
    ],
    ids=repr,
)
def test_what_is_no_request(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(MalformedError):
        request_head(fields, is_ended=True)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (made(*[(b"x-a", b"b")] * 300), 431),
        (made(path=b"/" + b"x" * 17000), 414),
        (made((b"content-length", b"abc")), 400),
        (made((b"content-length", b"-1")), 400),
        (made((b"content-length", b"0"), (b"content-length", b"5")), 400),
        (made(path=b"/%00"), 400),
    ],
)
def test_what_is_answered_with_an_error(fields: list[tuple[bytes, bytes]], status: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        request_head(fields, is_ended=False)
    assert caught.value.status == status and not isinstance(caught.value, MalformedError)


def test_te_trailers_is_fine() -> None:
    assert request_head(made((b"te", b"trailers")), is_ended=True).fields.get(b"te") == b"trailers"
