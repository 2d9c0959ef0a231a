"""A connection over a socket pair. `Held` plays the app thread, in the test's own: so what it does falls exactly
between two turns of the loop."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from skitaid.engine.channel import HIGH_BYTES
from skitaid.engine.errors import ClientGoneError
from skitaid.engine.phase import Phase
from skitaid.engine.stream import Stream
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.response import Http1Exchange
from tests.unit.engine.held import Held
from tests.unit.engine.rig import Client, MakeRig, Rig, hello, request_bytes

MEGABYTE = 1 << 20


@pytest.fixture
def held(rig: Rig) -> Held:
    return Held(rig)


@pytest.fixture
def threaded(make_rig: MakeRig) -> Held:
    """As `held`, on an engine with threads: apps may wait for bodies there."""
    return Held(make_rig(threads=1))


def answer(stream: Stream, body: bytes = b"answer") -> None:
    stream.respond("200 OK", [], body)


def reset(client: Client) -> None:
    """Leave without reading what has come: the kernel tells the engine of a reset."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()


# ---------------------------------------------------------------- one request after another


def test_a_connection_is_kept(rig: Rig) -> None:
    rig.app(hello)
    client = rig.client()
    for _ in range(3):
        reply = client.get("/")
        assert (reply.code, reply.body, reply.get("connection")) == (200, b"hello", None)
    assert client.connection.served == 3
    assert client.connection.phase is Phase.IDLE


def test_http_1_0_is_closed_unless_asked_to_be_kept(rig: Rig) -> None:
    rig.app(hello)
    client = rig.client()
    assert client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").get("connection") == "keep-alive"
    assert client.ask(b"GET / HTTP/1.0\r\n\r\n").get("connection") == "close"
    assert client.end() == b""


def test_close_is_closed(rig: Rig) -> None:
    rig.app(hello)
    client = rig.client()
    assert client.get("/", "Connection: close").get("connection") == "close"
    assert client.end() == b""


def test_a_request_that_comes_byte_by_byte(rig: Rig) -> None:
    rig.app(hello)
    client = rig.client()
    for byte in request_bytes("/"):
        client.send(bytes([byte]))
        rig.turn()
    assert client.reply().body == b"hello"


def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield environ["PATH_INFO"].encode()

    rig.app(echo)
    client = rig.client()
    client.send(b"".join(request_bytes(f"/{number}") for number in range(50)))
    assert [client.reply().body for _ in range(50)] == [b"/%d" % number for number in range(50)]


def test_a_flood_of_pipelined_requests_is_not_all_taken_in(held: Held, rig: Rig) -> None:
    """Back-pressure: while one request is worked on, what the client sends after it waits in the kernel."""
    client = rig.client()
    one = request_bytes("/x", "X-Fill: " + "x" * 2000)
    client.send(one)
    first = held.next()
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += client.socket.send(one)
            rig.turn()
    assert client.connection._parser.buffered < 3 * 65536
    # A piece of a request may be missing at the end; it is sent below.
    rest = one[sent % len(one) :] if sent % len(one) else b""
    count = (sent + len(rest)) // len(one)
    answer(first)
    client.reply()
    client.send(rest)
    for _ in range(count):
        answer(held.next())
        client.reply()
    assert client.connection.phase is Phase.IDLE


def test_the_next_request_waits_for_the_response_before(held: Held, rig: Rig) -> None:
    client = rig.client()
    client.send(request_bytes("/1") + request_bytes("/2"))
    first = held.next()
    rig.settle()
    assert held.streams == []
    answer(first, b"one")
    second = held.next()
    assert second.path == "/2"
    answer(second, b"two")
    assert (client.reply().body, client.reply().body) == (b"one", b"two")


def test_a_request_that_comes_while_the_one_before_ends(held: Held, rig: Rig) -> None:
    """The second arrives before the end of the first, and is looked at after it."""
    client = rig.client()
    client.send(request_bytes("/1"))
    first = held.next()
    client.socket.send(request_bytes("/2"))
    answer(first)
    assert held.next().path == "/2"


def test_an_unread_body_is_skipped(rig: Rig) -> None:
    rig.app(hello)
    client = rig.client()
    for size in (1, 1000, 60000):
        assert client.ask(request_bytes("/", method="POST", body=b"GET / HTTP/1.1\r\n\r\n" * (size // 18))).code == 200
    assert client.get("/").body == b"hello"


# ---------------------------------------------------------------- the client ends its side


def test_a_client_that_ended_its_side_is_answered(held: Held, rig: Rig) -> None:
    client = rig.client()
    client.send(request_bytes("/"))
    client.socket.shutdown(socket.SHUT_WR)
    stream = held.next()
    rig.settle()
    answer(stream)
    reply = client.reply()
    assert (reply.body, reply.get("connection")) == (b"answer", "close")
    assert client.end() == b""
    assert client.is_closed


def test_pipelined_requests_of_a_client_that_ended_its_side(held: Held, rig: Rig) -> None:
    """The end of file and the end of the first response meet in one turn."""
    client = rig.client()
    client.send(request_bytes("/1") + request_bytes("/2"))
    first = held.next()
    client.socket.shutdown(socket.SHUT_WR)
    answer(first)
    second = held.next()
    answer(second)
    assert client.reply().body == client.reply().body == b"answer"
    assert client.end() == b""
    assert client.is_closed


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_an_end_before_a_request_is_no_request(rig: Rig, sent: bytes) -> None:
    rig.app(hello)
    client = rig.client()
    client.send(sent)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.end() == b""
    assert client.is_closed
    assert rig.records == []


def test_an_end_within_a_body_is_logged_as_no_answer(rig: Rig) -> None:
    rig.app(hello)
    client = rig.client()
    client.send(request_bytes("/", "Content-Length: 100", method="POST") + b"x" * 50)
    rig.settle()
    client.socket.shutdown(socket.SHUT_WR)
    client.end()
    assert client.is_closed
    assert rig.records[-1][7] == 499


def test_an_end_within_a_body_that_an_app_reads(threaded: Held) -> None:
    client = threaded.rig.client()
    client.send(request_bytes("/", "Content-Length: 1000000", method="POST") + b"x" * 200000)
    stream = threaded.next()
    assert stream.body is not None
    client.socket.shutdown(socket.SHUT_WR)
    threaded.rig.settle()
    with pytest.raises(OSError, match="before its request was complete"):
        stream.body.read()
    stream.abort()
    client.end()
    assert client.is_closed


# ---------------------------------------------------------------- the client is gone


def test_a_reset_while_the_app_works_keeps_the_descriptor_until_it_is_done(held: Held, rig: Rig) -> None:
    client = rig.client()
    client.send(request_bytes("/"))
    stream = held.next()
    client.socket.send(b"more that nobody reads")
    number = client.connection.fd
    reset(client)
    rig.settle()
    # Another socket must not get the number while an app thread may send.
    assert client.connection._socket.fileno() == number
    answer(stream)
    rig.settle()
    assert client.connection._socket.fileno() == -1
    assert client.is_closed


def test_a_reset_ends_the_wait_of_a_slow_response(held: Held, rig: Rig) -> None:
    client = rig.client(send_buffer=4096)
    client.send(request_bytes("/"))
    stream = held.next()
    stream.start("200 OK", [])
    client.connection.send(stream.exchange.data(b"x" * MEGABYTE))
    assert client.connection.is_congested
    reset(client)
    rig.settle()
    with pytest.raises(ClientGoneError):
        client.connection.wait_drained()
    stream.abort()
    rig.settle()
    assert client.is_closed


def test_what_was_queued_for_a_client_that_is_gone_does_not_keep_the_connection(held: Held, rig: Rig) -> None:
    client = rig.client(send_buffer=4096)
    client.send(request_bytes("/"))
    stream = held.next()
    stream.start("200 OK", [])
    client.connection.send(stream.exchange.data(b"x" * MEGABYTE))
    reset(client)
    rig.settle()
    # The app did not notice and ends as if all were well.
    stream.finish()
    rig.settle()
    assert client.is_closed
    assert len(rig.records) == 1


def test_the_last_bytes_are_queued_while_the_loop_finds_the_client_gone(held: Held, rig: Rig) -> None:
    """`finish` has queued its bytes; before it can leave the rest to the loop, the loop gives the connection up."""
    client = rig.client(send_buffer=4096)
    connection = client.connection
    client.send(request_bytes("/"))
    stream = held.next()
    send = connection._send

    def send_while_the_client_goes(data: bytes) -> int:
        sent = send(data)
        reset(client)
        return sent

    connection._send = send_while_the_client_goes

    class Lock:
        """The loop has its turn right before `finish` decides."""

        def __init__(self, lock: Any) -> None:
            self.lock = lock
            self.entries = 0

        def __enter__(self) -> None:
            self.entries += 1
            if self.entries == 2:
                connection._lock = self.lock
                connection._send = send
                rig.settle()
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    connection._lock = Lock(connection._lock)
    answer(stream, b"x" * MEGABYTE)
    rig.settle()
    assert client.is_closed
    assert len(rig.records) == 1


def test_giving_up_resets_at_once_whatever_is_queued(held: Held, rig: Rig) -> None:
    client = rig.client(send_buffer=4096)
    client.send(request_bytes("/"))
    stream = held.next()
    stream.start("200 OK", [])
    client.connection.send(stream.exchange.data(b"x" * MEGABYTE))
    stream.abort()
    rig.settle()
    assert client.is_closed
    # What came before is fine, but no end of the response.
    assert not client.end().endswith(b"0\r\n\r\n")


# ---------------------------------------------------------------- sending


def test_a_response_to_a_slow_client_is_taken_in_portions(rig: Rig) -> None:
    """On the loop: the generator is asked for no more than fits, and others are served meanwhile."""
    asked = [0]

    def long(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        for _ in range(200):
            asked[0] += 1
            yield b"x" * 65536

    rig.app(long, "/long")
    rig.app(hello)
    slow, quick = rig.client(), rig.client()
    slow.send(request_bytes("/long"))
    rig.settle()
    most = 0
    before = asked[0]
    assert before < 20
    assert quick.get("/").body == b"hello"
    while not slow.received.endswith(b"0\r\n\r\n"):
        slow.take(300000)
        rig.settle()
        most = max(most, slow.connection.outgoing_bytes)
    assert asked[0] == 200
    assert most < HIGH_BYTES + 65536 + 100
    assert slow.reply().body == b"x" * 200 * 65536


def test_a_large_piece_is_sent_as_the_client_takes_it(held: Held, rig: Rig) -> None:
    client = rig.client(send_buffer=4096)
    client.send(request_bytes("/"))
    answer(held.next(), bytes(range(256)) * 40000)
    assert client.connection.phase is Phase.SENDING
    # Not done before the last byte is out: no next request until then.
    client.socket.send(request_bytes("/2"))
    assert client.reply().body == bytes(range(256)) * 40000
    answer(held.next())
    assert client.reply().body == b"answer"


def test_head_and_first_piece_travel_together(held: Held, rig: Rig) -> None:
    client = rig.client()
    client.send(request_bytes("/"))
    stream = held.next()
    stream.start("200 OK", [("Content-Length", "5")])
    assert client.take() == b""
    stream.write(b"hello")
    assert client.take().endswith(b"\r\n\r\nhello")
    stream.finish()


# ---------------------------------------------------------------- what is not a request


def test_nonsense_is_refused_and_not_heard_further(rig: Rig) -> None:
    rig.app(hello)
    client = rig.client()
    client.send(b"\x16\x03\x01 hello there\r\n\r\n")
    assert client.reply().code == 400
    client.socket.send(request_bytes("/"))
    assert client.end() == b""
    client.close()
    rig.settle()
    assert client.is_closed
    assert [record[7] for record in rig.records] == [400]


def test_nonsense_behind_a_request_is_refused_after_its_response(held: Held, rig: Rig) -> None:
    client = rig.client()
    client.send(request_bytes("/") + b"nonsense\r\n\r\n")
    answer(held.next())
    assert client.reply().code == 200
    assert client.reply().code == 400
    assert client.end() == b""


def test_a_bad_chunk_fails_the_body_that_an_app_reads(threaded: Held) -> None:
    client = threaded.rig.client()
    client.send(request_bytes("/", "Transfer-Encoding: chunked", method="POST"))
    client.send(b"30d40\r\n" + b"x" * 200000 + b"\r\n")
    stream = threaded.next()
    client.send(b"no size\r\n")
    threaded.rig.settle()
    assert stream.body is not None
    with pytest.raises(OSError, match="does not begin with its size"):
        stream.body.read()
    answer(stream)
    assert client.reply().get("connection") == "close"
    assert client.end() == b""


def test_a_bad_chunk_while_the_response_ends(threaded: Held) -> None:
    """The app thread completes the response after the loop saw that it is at work, and before it says anything."""
    client = threaded.rig.client()
    client.send(request_bytes("/", "Content-Length: 60000", "Expect: x", method="POST"))
    stream = None

    class Ending(Http1Exchange):
        is_armed = False

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "is_persistent" and self.is_armed:
                Ending.is_armed = False
                assert stream is not None
                answer(stream)
            super().__setattr__(name, value)

    client.send(b"x" * 30000)
    threaded.rig.settle()
    stream = client.connection.stream
    assert stream is not None and stream.body is not None
    stream.body.start_early()
    stream.exchange = Ending("POST", 1, is_persistent=True)
    Ending.is_armed = True
    client.connection._refuse(ProtocolError(408, "the body of the request did not arrive in time"))
    client.connection.on_event(0)
    assert client.reply().body == b"answer"
    # Nothing can be read any more, so nothing can be waited for.
    assert client.end() == b""


def test_a_handler_that_fails_is_a_500(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(stream: Stream) -> None:
        raise ZeroDivisionError("a handler failed")

    rig.handler(fail, "/bad")
    rig.app(hello)
    client = rig.client()
    assert client.get("/bad").code == 500
    assert client.get("/").body == b"hello"
    # Also behind another, where the portal calls and not the socket's event.
    client.send(request_bytes("/") + request_bytes("/bad") + request_bytes("/"))
    assert [client.reply().code for _ in range(3)] == [200, 500, 200]
    assert "ZeroDivisionError: a handler failed" in capsys.readouterr().err


def test_a_handler_that_fails_half_way_is_a_reset(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(stream: Stream) -> None:
        stream.start("200 OK", [("Content-Length", "10")])
        stream.write(b"12345")
        raise ZeroDivisionError("a handler failed")

    rig.handler(fail)
    client = rig.client()
    client.send(request_bytes("/"))
    client.end()
    assert client.received.endswith(b"12345")
    assert client.is_closed
    assert "a handler failed" in capsys.readouterr().err


# ---------------------------------------------------------------- time


def test_a_connection_without_a_request_is_closed_silently(make_rig: MakeRig) -> None:
    rig = make_rig(keep_alive_s=5)
    rig.app(hello)
    fresh, kept = rig.client(), rig.client()
    kept.get("/")
    rig.advance(4)
    assert not fresh.is_closed and not kept.is_closed
    kept.get("/")
    rig.advance(2)
    assert fresh.is_closed and not kept.is_closed
    assert fresh.end() == b""
    rig.advance(4)
    assert kept.is_closed
    assert kept.end() == b""


def test_the_wait_for_the_next_request_begins_with_the_end_of_the_response(make_rig: MakeRig) -> None:
    rig = make_rig(keep_alive_s=5)
    held = Held(rig)
    client = rig.client()
    client.send(request_bytes("/"))
    stream = held.next()
    rig.advance(60)
    answer(stream)
    assert client.reply().code == 200
    rig.advance(4)
    assert not client.is_closed
    rig.advance(3)
    assert client.is_closed


def test_a_head_that_does_not_come_is_408(make_rig: MakeRig) -> None:
    rig = make_rig(stall_s=5, head_s=8)
    stalled, dripping = rig.client(), rig.client()
    stalled.send(b"GET / HT")
    for _ in range(6):
        dripping.send(b"G")
        rig.advance(1)
    assert stalled.reply().code == 408
    assert stalled.end() == b""
    assert not dripping.is_ended
    for _ in range(4):
        dripping.socket.send(b"G")
        rig.advance(1)
    assert dripping.reply().code == 408


def test_a_head_behind_a_long_request_has_its_own_time(make_rig: MakeRig) -> None:
    rig = make_rig(head_s=8)
    held = Held(rig)
    client = rig.client()
    client.send(request_bytes("/") + b"GET /2 HTT")
    stream = held.next()
    rig.advance(60)
    answer(stream)
    client.reply()
    rig.advance(2)
    client.send(b"P/1.1\r\nHost: x\r\n\r\n")
    assert held.next().path == "/2"


def test_a_request_behind_a_long_one_does_not_time_out_between_the_two(make_rig: MakeRig) -> None:
    """The tick falls between the end of the first and the beginning of the second."""
    rig = make_rig(head_s=8)
    held = Held(rig)
    client = rig.client()
    client.send(request_bytes("/") + request_bytes("/2"))
    stream = held.next()
    rig.advance(60)
    answer(stream)
    rig.clock.now += 1
    rig.engine.begin(0)
    rig.engine.tick()
    answer(held.next())
    assert [client.reply().code for _ in range(2)] == [200, 200]


def test_a_body_that_does_not_come_is_408(make_rig: MakeRig) -> None:
    rig = make_rig(stall_s=5)
    rig.app(hello)
    client = rig.client()
    client.send(request_bytes("/", "Content-Length: 10", method="POST") + b"12345")
    rig.advance(4)
    client.send(b"6")
    rig.advance(4)
    assert not client.received and not client.is_closed
    rig.advance(2)
    assert client.reply().code == 408
    assert client.end() == b""


def test_a_body_that_an_app_reads_and_that_does_not_come_fails(make_rig: MakeRig) -> None:
    rig = make_rig(threads=1, stall_s=5)
    held = Held(rig)
    client = rig.client()
    client.send(request_bytes("/", "Content-Length: 1000000", method="POST") + b"x" * 200000)
    stream = held.next()
    assert stream.body is not None
    rig.advance(7)
    with pytest.raises(OSError, match="did not arrive in time"):
        stream.body.read()
    stream.abort()


def test_an_app_may_take_its_time_with_a_body(make_rig: MakeRig) -> None:
    """The client could send and is not let: that is no fault of its own."""
    rig = make_rig(threads=1, stall_s=5)
    held = Held(rig)
    client = rig.client()
    client.send(request_bytes("/", "Content-Length: 400000", method="POST") + b"x" * 300000)
    stream = held.next()
    body = stream.body
    assert body is not None
    rig.until(lambda: body._is_paused)
    rig.advance(60)
    assert body.read(250000) == b"x" * 250000
    # It is let again, and has all of its time.
    rig.advance(4)
    client.send(b"y" * 100000)
    rig.settle()
    assert len(body.read()) == 150000
    answer(stream)
    assert client.reply().code == 200


def test_a_body_that_was_not_asked_for_yet_is_not_late(make_rig: MakeRig) -> None:
    rig = make_rig(threads=1, stall_s=5)
    held = Held(rig)
    client = rig.client()
    client.send(request_bytes("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
    stream = held.next()
    assert stream.body is not None
    rig.advance(60)
    assert not client.is_closed
    stream.send_continue()
    rig.advance(4)
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.received = b""
    client.send(b"12345")
    rig.settle()
    assert stream.body.read() == b"12345"
    answer(stream)
    assert client.reply().code == 200


def test_a_client_that_takes_nothing_is_given_up(make_rig: MakeRig) -> None:
    rig = make_rig(stall_s=5)
    closed: list[int] = []

    class Endless:
        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            return b"x" * 65536

        def close(self) -> None:
            closed.append(1)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Endless:
        start_response("200 OK", [])
        return Endless()

    rig.app(app)
    client = rig.client()
    client.send(request_bytes("/"))
    rig.settle()
    rig.advance(4)
    assert client.take(400000)
    rig.settle()
    # It took something: its time begins anew.
    rig.advance(4)
    assert not client.is_closed and not closed
    rig.advance(2)
    assert client.is_closed
    assert closed == [1]
    assert rig.failures == []


def test_a_client_that_takes_nothing_is_given_up_though_the_app_goes_on(make_rig: MakeRig) -> None:
    """An app that sends a little every second must not keep a client alive that takes none of it."""
    rig = make_rig(stall_s=5)
    held = Held(rig)
    client = rig.client(send_buffer=4096)
    client.send(request_bytes("/"))
    stream = held.next()
    stream.start("200 OK", [])
    with pytest.raises(ClientGoneError):
        for _ in range(30):
            stream.write(b"x" * 5000)
            rig.advance(1)
    stream.abort()


def test_a_client_that_does_not_close_is_closed(make_rig: MakeRig) -> None:
    rig = make_rig(linger_s=2)
    rig.app(hello)
    client = rig.client()
    client.get("/", "Connection: close")
    client.end()
    assert client.connection.phase is Phase.LINGERING
    rig.advance(4)
    assert client.is_closed


def test_a_client_that_never_stops_talking_is_closed(make_rig: MakeRig) -> None:
    rig = make_rig(linger_s=2, head_s=8)
    rig.app(hello)
    client = rig.client()
    client.get("/", "Connection: close")
    client.end()
    for _ in range(7):
        client.socket.send(b"x")
        rig.advance(1)
    assert not client.is_closed
    rig.advance(2)
    assert client.is_closed


# ---------------------------------------------------------------- the end


def test_draining_ends_each_connection_with_its_response(held: Held, rig: Rig) -> None:
    idle, busy, late = rig.client(), rig.client(), rig.client()
    busy.send(request_bytes("/") + request_bytes("/2"))
    stream = held.next()
    rig.engine.drain()
    # A kept connection may still be used, for one last request.
    late.send(request_bytes("/"))
    last = held.next()
    rig.engine.close_idle()
    rig.settle()
    assert idle.end() == b"" and not busy.is_ended
    idle.close()
    for each, client in ((stream, busy), (last, late)):
        answer(each)
        assert client.reply().get("connection") == "close"
        assert client.end() == b""
        client.close()
    rig.settle()
    assert rig.engine.connection_count == 0


def test_closing_the_idle_does_not_lose_a_request_that_is_there(held: Held, rig: Rig) -> None:
    """One that the kernel holds, and one that waits for its turn."""
    sent, waiting = rig.client(), rig.client()
    waiting.send(request_bytes("/1") + request_bytes("/2"))
    stream = held.next()
    rig.settle()
    answer(stream)
    sent.socket.send(request_bytes("/3"))
    rig.engine.close_idle()
    paths = set()
    for _ in range(2):
        stream = held.next()
        paths.add(stream.path)
        answer(stream)
    assert paths == {"/2", "/3"}


def test_no_connection_is_left_open_when_the_engine_closes(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.app(hello)
    clients = [rig.client() for _ in range(3)]
    clients[0].get("/")
    clients[1].send(b"GET / HT")
    rig.settle()
    sockets = [client.connection._socket for client in clients]
    rig.engine.close(0)
    assert [each.fileno() for each in sockets] == [-1, -1, -1]
    rig.engine.close(0)
