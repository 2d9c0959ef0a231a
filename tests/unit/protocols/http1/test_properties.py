"""What must hold for any bytes: found by trying, not by thinking of cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skitaid.protocols.errors import ProtocolError, ResponseError
from skitaid.protocols.http1.chunked import ChunkedDecoder
from skitaid.protocols.http1.head import parse_head
from skitaid.protocols.http1.response import Http1Exchange, Stamp
from skitaid.protocols.http1.server import Http1Server
from tests.unit.protocols.recorder import Call, Recorder, play, proceed_all

# The same examples each time, and no time limit for one: a test must not fail because the machine is busy.
every_time = settings(max_examples=150, deadline=None, derandomize=True, database=None)

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
VISIBLE = "".join(map(chr, [*range(0x21, 0x7F), *range(0x80, 0x100)]))
FRAMING = ("content-length", "transfer-encoding", "host", "connection", "expect", "upgrade")

names = st.text(TOKEN, min_size=1, max_size=20).filter(lambda name: name.lower() not in FRAMING)
values = st.text(VISIBLE + " \t", max_size=40)
targets = st.text(VISIBLE.replace("#", "").replace("%", ""), max_size=30).map(lambda text: f"/{text}".encode("latin-1"))
methods = st.text(TOKEN, min_size=1, max_size=12).filter(lambda name: name != "CONNECT")
pieces = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


def chunked(parts: Sequence[bytes], trailers: Sequence[tuple[str, str]] = ()) -> bytes:
    body = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in parts)
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
    return body + b"0\r\n" + lines.encode("latin-1") + b"\r\n"


@st.composite
def requests(draw: Callable[..., object]) -> tuple[bytes, list[Call]]:
    """The bytes of a valid request, and what a receiver is to be told of it."""
    method, target, parts = draw(methods), draw(targets), draw(pieces)
    fields, trailers = (
        draw(st.lists(st.tuples(names, values), max_size=6)),
        draw(st.lists(st.tuples(names, values), max_size=3)),
    )
    assert isinstance(method, str) and isinstance(target, bytes)
    assert isinstance(parts, list) and isinstance(fields, list) and isinstance(trailers, list)
    body = b"".join(parts)
    is_chunked = draw(st.booleans())
    if is_chunked:
        framing, raw_body = "Transfer-Encoding: chunked\r\n", chunked(parts, trailers)
    else:
        framing, raw_body, trailers = (f"Content-Length: {len(body)}\r\n" if body else ""), body, []
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    head = method.encode() + b" " + target + b" HTTP/1.1\r\nHost: a\r\n" + (lines + framing).encode("latin-1")
    told = tuple((name.lower().encode(), value.strip(" \t").encode("latin-1")) for name, value in trailers)
    calls: list[Call] = [("request", method, target.decode("latin-1"))]
    calls += [("body", body)] if body else []
    return draw(st.sampled_from([b"", b"\r\n"])) + head + b"\r\n" + raw_body, [*calls, ("end", told)]  # type: ignore[operator]


def cut(raw: bytes, places: Sequence[int]) -> list[bytes]:
    """`raw` in pieces, cut at `places` (taken modulo its length)."""
    at = sorted({0, len(raw), *(place % (len(raw) + 1) for place in places)})
    return [raw[begin:end] for begin, end in pairwise(at)]


@every_time
@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 10_000), max_size=12))
def test_valid_requests_are_the_same_calls_however_they_are_cut(
    sent: list[tuple[bytes, list[Call]]], places: list[int]
) -> None:
    raw = b"".join(each for each, _ in sent)
    calls = [call for _, each in sent for call in each]
    assert play([raw]).calls == calls
    assert play(cut(raw, places)).calls == calls


@every_time
@given(requests())
def test_the_fields_of_a_request_reach_it(sent: tuple[bytes, list[Call]]) -> None:
    raw, _ = sent
    head = play([raw]).heads[0]
    lines = raw.lstrip(b"\r\n").split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    given_fields = [(name.lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
    assert [(line.name, line.value) for line in head.fields.fields] == given_fields


# Bytes that resemble requests find more than noise does.
fragments = st.sampled_from(
    [
        b"GET ",
        b"POST / HTTP/1.1\r\n",
        b"/",
        b" HTTP/1.1",
        b" HTTP/1.0",
        b"\r\n",
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"Host: a\r\n",
        b"Host:",
        b"Content-Length: 3\r\n",
        b"Content-Length:",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding:",
        b"Connection: close\r\n",
        b"Upgrade: x\r\n",
        b"Expect: 100-continue\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n",
        b"ffffffffffffffff\r\n",
        b";",
        b":",
        b" ",
        b"\t",
        b"\0",
        b"%",
        b"http://",
        b"*",
        b"OPTIONS ",
        b"CONNECT a:1",
        b"abc",
    ]
)
streams = st.lists(st.one_of(fragments, st.binary(max_size=6)), max_size=25).map(b"".join)


def outcome(parts: Sequence[bytes]) -> tuple[list[Call], bool, int]:
    """The calls that were made, whether the bytes were refused, and how many are held back."""
    recorder = Recorder()
    server = Http1Server(recorder)
    try:
        for part in parts:
            server.feed(part)
            proceed_all(server)
    except ProtocolError as error:
        assert error.status in (400, 414, 431, 501, 505)
        return recorder.calls, True, 0
    return recorder.calls, False, server.buffered


@every_time
@given(streams, st.lists(st.integers(0, 1000), max_size=6))
@example(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nz", [58, 66])
def test_any_bytes_are_understood_or_refused_as_a_protocol_error(raw: bytes, places: list[int]) -> None:
    calls, is_refused, buffered = outcome(cut(raw, []))
    cut_calls, cut_is_refused, cut_buffered = outcome(cut(raw, places))
    assert is_refused == cut_is_refused
    assert buffered == cut_buffered
    if not is_refused:
        assert calls == cut_calls
    assert [call for call in calls if call[0] == "request"] == [call for call in cut_calls if call[0] == "request"]


@every_time
@given(st.binary(max_size=200))
def test_any_head_is_understood_or_refused_as_a_protocol_error(raw: bytes) -> None:
    try:
        head = parse_head(raw)
    except ProtocolError:
        return
    assert head.line.method


@every_time
@given(pieces, st.lists(st.integers(0, 10_000), max_size=12), st.binary(max_size=20))
def test_what_is_chunked_is_what_was_given(parts: list[bytes], places: list[int], behind: bytes) -> None:
    exchange = Http1Exchange("GET", 1, True)
    exchange.start("200 OK", [], Stamp())
    raw = b"".join(map(exchange.data, parts)) + exchange.end()
    decoder = ChunkedDecoder()
    found = b"".join(
        piece for part in cut(raw + behind, places) if not decoder.is_complete for piece in decoder.feed(part)
    )
    assert found == b"".join(parts)
    assert decoder.is_complete
    assert behind.startswith(decoder.rest)


anything = st.text(max_size=30) | st.text("\r\n\0: aX", max_size=10)


@every_time
@given(
    anything,
    st.lists(st.tuples(anything | names, anything), max_size=4),
    st.sampled_from(["GET", "HEAD"]),
    st.booleans(),
)
@example("200 OK", [("X", "a\r\nSet-Cookie: b")], "GET", True)
@example("200 OK\r\nX: y", [], "GET", True)
def test_no_text_of_an_app_can_begin_a_line_of_its_own(
    status: str, fields: list[tuple[str, str]], method: str, is_whole: bool
) -> None:
    """RFC 9112 section 11.1."""
    exchange = Http1Exchange(method, 1, True)
    try:
        if is_whole:
            raw = exchange.respond(status, fields, b"body", Stamp())
        else:
            raw = exchange.start(status, fields, Stamp())
    except ResponseError:
        assert not exchange.is_started
        return
    head, separator, _ = raw.partition(b"\r\n\r\n")
    assert separator
    lines = head.split(b"\r\n")
    assert not any(byte in line for line in lines for byte in b"\r\n\0")
    assert len(lines) <= 1 + len(fields) + 3  # Content-Length or Transfer-Encoding, Server, Connection


@every_time
@given(
    st.sampled_from(["200 OK", "404 Not Found", "299"]),
    st.lists(st.tuples(names, values), max_size=5),
    st.binary(max_size=50),
)
def test_what_an_app_may_send_is_sent_unchanged(status: str, fields: list[tuple[str, str]], body: bytes) -> None:
    ours = ("date", "server", "keep-alive", "te", "trailer", "proxy-connection")
    fields = [field for field in fields if field[0].lower() not in ours]
    raw = Http1Exchange("GET", 1, True).respond(status, fields, body, Stamp())
    head, _, sent = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    assert lines[0].rstrip() == f"HTTP/1.1 {status}"
    assert lines[1 : 1 + len(fields)] == [f"{name}: {value}" for name, value in fields]
    assert sent == body


def test_the_strategies_reach_what_they_are_for() -> None:
    """A property that never meets its subject proves nothing."""
    raw = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked([b"ab", b"c"], [("X", "y")])
    assert play([raw]).calls == [("request", "POST", "/a"), ("body", b"abc"), ("end", ((b"x", b"y"),))]
    with pytest.raises(ProtocolError):
        play([raw, b"\0"])
