from __future__ import annotations

import pytest

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import MAX_FIELDS
from skitaid.protocols.http1 import known
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.known import MAX_KNOWN_BYTES, known_head
from skitaid.protocols.http1.server import Http1Server
from tests.unit.protocols.recorder import Recorder, proceed_all

Outcome = tuple[object, ...]


def told(head: RequestHead) -> Outcome:
    fields = head.fields
    return (
        head.line.method, head.line.target, head.line.minor, head.host, head.is_persistent, head.content_length,
        fields.environ, fields.pairs, fields.log_fields, fields.expects_continue, fields.upgrade, fields.has_hearsay,
    )  # fmt: skip


def outcome(*pieces: bytes) -> Outcome:
    """Everything that can be seen of what becomes of bytes."""
    recorder = Recorder()
    server = Http1Server(recorder)
    status = 0
    try:
        for piece in pieces:
            server.feed(piece)
            proceed_all(server)
    except ProtocolError as error:
        status = error.status
    return status, recorder.calls, [told(head) for head in recorder.heads], server.held if not status else b""


def learn(data: bytes) -> None:
    for _ in range(3):
        outcome(data)


def test_a_head_that_comes_again_is_the_same_one() -> None:
    data = b"GET /again HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n"
    assert known_head(data) is None
    learn(data)
    assert known_head(data) is known_head(data) is not None


def test_a_head_that_differs_in_its_cookie_shares_the_rest() -> None:
    for number in range(3):
        learn(b"GET /shares HTTP/1.1\r\nHost: a\r\nCookie: n=%d\r\nX: 1\r\n\r\n" % number)
    first, second = (known_head(b"GET /shares HTTP/1.1\r\nHost: a\r\nCookie: n=%d\r\nX: 1\r\n\r\n" % n) for n in (7, 8))
    assert first is not None
    assert second is not None
    assert first.line is second.line
    assert first.fields.stable is second.fields.stable
    assert [line.name for line in first.fields.fields] == [b"host", b"cookie", b"x"]
    assert (first.fields.get(b"cookie"), second.fields.get(b"cookie")) == (b"n=7", b"n=8")


_HEADS = [
    b"GET /k1 HTTP/1.1\r\nHost: a\r\nCookie: v=1\r\nX: y\r\n\r\n",
    b"GET /k2 HTTP/1.1\r\nCookie: v=1\r\nHost: a\r\n\r\n",
    b"POST /k3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\ncookie: v=1\r\n\r\n",
    b"GET http://b/k4 HTTP/1.0\r\nHost: a\r\nCookie: v=1\r\nConnection: keep-alive\r\n\r\n",
    b"GET /k5 HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nCookie: v=1\r\nCookie: w=2\r\n\r\n",
    b"GET /k6 HTTP/1.1\r\nHost: a\r\n\r\n",
]
_INSERTED = (
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b"\x7f", b" ", b"\t", b":", b"z", b"\xe9", b"\r\nCookie: q=1",
    b"\r\ncookie: q=1", b"\r\nCOOKIE: q=1", b"Cookie: q=1\r\n", b"\r\nHost: b", b"\r\nContent-Length: 2",
    b"\r\nTransfer-Encoding: chunked", b"\r\nX", b"\r\n folded",
)  # fmt: skip


@pytest.mark.parametrize("head", _HEADS)
def test_what_is_nearly_known_is_read_as_if_nothing_were(head: bytes) -> None:
    """In two pieces a head is never looked up."""
    for cookie in (b"v=1", b"v=2", b"v=3"):
        learn(head.replace(b"v=1", cookie))
    for at in range(1, len(head) + 1):
        for inserted in _INSERTED:
            data = head[:at] + inserted + head[at:]
            expected = outcome(data[:1], data[1:])
            for _ in range(3):
                assert outcome(data) == expected, data
        cut = head[:at] + head[at + 1 :]
        assert outcome(cut) == outcome(cut[:1], cut[1:]), cut


def test_a_cookie_counts_as_a_field() -> None:
    start = b"GET /count HTTP/1.1\r\n" + b"".join(b"X:\r\n" for _ in range(MAX_FIELDS - 2)) + b"Host: a\r\n"
    learn(start + b"Cookie: v=1\r\n\r\n")
    learn(start + b"X:\r\n\r\n")
    assert outcome(start + b"Cookie: v=2\r\n\r\n")[0] == 0
    for _ in range(3):
        assert outcome(start + b"X:\r\nCookie: v=3\r\n\r\n")[0] == 431


def test_what_follows_a_known_head_is_not_lost() -> None:
    head = b"GET /follows HTTP/1.1\r\nHost: a\r\n\r\n"
    learn(head)
    status, calls, _, held = outcome(head + head + head[:5])
    assert (status, len(calls), held) == (0, 4, head[:5])


def test_long_heads_are_not_kept() -> None:
    data = b"GET /long HTTP/1.1\r\nHost: a\r\nX: " + b"x" * MAX_KNOWN_BYTES + b"\r\n\r\n"
    learn(data)
    assert data not in known._HEADS.found
