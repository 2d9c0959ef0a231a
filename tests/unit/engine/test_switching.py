"""Connections that leave HTTP, interim responses and trailers: what a proxy passes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skitaid.engine.stream import Stream
from skitaid.exceptions import PeerError
from skitaid.protocols.errors import ResponseError
from tests.unit.engine.rig import Client, Rig, request_bytes

UPGRADE = request_bytes("/", "Connection: Upgrade", "Upgrade: echo")


class Echo:
    """A BodySink that sends back what it gets."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.received = 0
        self.before_read = None
        self.is_complete = False
        self.errors: list[PeerError] = []
        self.resumed = 0

    def feed(self, data: bytes) -> None:
        self.received += len(data)
        self.stream.write(data)

    def end(self) -> None:
        """Of the request, which has no body."""

    def fail(self, error: PeerError) -> None:
        self.errors.append(error)

    def resume(self, stream: Stream) -> None:
        self.resumed += 1
        stream.job = self.resume
        if stream.connection.is_broken:
            stream.abandon()


@pytest.fixture
def echoes(rig: Rig) -> list[Echo]:
    """Each connection that is served becomes an echo."""
    made: list[Echo] = []

    def serve(stream: Stream) -> None:
        echo = Echo(stream)
        made.append(echo)
        stream.body = echo
        stream.is_dispatched = True
        stream.job = echo.resume
        stream.switch("101 Switching Protocols", [("X-A", "1"), ("Content-Length", "5")], b"echo")

    rig.handler(serve)
    return made


def got(client: Client, condition: Callable[[], object]) -> None:
    """Take what comes until `condition`."""
    client.rig.until(lambda: (client.take(), condition())[1])


def switched(rig: Rig, data: bytes = b"") -> Client:
    client = rig.client()
    client.send(UPGRADE + data)
    got(client, lambda: b"\r\n\r\n" in client.received)
    return client


def test_the_head_of_another_protocol(rig: Rig, echoes: list[Echo]) -> None:
    client = switched(rig)
    assert client.received == (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-A: 1\r\n\r\n"
    )


def test_bytes_pass_as_they_are(rig: Rig, echoes: list[Echo]) -> None:
    client = switched(rig, b"GET / HTTP/1.1\r\n\r\n")
    got(client, lambda: client.received.endswith(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"))
    client.received = b""
    client.send(b"\0\xff" * 50000)
    got(client, lambda: client.received == b"\0\xff" * 50000)
    assert echoes[0].received == 100018


def test_no_time_out_of_http_counts(rig: Rig, echoes: list[Echo]) -> None:
    client = switched(rig)
    rig.advance(120.0)
    assert not client.is_closed


def test_the_end_of_the_clients_side_is_told_and_ours_still_goes_out(rig: Rig, echoes: list[Echo]) -> None:
    client = switched(rig)
    client.received = b""
    client.socket.shutdown(1)
    rig.until(lambda: echoes[0].errors)
    stream = echoes[0].stream
    assert not stream.connection.is_broken
    stream.write(b"bye")
    stream.finish()
    assert client.end() == b"bye"
    assert client.is_closed


def test_our_side_ends_and_the_clients_is_still_heard(rig: Rig, echoes: list[Echo]) -> None:
    client = switched(rig)
    client.received = b""
    assert echoes[0].stream.connection.end_output()
    assert client.end() == b""
    heard: list[bytes] = []
    echoes[0].feed = heard.append  # type: ignore[method-assign]
    client.send(b"more")
    rig.until(lambda: heard)
    assert heard == [b"more"]


def test_the_end_waits_for_what_is_queued(rig: Rig, echoes: list[Echo]) -> None:
    client = switched(rig)
    stream = echoes[0].stream
    stream.write(b"x" * 3_000_000)
    assert stream.is_congested
    assert not stream.connection.end_output()
    client.received = b""
    got(client, lambda: len(client.received) == 3_000_000)
    rig.until(lambda: echoes[0].resumed)
    assert stream.connection.end_output()


def test_a_client_that_breaks_off_is_told_to_whoever_answers(rig: Rig, echoes: list[Echo]) -> None:
    client = switched(rig)
    stream = echoes[0].stream
    stream.connection.set_reading(False)
    stream.write(b"x" * 3_000_000)
    client.close()
    rig.until(lambda: client.is_closed)
    assert echoes[0].errors
    assert echoes[0].resumed


def test_it_is_one_line_of_the_log(rig: Rig, echoes: list[Echo]) -> None:
    client = switched(rig)
    client.send(b"12345")
    rig.until(lambda: echoes[0].received == 5)
    assert not rig.records
    echoes[0].stream.finish()
    client.end()
    (record,) = rig.records
    assert (record[6], record[7], record[8]) == (5, 101, 5)


# ---------------------------------------------------------------- interim responses


def test_an_interim_response_comes_before_the_final_one(rig: Rig) -> None:
    def serve(stream: Stream) -> None:
        stream.inform("103 Early Hints", [("Link", "</a.css>; rel=preload"), ("Connection", "close")])
        stream.respond("200 OK", [], b"ok")
        stream.inform("103 Early Hints", [("Link", "</late>")])

    rig.handler(serve)
    client = rig.client()
    client.send(request_bytes())
    got(client, lambda: client.received.endswith(b"ok"))
    assert client.received.startswith(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n"
    )
    assert b"late" not in client.received


def test_http_1_0_knows_no_interim_response(rig: Rig) -> None:
    def serve(stream: Stream) -> None:
        stream.inform("103 Early Hints", [])
        stream.respond("200 OK", [], b"ok")

    rig.handler(serve)
    client = rig.client()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert client.end().startswith(b"HTTP/1.1 200 OK\r\n")


def test_no_field_writes_a_response_of_its_own(rig: Rig) -> None:
    def serve(stream: Stream) -> None:
        with pytest.raises(ResponseError):
            stream.inform("103 Early Hints", [("Link", "x\r\n\r\nHTTP/1.1 200 OK")])
        with pytest.raises(ResponseError):
            stream.switch("101 Switching Protocols", [("X", "a\nb")], b"echo")
        stream.abandon()

    rig.handler(serve)
    client = rig.client()
    client.send(request_bytes())
    assert client.end() == b""


# ---------------------------------------------------------------- trailers


def trailing(stream: Stream) -> None:
    stream.start("200 OK", [("Trailer", "X-Sum")])
    stream.write(b"abc")
    stream.finish([(b"x-sum", b"1"), (b"Content-Length", b"7"), (b"Transfer-Encoding", b"chunked")])


def test_trailers_follow_a_chunked_body(rig: Rig) -> None:
    rig.handler(trailing)
    client = rig.client()
    client.send(request_bytes())
    got(client, lambda: b"x-sum" in client.received)
    assert client.received.endswith(b"3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n")


def test_there_is_no_place_for_them_in_http_1_0(rig: Rig) -> None:
    rig.handler(trailing)
    client = rig.client()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert client.end().endswith(b"\r\n\r\nabc")
