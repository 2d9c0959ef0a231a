from __future__ import annotations

import pytest

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.head import MAX_LINE_BYTES
from skitaid.protocols.http1.server import MAX_HEAD_BYTES, Http1Server, State
from tests.unit.protocols.recorder import Call, Recorder, play, proceed_all

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"
)
GET_CALLS: list[Call] = [("request", "GET", "/"), ("end", ())]
POST_CALLS: list[Call] = [("request", "POST", "/p"), ("body", b"hello"), ("end", ())]
CHUNKED_CALLS: list[Call] = [("request", "POST", "/c"), ("body", b"abcde"), ("end", ((b"x-sum", b"1"),))]


def refusal(*pieces: bytes) -> int:
    with pytest.raises(ProtocolError) as caught:
        play(pieces)
    return caught.value.status


@pytest.mark.parametrize(("raw", "calls"), [(GET, GET_CALLS), (POST, POST_CALLS), (CHUNKED, CHUNKED_CALLS)])
def test_one_request(raw: bytes, calls: list[Call]) -> None:
    assert play([raw]).calls == calls


@pytest.mark.parametrize(("raw", "calls"), [(GET, GET_CALLS), (POST, POST_CALLS), (CHUNKED, CHUNKED_CALLS)])
def test_cut_anywhere_it_is_the_same_request(raw: bytes, calls: list[Call]) -> None:
    for cut in range(1, len(raw)):
        assert play([raw[:cut], raw[cut:]]).calls == calls, f"cut at {cut}: {raw[:cut]!r}"


@pytest.mark.parametrize(("raw", "calls"), [(GET, GET_CALLS), (POST, POST_CALLS), (CHUNKED, CHUNKED_CALLS)])
def test_a_byte_at_a_time_it_is_the_same_request(raw: bytes, calls: list[Call]) -> None:
    assert play(raw[at : at + 1] for at in range(len(raw))).calls == calls


def test_a_pipelined_request_waits_for_the_response_before_it() -> None:
    """RFC 9112 section 9.3.2."""
    recorder = Recorder()
    server = Http1Server(recorder)
    server.feed(GET + POST[:-2])
    assert recorder.calls == GET_CALLS
    assert server.state is State.COMPLETE
    assert server.buffered == len(POST) - 2
    server.feed(POST[-2:] + CHUNKED)
    assert recorder.calls == GET_CALLS
    server.proceed()
    assert recorder.calls == GET_CALLS + POST_CALLS
    server.proceed()
    assert recorder.calls == GET_CALLS + POST_CALLS + CHUNKED_CALLS
    assert server.buffered == 0


def test_proceeding_with_nothing_there_waits_for_a_head() -> None:
    recorder = Recorder()
    server = Http1Server(recorder)
    server.feed(GET)
    server.proceed()
    assert server.state is State.HEAD
    server.feed(GET[:9])
    assert server.buffered == 9
    server.feed(GET[9:])
    assert recorder.calls == GET_CALLS * 2


def test_a_body_is_told_of_as_it_comes() -> None:
    recorder = Recorder()
    server = Http1Server(recorder)
    seen = []
    for piece in (POST[:-4], b"ell", b"o"):
        server.feed(piece)
        seen.append((server.state, recorder.calls[1:]))
    assert seen == [
        (State.BODY, [("body", b"h")]),
        (State.BODY, [("body", b"hell")]),
        (State.COMPLETE, POST_CALLS[1:]),
    ]


def test_a_refused_pipelined_request_does_not_hide_the_one_before() -> None:
    recorder = Recorder()
    server = Http1Server(recorder)
    server.feed(GET + b"NONSENSE\r\n\r\n")
    assert recorder.calls == GET_CALLS
    with pytest.raises(ProtocolError):
        proceed_all(server)
    assert recorder.calls == GET_CALLS


# ---------------------------------------------------------------- before a head


@pytest.mark.parametrize("empty", [b"\r\n", b"\r\n\r\n", b"\r\n" * 1000])
def test_empty_lines_before_a_request_are_skipped(empty: bytes) -> None:
    """RFC 9112 section 2.2."""
    assert play([empty + GET]).calls == GET_CALLS
    assert play([POST + empty + GET]).calls == POST_CALLS + GET_CALLS
    raw = empty[-8:] + GET
    assert play(raw[at : at + 1] for at in range(len(raw))).calls == GET_CALLS


def test_empty_lines_are_not_held_back() -> None:
    server = Http1Server(Recorder())
    server.feed(b"\r\n" * 1000)
    assert server.buffered == 0
    server.feed(b"\r")
    assert server.buffered == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x00\xa5\x01\x00\x00",  # a TLS handshake
        b"\n",
        b"\rG",
        b"\r\n\n",
        b" GET / HTTP/1.1\r\n",
        b"\0",
        b"\xef\xbb\xbfGET",
    ],
)
def test_what_can_not_become_a_request_is_refused_at_its_first_bytes(raw: bytes) -> None:
    assert refusal(raw) == 400
    assert refusal(*(raw[at : at + 1] for at in range(len(raw)))) == 400


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rZ: y\r\n\r\n",
    ],
)
def test_lines_that_end_otherwise_are_refused_without_waiting_for_more(raw: bytes) -> None:
    """RFC 9112 section 2.2: a bare LF may be taken for an end of line, and a bare CR may not; here neither is."""
    assert refusal(raw) == 400
    assert refusal(*(raw[at : at + 1] for at in range(len(raw)))) == 400


# ---------------------------------------------------------------- limits


def head_of(size: int) -> bytes:
    """A head of `size` bytes, without the empty line."""
    begin = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    return begin + b"v" * (size - len(begin))


@pytest.mark.parametrize("cut", [10, 5000, MAX_HEAD_BYTES - 1, MAX_HEAD_BYTES, MAX_HEAD_BYTES + 1, MAX_HEAD_BYTES + 3])
def test_the_longest_head_however_it_is_cut(cut: int) -> None:
    raw = head_of(MAX_HEAD_BYTES) + b"\r\n\r\n"
    assert play([raw]).calls == GET_CALLS
    assert play([raw[:cut], raw[cut:]]).calls == GET_CALLS


@pytest.mark.parametrize("cut", [10, 5000, MAX_HEAD_BYTES, MAX_HEAD_BYTES + 1, MAX_HEAD_BYTES + 4])
def test_a_longer_head_is_refused_however_it_is_cut(cut: int) -> None:
    """RFC 6585 section 5."""
    raw = head_of(MAX_HEAD_BYTES + 1) + b"\r\n\r\n"
    assert refusal(raw) == 431
    assert refusal(raw[:cut], raw[cut:]) == 431


def test_a_head_that_never_ends_is_refused_before_it_does() -> None:
    server = Http1Server(Recorder())
    with pytest.raises(ProtocolError) as caught:
        for _ in range(20):
            server.feed(head_of(MAX_HEAD_BYTES // 8))
            assert server.buffered <= MAX_HEAD_BYTES + 3
    assert caught.value.status == 431


def line_of(size: int) -> bytes:
    return b"GET /%b HTTP/1.1" % (b"a" * (size - len(b"GET / HTTP/1.1")))


@pytest.mark.parametrize("cut", [1, 3, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1, MAX_LINE_BYTES + 2])
def test_the_longest_request_line_however_it_is_cut(cut: int) -> None:
    raw = line_of(MAX_LINE_BYTES) + b"\r\nHost: a\r\n\r\n"
    whole = play([raw]).calls
    assert len(whole) == 2
    assert play([raw[:cut], raw[cut:]]).calls == whole


@pytest.mark.parametrize("cut", [1, 3, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 2, MAX_LINE_BYTES + 3])
def test_a_longer_request_line_is_refused_however_it_is_cut(cut: int) -> None:
    """RFC 9112 section 3: 414 for a target that is longer than the server takes."""
    raw = line_of(MAX_LINE_BYTES + 1) + b"\r\nHost: a\r\n\r\n"
    assert refusal(raw) == 414
    assert refusal(raw[:cut], raw[cut:]) == 414


def test_a_request_line_that_never_ends_is_refused_before_the_head_could_be() -> None:
    assert refusal(b"GET /" + b"a" * (MAX_LINE_BYTES + 2)) == 414
