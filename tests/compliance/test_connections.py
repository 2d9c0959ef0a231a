"""The life of a connection: persistence, pipelining, Expect, bodies nobody reads, and half-closed connections."""

from __future__ import annotations

import threading

import pytest

from tests.compliance.client import Connect, Ending, Wire
from tests.compliance.server import LARGE

CLOSE = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def assert_goes_on(wire: Wire) -> None:
    assert wire.ask(NEXT).json["PATH_INFO"] == "/next"


# ---------------------------------------------------------------- persistence


@pytest.mark.parametrize(
    ("version", "option", "answer"),
    [
        (b"1.1", b"", None),
        (b"1.1", b"Connection: keep-alive\r\n", None),
        (b"1.1", b"Connection: close\r\n", "close"),
        (b"1.1", b"Connection: x, Close\r\n", "close"),
        (b"1.0", b"", "close"),
        (b"1.0", b"Connection: keep-alive\r\n", "keep-alive"),
        (b"1.0", b"Connection: keep-alive, close\r\n", "close"),
    ],
)
@pytest.mark.parametrize("target", [b"/x", b"/static/small.txt", b"/static/none"])
def test_persistence(version: bytes, option: bytes, answer: str | None, target: bytes, connect: Connect) -> None:
    """RFC 9112 sections 9.3 and 9.6."""
    wire = connect()
    response = wire.ask(b"GET %b HTTP/%b\r\nHost: a\r\n%b\r\n" % (target, version, option))
    assert response.fields.get("connection") == answer
    if answer == "close":
        assert wire.rest() == b""
    else:
        assert_goes_on(wire)


def test_requests_behind_the_last_one_are_not_heard(connect: Connect) -> None:
    """RFC 9112 section 9.6."""
    wire = connect()
    wire.send(CLOSE + NEXT)
    assert wire.response().closes
    assert wire.drain()[0] == b""


# ---------------------------------------------------------------- pipelining


@pytest.mark.parametrize("count", [2, 50, 1000])
def test_pipelined_responses_come_in_order(count: int, connect: Connect) -> None:
    """RFC 9112 section 9.3.2. The first takes longest, and kinds are mixed: app, files, refusals of the site's own."""
    wire = connect()
    targets = [b"/slow?50", *(b"/n/%d" % n if n % 3 else b"/static/small.txt" for n in range(1, count))]
    sender = threading.Thread(
        target=wire.send, args=[b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target for target in targets)]
    )
    sender.start()
    for target in targets:
        response = wire.response()
        if target.startswith(b"/static"):
            assert response.body == b"small"
        else:
            assert response.json["PATH_INFO"].encode() == target.partition(b"?")[0]
    sender.join()
    assert_goes_on(wire)


def test_pipelined_bodies_stay_with_their_requests(connect: Connect) -> None:
    wire = connect()
    numbers = range(200)
    raw = b""
    for number in numbers:
        body = b"%d" % number * 50
        raw += b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    sender = threading.Thread(target=wire.send, args=[raw])
    sender.start()
    assert [wire.response().json["body"] for _ in numbers] == [str(number) * 50 for number in numbers]
    sender.join()


def test_a_refused_request_behind_others_is_answered_in_its_turn(connect: Connect) -> None:
    """RFC 9112 section 9.3.2."""
    wire = connect()
    wire.send(b"GET /slow?50 HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT + b"NONSENSE\r\n\r\n" + NEXT)
    assert [wire.response().status for _ in range(3)] == [200, 200, 400]
    assert wire.drain()[0] == b""


# ---------------------------------------------------------------- half-closed connections


@pytest.mark.parametrize("target", [b"/x", b"/slow?100", b"/pieces", b"/static/small.txt"])
def test_a_client_that_says_no_more_is_still_answered(target: bytes, connect: Connect) -> None:
    """RFC 9112 section 9.6: only its own direction is closed."""
    wire = connect()
    wire.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    wire.end_input()
    assert wire.response().status == 200
    assert wire.rest() == b""


@pytest.mark.parametrize("target", [b"/large", b"/static/large.bin"])
def test_also_with_more_than_the_socket_takes_at_once(target: bytes, connect: Connect) -> None:
    wire = connect()
    wire.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    wire.end_input()
    assert wire.response().body == LARGE
    assert wire.rest() == b""


def test_also_all_that_it_pipelined(connect: Connect) -> None:
    wire = connect()
    wire.send(b"GET /slow?100 HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT * 20)
    wire.end_input()
    assert [wire.response().status for _ in range(21)] == [200] * 21
    assert wire.rest() == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /cut-1 HT",
        b"GET /cut-2 HTTP/1.1\r\nHost: a\r\n",
        b"POST /cut-3 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
        b"POST /cut-4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"POST /cut-5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ],
)
def test_a_request_that_is_never_completed_is_never_served(raw: bytes, connect: Connect) -> None:
    """RFC 9112 section 8."""
    wire = connect()
    wire.send(raw)
    wire.end_input()
    assert b" 200 " not in wire.drain()[0]
    path = raw.split()[1]
    assert connect().ask(b"GET /was-run?%b HTTP/1.1\r\nHost: a\r\n\r\n" % path).body == b"no"


def test_a_client_that_only_says_goodbye_hears_nothing(connect: Connect) -> None:
    wire = connect()
    wire.end_input()
    assert wire.drain() == (b"", Ending.CLOSED)


# ---------------------------------------------------------------- Expect


def expecting(target: bytes, version: bytes = b"1.1", fields: bytes = b"Content-Length: 5") -> bytes:
    return b"POST %b HTTP/%b\r\nHost: a\r\nExpect: 100-continue\r\n%b\r\n\r\n" % (target, version, fields)


@pytest.mark.parametrize(
    ("fields", "body"),
    [(b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")],
)
def test_a_body_is_asked_for_when_the_app_wants_it(fields: bytes, body: bytes, connect: Connect) -> None:
    """RFC 9110 section 10.1.1."""
    wire = connect()
    for _ in range(2):
        assert wire.ask(expecting(b"/x", fields=fields)).status == 100
        response = wire.ask(body)
        assert (response.status, response.json["body"]) == (200, "hello")


def test_a_body_that_is_there_is_not_asked_for(connect: Connect) -> None:
    """RFC 9110 section 10.1.1: 100 may be omitted; here it comes before the final response or not at all."""
    wire = connect()
    wire.send(expecting(b"/x") + b"hello")
    response = wire.response()
    if response.status == 100:
        response = wire.response()
    assert (response.status, response.json["body"]) == (200, "hello")
    assert_goes_on(wire)


def test_1_0_is_never_asked(connect: Connect) -> None:
    """RFC 9110 section 10.1.1: a server MUST NOT send 100 to an HTTP/1.0 client, whatever it expects."""
    wire = connect()
    wire.send(expecting(b"/x", version=b"1.0"))
    assert wire.is_silent(0.2)
    response = wire.ask(b"hello")
    assert (response.status, response.json["body"]) == (200, "hello")


def test_an_expectation_without_a_body_is_none(connect: Connect) -> None:
    """RFC 9110 section 10.1.1."""
    wire = connect()
    assert wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").status == 200
    assert_goes_on(wire)


def test_a_body_that_nobody_asks_for_may_never_come(connect: Connect) -> None:
    """RFC 9110 section 10.1.1: after a final response the client may send the body or leave it out; so nobody can tell
    what follows, and the connection must end."""
    wire = connect()
    response = wire.ask(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n")
    assert (response.status, response.closes) == (405, True)
    wire.send(NEXT)
    assert wire.drain()[0] == b""


def test_an_app_that_wants_no_body_gets_none(connect: Connect) -> None:
    """With threads the app answers before it is asked for; on the loop it is asked for at once, as nobody can wait."""
    wire = connect()
    response = wire.ask(expecting(b"/blind", fields=b"Content-Length: 40"))
    if response.status == 100:
        response = wire.ask(b"x" * 40)
        assert response.body == b"unread"
        assert_goes_on(wire)
    else:
        assert response.body == b"unread"
        assert response.closes
        wire.send(NEXT)
        assert wire.drain()[0] == b""


# ---------------------------------------------------------------- bodies nobody reads


SMUGGLED = b"GET /smuggled-in-a-body HTTP/1.1\r\nHost: a\r\n\r\n"
FRAMED = [
    b"Content-Length: %d\r\n\r\n%b" % (len(SMUGGLED), SMUGGLED),
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
]


@pytest.mark.parametrize("target", [b"/blind", b"/static/small.txt", b"/fails", b"/status?204"])
@pytest.mark.parametrize("framed", FRAMED, ids=["length", "chunks"])
@pytest.mark.parametrize("is_dripped", [False, True], ids=["whole", "dripped"])
def test_an_unread_body_is_not_taken_for_the_next_request(
    target: bytes, framed: bytes, is_dripped: bool, connect: Connect
) -> None:
    """RFC 9112 section 9.3: the server reads the whole of a body, or closes the connection."""
    wire = connect()
    raw = b"POST %b HTTP/1.1\r\nHost: a\r\n%b" % (target, framed) + NEXT
    wire.send(*(raw[at : at + 5] for at in range(0, len(raw), 5)) if is_dripped else [raw])
    response = wire.response()
    if response.closes:
        assert wire.drain()[0] == b""
    else:
        assert wire.response().json["PATH_INFO"] == "/next"
    assert connect().ask(b"GET /was-run?/smuggled-in-a-body HTTP/1.1\r\nHost: a\r\n\r\n").body == b"no"


@pytest.mark.parametrize("target", [b"/blind", b"/static/none", b"/fails"])
@pytest.mark.parametrize("size", [100_000, 1_500_000])
def test_the_answer_arrives_although_the_body_is_not_read(target: bytes, size: int, connect: Connect) -> None:
    """RFC 9112 section 9.6: a reset would destroy a response that the client has not read yet."""
    wire = connect()
    raw = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (target, size)
    sender = threading.Thread(target=wire.send, args=[raw, *[b"x" * 10_000] * (size // 10_000), NEXT])
    sender.start()
    response = wire.response()
    assert response.status in (200, 404, 405, 500)
    if response.closes:
        assert b"HTTP/1.1" not in wire.drain()[0]
    else:
        assert wire.response().json["PATH_INFO"] == "/next"
    sender.join()


# ---------------------------------------------------------------- bodies that break off under the app's hands

BEGUN = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n%b\r\n" % (b"x" * 65536) * 4


def test_framing_that_breaks_while_the_app_reads_is_the_clients_fault(connect: Connect) -> None:
    """RFC 9112 section 8: 400, not 500, although an app was already at work."""
    wire = connect()
    wire.send(BEGUN, b"zz\r\n", NEXT)
    response = wire.response()
    assert (response.status, response.closes) == (400, True)
    assert wire.drain()[0] == b""


def test_a_client_that_goes_while_the_app_reads_harms_nobody(connect: Connect) -> None:
    for _ in range(5):
        with connect() as wire:
            wire.send(BEGUN)
    assert_goes_on(connect())
