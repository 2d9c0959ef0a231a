"""Responses to calls, whatever the pieces they come in."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.client import MAX_HEAD_BYTES, MAX_INTERIM, ClientState, Http1Client
from skitaid.protocols.response_head import ResponseHead

OK = b"HTTP/1.1 200 OK\r\n"


class Recorder:
    """What was heard; pieces of a body that follow each other are one."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.stop_at: Any = None
        self.client: Http1Client | None = None

    def on_information(self, head: ResponseHead) -> None:
        self.calls.append(("information", head.status))
        self._stop("information")

    def on_response(self, head: ResponseHead) -> None:
        self.calls.append(("response", head.status, head.reason, head.content_length, head.fields.pairs))
        self._stop("response")

    def on_data(self, data: bytes) -> None:
        assert data
        if self.calls[-1][0] == "data":
            data = self.calls.pop()[1] + data
        self.calls.append(("data", data))
        self._stop("data")

    def on_end(self, trailers: Any) -> None:
        self.calls.append(("end", tuple(trailers)))

    def _stop(self, kind: str) -> None:
        if self.stop_at == kind:
            assert self.client is not None
            self.client.stop()

    @property
    def kinds(self) -> list[Any]:
        return [call[0] for call in self.calls]


def heard(pieces: list[bytes], *, method: str = "GET", is_upgrade: bool = False, ends: bool = False) -> tuple[Any, ...]:
    """What a receiver hears of `pieces`, then how it went: state, what is left, whether the connection may go on, and
    whether the end of input (if it `ends`) was fine; or that it was refused."""
    recorder, client = Recorder(), Http1Client()
    client.begin(recorder, method, is_upgrade=is_upgrade)
    try:
        for piece in pieces:
            client.feed(piece)
    except ProtocolError:
        return (*recorder.calls, "refused")
    is_fine = client.end_of_input() if ends else None
    return (*recorder.calls, client.state, client.held, client.is_persistent, is_fine)


def splits(data: bytes) -> list[list[bytes]]:
    """Byte by byte, and in two pieces at every place."""
    return [[data[at : at + 1] for at in range(len(data))]] + [[data[:at], data[at:]] for at in range(1, len(data))]


COMPLETE: list[tuple[str, bytes, dict[str, Any], list[Any]]] = [
    ("length", OK + b"Content-Length: 5\r\n\r\nhello", {}, ["response", "data", "end"]),
    ("length 0", OK + b"Content-Length: 0\r\n\r\n", {}, ["response", "end"]),
    ("equal lengths", OK + b"Content-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello", {}, ["response", "data", "end"]),
    ("chunked", OK + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", {},
     ["response", "data", "end"]),
    ("chunked, nothing in it", OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {}, ["response", "end"]),
    ("trailers", OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n", {},
     ["response", "data", "end"]),
    ("no reason", b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", {}, ["response", "data", "end"]),
    ("204 with a length", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", {}, ["response", "end"]),
    ("304 with a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", {}, ["response", "end"]),
    ("HEAD with a length", OK + b"Content-Length: 5\r\n\r\n", {"method": "HEAD"}, ["response", "end"]),
    ("HEAD, chunked", OK + b"Transfer-Encoding: chunked\r\n\r\n", {"method": "HEAD"}, ["response", "end"]),
    ("HEAD without anything", OK + b"\r\n", {"method": "HEAD"}, ["response", "end"]),
    ("interim", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK
     + b"Content-Length: 1\r\n\r\na", {}, ["information", "information", "response", "data", "end"]),
    ("a host in a response", OK + b"Host: a b\r\nHost: c\r\nContent-Length: 0\r\n\r\n", {}, ["response", "end"]),
    ("cookies", OK + b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n", {}, ["response", "end"]),
    ("kept alive by 1.0", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", {},
     ["response", "data", "end"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "how", "kinds"), [case[1:] for case in COMPLETE], ids=[case[0] for case in COMPLETE])
def test_a_response_is_complete_when_its_end_was_seen(data: bytes, how: dict[str, Any], kinds: list[str]) -> None:
    *calls, state, held, is_persistent, _ = whole = heard([data], **how)
    assert [call[0] for call in calls] == kinds
    assert (state, held, is_persistent) == (ClientState.IDLE, b"", True)
    assert all(heard(pieces, **how) == tuple(whole) for pieces in splits(data))


@pytest.mark.parametrize(("data", "how"), [case[1:3] for case in COMPLETE], ids=[case[0] for case in COMPLETE])
def test_a_response_cut_short_has_no_end(data: bytes, how: dict[str, Any]) -> None:
    for at in range(1, len(data)):
        *calls, _, _, _, is_fine = heard([data[:at]], ends=True, **how)
        assert not is_fine
        assert "end" not in [call[0] for call in calls]


@pytest.mark.parametrize("lines", [b"Content-Length: 1, 1\r\n", b"Content-Length: 1\r\nContent-Length: 1\r\n"])
def test_lengths_that_agree_are_told_once(lines: bytes) -> None:
    data = OK + b"A: 1\r\n" + lines + b"B: 2\r\n\r\na"
    assert heard([data])[0][3:] == (1, ((b"a", b"1"), (b"content-length", b"1"), (b"b", b"2")))


def test_lengths_and_fields_are_told() -> None:
    data = OK + b"Set-Cookie: a=1\r\nX-Forwarded-For: me\r\nset-cookie:b=2 \r\nContent-Length: 1\r\n\r\na"
    pairs = (
        (b"set-cookie", b"a=1"), (b"x-forwarded-for", b"me"), (b"set-cookie", b"b=2"), (b"content-length", b"1"),
    )  # fmt: skip
    assert heard([data])[0] == ("response", 200, b"OK", 1, pairs)
    assert heard([OK + b"Content-Length: 7\r\n\r\n"], method="HEAD")[0][3] == 7
    assert heard([OK + b"Transfer-Encoding: chunked\r\n\r\n"])[0][3] is None


def test_trailers_are_told() -> None:
    data = OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nX-sum: 2\r\n\r\n"
    assert heard([data])[1] == ("end", ((b"x-sum", b"1"), (b"x-sum", b"2")))


@pytest.mark.parametrize("head", [OK + b"\r\n", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"])
def test_a_body_without_a_length_lasts_until_the_connection_closes(head: bytes) -> None:
    data = head + b"as long as it takes"
    *calls, state, held, is_persistent, is_fine = whole = heard([data], ends=True)
    assert [call[0] for call in calls] == ["response", "data", "end"]
    assert (state, held, is_persistent, is_fine) == (ClientState.IDLE, b"", False, True)
    assert all(heard(pieces, ends=True) == tuple(whole) for pieces in splits(data))
    assert [call[0] for call in heard([data])[:-4]] == ["response", "data"]


@pytest.mark.parametrize(
    ("data", "is_persistent"),
    [
        (OK + b"Content-Length: 0\r\n\r\n", True),
        (OK + b"Content-Length: 0\r\nConnection: close\r\n\r\n", False),
        (OK + b"Content-Length: 0\r\nConnection: foo, Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive, close\r\n\r\n", False),
    ],
)
def test_who_says_that_the_connection_is_over(data: bytes, is_persistent: bool) -> None:
    assert heard([data])[-2] is is_persistent


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (b"Keep-Alive: timeout=5, max=100", 5.0),
        (b"keep-alive: max=100,Timeout=15", 15.0),
        (b"Keep-Alive: 300", None),
        (b"Keep-Alive: timeout=-1", None),
        (b"Keep-Alive: timeout=", None),
        (b"X: timeout=5", None),
    ],
)
def test_how_long_an_idle_connection_is_kept(field: bytes, seconds: float | None) -> None:
    client = Http1Client()
    client.begin(Recorder(), "GET")
    client.feed(OK + field + b"\r\nContent-Length: 1\r\n\r\na")
    assert client.keep_alive_s == seconds
    client.begin(Recorder(), "HEAD")
    client.feed(OK + b"\r\n")
    assert client.keep_alive_s is None


def test_what_follows_a_response_is_held() -> None:
    data = OK + b"Content-Length: 1\r\n\r\na" + OK
    assert all(heard(pieces)[-3] == OK for pieces in [[data], *splits(data)])
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore"
    assert all(heard(pieces)[-3] == b"more" for pieces in [[chunked], *splits(chunked)])
    bodiless = b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"
    assert all(heard(pieces)[-3] == b"hello" for pieces in [[bodiless], *splits(bodiless)])


def test_a_switch_of_protocols() -> None:
    data = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x00"
    *calls, state, held, is_persistent, _ = whole = heard([data], is_upgrade=True)
    assert (calls[0][:2], state, held, is_persistent) == (("response", 101), ClientState.SWITCHED, b"\x81\x00", False)
    assert all(heard(pieces, is_upgrade=True) == tuple(whole) for pieces in splits(data))
    assert heard([data])[-1] == "refused"


def test_a_tunnel() -> None:
    data = OK + b"Content-Length: 5\r\n\r\nhello"
    assert heard([data], method="CONNECT")[-4:-2] == (ClientState.SWITCHED, b"hello")
    refusal = b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nhello"
    assert heard([refusal], method="CONNECT")[-4:-2] == (ClientState.IDLE, b"")


REFUSED = [
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\x15\x03\x01\x00\x02\x02\x50",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/0.9 200 OK\r\n\r\n",
    b"HTTP/1.1  200 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 099 OK\r\n\r\n",
    b"HTTP/1.1 200OK\r\n\r\n",
    b"http/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 \x00\r\n\r\n",
    b"\r\n" + OK + b"\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    OK + b"Content-Length: 0\n\r\n\r\n",
    OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    OK + b"Content-Length: 5, 6\r\n\r\nhello",
    OK + b"Content-Length: 5,\r\n\r\nhello",
    OK + b"Content-Length: -5\r\n\r\nhello",
    OK + b"Content-Length: +5\r\n\r\nhello",
    OK + b"Content-Length: 5 5\r\n\r\nhello",
    OK + b"Content-Length: 0x5\r\n\r\nhello",
    OK + b"Content-Length:\r\n\r\nhello",
    OK + b"Content-Length: 9999999999999999999\r\n\r\n",
    OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    OK + b"Transfer-Encoding: chunked, identity\r\n\r\n",
    OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    OK + b"X: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
    OK + b"X : a\r\nContent-Length: 0\r\n\r\n",
    OK + b"no colon\r\nContent-Length: 0\r\n\r\n",
    OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n",
]


@pytest.mark.parametrize("data", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused(data: bytes) -> None:
    whole = heard([data])
    assert whole[-1] == "refused"
    for pieces in splits(data):
        told = heard(pieces)
        assert told[-1] == "refused"
        assert "end" not in [call[0] for call in told[:-1]]


def test_a_head_has_a_limit() -> None:
    fits = OK + b"X: " + b"a" * (MAX_HEAD_BYTES - len(OK) - 3) + b"\r\n\r\n"
    assert heard([fits])[-1] is None
    assert heard([fits[:100], fits[100:-1], fits[-1:]])[-1] is None
    long = OK + b"X: " + b"a" * (MAX_HEAD_BYTES - len(OK) - 2) + b"\r\n\r\n"
    assert heard([long])[-1] == "refused"
    assert heard([long[:-4], long[-4:]])[-1] == "refused"


def test_interim_responses_have_a_limit() -> None:
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    assert heard([interim * MAX_INTERIM])[-1] is None
    assert heard([interim * (MAX_INTERIM + 1)])[-1] == "refused"


@pytest.mark.parametrize("kind", ["information", "response", "data"])
@pytest.mark.parametrize(
    "body", [b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
)
def test_nobody_is_called_after_a_stop(kind: str, body: bytes) -> None:
    recorder, client = Recorder(), Http1Client()
    recorder.client, recorder.stop_at = client, kind
    client.begin(recorder, "GET")
    client.feed(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + body)
    assert recorder.kinds[-1] == kind
    assert not client.is_persistent


def test_one_response_after_another() -> None:
    client, first, second = Http1Client(), Recorder(), Recorder()
    client.begin(first, "GET")
    client.feed(OK + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
    client.begin(second, "HEAD")
    assert not client.has_begun
    client.feed(OK + b"Content-Length: 9\r\n\r\n")
    assert client.has_begun and client.is_persistent
    assert (first.kinds, second.kinds) == (["response", "data", "end"], ["response", "end"])


def test_the_next_may_begin_from_the_end_of_the_one_before() -> None:
    client, second = Http1Client(), Recorder()

    class First(Recorder):
        def on_end(self, trailers: Any) -> None:
            client.begin(second, "GET")

    client.begin(First(), "GET")
    client.feed(OK + b"Content-Length: 1\r\n\r\na")
    client.feed(OK + b"Content-Length: 1\r\n\r\nb")
    assert second.kinds == ["response", "data", "end"]
