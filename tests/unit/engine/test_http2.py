"""HTTP/2 on a connection over a socket pair. `Held` plays the app thread, in the test's own."""

from __future__ import annotations

import base64
import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h2.connection
import h2.settings
import pytest

from skitaid.engine.errors import BodyError, ClientGoneError
from skitaid.engine.file_segment import FileSegment, OpenFile
from skitaid.engine.phase import Phase
from skitaid.engine.settings import EngineSettings
from skitaid.engine.stream import Stream
from skitaid.logs.request import FIELDS
from skitaid.protocols.http2.frames import PREFACE, frame
from skitaid.protocols.http2.limits import Http2Limits
from tests.unit.engine.held import Held
from tests.unit.engine.http2_client import Http2Client, Response, connect
from tests.unit.engine.rig import MakeRig, Rig, hello

MEGABYTE = 1 << 20


@pytest.fixture
def held(rig: Rig) -> Held:
    return Held(rig)


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("X-Protocol", environ["SERVER_PROTOCOL"]), ("X-Cookie", environ.get("HTTP_COOKIE", ""))])
    return [body or environ["PATH_INFO"].encode()]


def big(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Pieces of 10,000 bytes, as many as the path says."""
    start_response("200 OK", [])
    for number in range(int(environ["PATH_INFO"].strip("/"))):
        yield bytes([number % 251]) * 10000


def big_body(count: int) -> bytes:
    return b"".join(bytes([number % 251]) * 10000 for number in range(count))


# ---------------------------------------------------------------- beginnings


def test_prior_knowledge(rig: Rig) -> None:
    rig.app(echo)
    client = connect(rig)
    response = client.get("/a", ("cookie", "a=b"), ("cookie", "c=d"))
    assert (response.status, response.body) == (200, b"/a")
    assert (response.fields["x-protocol"], response.fields["x-cookie"]) == ("HTTP/2", "a=b; c=d")
    assert client.connection.served == 1 and client.connection.phase is Phase.IDLE
    assert rig.records[0][5] == "2"


def test_a_preface_that_comes_byte_by_byte(rig: Rig) -> None:
    rig.app(hello)
    raw = rig.client()
    client = Http2Client(rig, raw.socket)
    client.h2.initiate_connection()
    for byte in client.h2.data_to_send():
        raw.send(bytes([byte]))
        rig.turn()
    assert client.get().body == b"hello"


@pytest.mark.parametrize("data", [PREFACE[:18] + b"XX\r\n\r\n" + bytes(16), PREFACE + frame(6, 0, 0, bytes(8))])
def test_what_only_begins_like_it(rig: Rig, data: bytes) -> None:
    rig.app(hello)
    raw = rig.client()
    raw.send(data)
    assert raw.end()
    rig.settle()
    raw.close()
    rig.until(lambda: not rig.engine.connection_count)


def test_a_preface_behind_a_request_is_none(rig: Rig) -> None:
    rig.app(hello)
    raw = rig.client()
    assert raw.get("/").body == b"hello"
    assert raw.ask(PREFACE).code == 505


def test_it_may_be_switched_off() -> None:
    rig = Rig(EngineSettings(threads=0, http2=None))
    rig.app(hello)
    assert rig.client().ask(PREFACE).code == 505
    switched = rig.client()
    assert switched.ask(upgrade_request()).code == 200
    rig.close()


# ---------------------------------------------------------------- Upgrade


def upgrade_request(method: str = "GET", *fields: str, settings: bytes | None = None, body: bytes = b"") -> bytes:
    payload = struct.pack(">HI", 4, 70000) if settings is None else settings
    lines = [
        f"{method} /x HTTP/1.1", "Host: localhost", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
        f"HTTP2-Settings: {base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}", *fields,
    ]  # fmt: skip
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def upgraded(rig: Rig, request: bytes) -> Http2Client:
    """After 101; the response is that of stream 1."""
    raw = rig.client()
    raw.send(request)
    rig.until(lambda: raw.take() or b"\r\n\r\n" in raw.received)
    head, _, rest = raw.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ") and b"Upgrade: h2c" in head
    client = Http2Client(rig, raw.socket)
    client.h2.initiate_upgrade_connection()
    client.responses[1] = Response()
    client.take(rest)
    client.turn()
    return client


def test_upgrade(rig: Rig) -> None:
    rig.app(echo)
    client = upgraded(rig, upgrade_request())
    assert client.until_done(1)[0].body == b"/x"
    assert client.get("/y").body == b"/y"


@pytest.mark.parametrize("size", [5, 50000])
def test_upgrade_with_a_body(rig: Rig, size: int) -> None:
    rig.app(echo)
    request = upgrade_request("POST", body=b"x" * size)
    client = upgraded(rig, request)
    assert client.until_done(1)[0].body == b"x" * size
    assert client.get("/y").body == b"/y"


def test_a_body_that_is_not_all_here_keeps_to_http_1(rig: Rig) -> None:
    """curl forgets the rest of it when it sees 101."""
    rig.app(echo)
    client = rig.client()
    request = upgrade_request("POST", body=b"x" * 50000)
    client.send(request[:-40000])
    rig.turn()
    client.send(request[-40000:])
    assert client.reply().body == b"x" * 50000


def test_little_is_sent_before_the_client_says_anything(rig: Rig) -> None:
    """curl gives up when more follows 101 than its buffer of 32 KB takes."""
    rig.app(big)
    raw = rig.client()
    raw.send(upgrade_request().replace(b"/x", b"/20"))
    for _ in range(20):
        rig.turn()
        raw.take()
    assert 10000 < len(raw.received) < 30000
    _head, _, rest = raw.received.partition(b"\r\n\r\n")
    client = Http2Client(rig, raw.socket)
    client.h2.initiate_upgrade_connection()
    client.responses[1] = Response()
    client.take(rest)
    assert client.until_done(1)[0].body == big_body(20)


@pytest.mark.parametrize(
    "request_",
    [
        upgrade_request(settings=b"12345"),
        upgrade_request("POST", "Expect: 100-continue", "Content-Length: 0"),
        upgrade_request().replace(b"Upgrade, HTTP2-Settings", b"Upgrade"),
        upgrade_request().replace(b"HTTP2-Settings: ", b"HTTP2-Settings: !"),
        upgrade_request().replace(b"\r\n\r\n", b"\r\nHTTP2-Settings: AAAA\r\n\r\n"),
    ],
    ids=["length", "Expect", "Connection", "alphabet", "twice"],
)
def test_an_upgrade_that_is_none_is_answered_by_http_1(rig: Rig, request_: bytes) -> None:
    rig.app(hello)
    assert rig.client().ask(request_).code == 200


@pytest.mark.parametrize(
    ("peer", "field"),
    [
        ("10.0.0.9", "X-Ordinary: 1"), ("", "X-Ordinary: 1"), ("192.0.2.7", "X-Forwarded-For: 198.51.100.1"),
        ("192.0.2.7", "Forwarded: for=198.51.100.1"), ("192.0.2.7", "Via: 1.1 proxy"),
        ("192.0.2.7", "X-Real-IP: 198.51.100.1"),
    ],
    ids=["trusted", "unix", "X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"],
)  # fmt: skip
def test_a_proxy_that_passes_the_upgrade_on_keeps_seeing_requests(peer: str, field: str) -> None:
    """Else a visitor would be past its rules with the second request."""
    rig = Rig(EngineSettings(threads=0, trusted=("10.0.0.0/8",)))
    rig.app(hello)
    client = rig.client()
    client.connection.peer = peer
    assert client.ask(upgrade_request("GET", field)).code == 200
    rig.close()


def test_settings_of_an_upgrade_that_break_the_protocol(rig: Rig) -> None:
    rig.app(hello)
    raw = rig.client()
    raw.send(upgrade_request(settings=struct.pack(">HI", 4, 1 << 31)))
    assert b"101 Switching" in raw.end()


# ---------------------------------------------------------------- responses


def test_many_at_a_time_in_any_order(held: Held, rig: Rig) -> None:
    client = connect(rig)
    ids = [client.ask(f"/{number}") for number in range(10)]
    streams = [held.next(client) for _ in ids]
    assert [stream.path for stream in streams] == [f"/{number}" for number in range(10)]
    for stream in reversed(streams):
        stream.respond("200 OK", [], stream.path.encode())
    assert [each.body for each in client.until_done(*ids)] == [b"/%d" % number for number in range(10)]
    assert not client.connection.flows and rig.engine.requests == 10


def test_the_frames_of_several_leave_in_one(held: Held, rig: Rig) -> None:
    client = connect(rig)
    ids = [client.ask() for _ in range(3)]
    streams = [held.next(client) for _ in ids]
    sent: list[bytes] = []
    send = client.connection._send
    client.connection._send = lambda data, *flags: sent.append(bytes(data)) or send(data, *flags)  # type: ignore[assignment]
    for stream in streams:
        stream.respond("200 OK", [], b"hello")
    assert len(sent) == 1
    client.until_done(*ids)
    assert len(sent) == 1


def test_one_that_is_slow_does_not_keep_the_others_back(held: Held, rig: Rig) -> None:
    client = connect(rig)
    slow, quick = client.ask("/slow"), client.ask("/quick")
    streams = {stream.path: stream for stream in (held.next(client), held.next(client))}
    streams["/quick"].respond("200 OK", [], b"quick")
    assert client.until_done(quick)[0].body == b"quick"
    streams["/slow"].respond("200 OK", [], b"slow")
    assert client.until_done(slow)[0].body == b"slow"


def test_head_and_statuses_without_a_body(rig: Rig) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response(environ["PATH_INFO"].strip("/") + " X", [("Content-Length", "5")])
        return [b"hello"]

    rig.app(app)
    client = connect(rig)
    head = client.get("/200", method="HEAD")
    assert (head.status, head.body, head.fields["content-length"]) == (200, b"", "5")
    for code in (204, 304):
        response = client.get(f"/{code}")
        assert (response.status, response.body, response.is_ended) == (code, b"", True)


@pytest.mark.parametrize("count", [3, 30, 300])
def test_a_response_beyond_every_window(rig: Rig, count: int) -> None:
    rig.app(big)
    client = connect(rig, send_buffer=20000)
    assert client.get(f"/{count}").body == big_body(count)
    assert rig.records[0][8] == count * 10000


def test_responses_beyond_every_window_at_a_time(rig: Rig) -> None:
    rig.app(big)
    client = connect(rig)
    ids = [client.ask("/50") for _ in range(5)]
    assert [each.body == big_body(50) for each in client.until_done(*ids)] == [True] * 5


def test_an_app_on_the_loop_waits_for_a_client_that_reads_nothing(rig: Rig) -> None:
    made = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        for number in range(200):
            made.append(number)
            yield b"x" * 10000

    rig.app(app)
    client = connect(rig, gives_credit=False)
    stream_id = client.ask()
    for _ in range(50):
        client.turn()
    # The window of 65,535 bytes, and what may wait behind it.
    assert len(made) < 20
    client.gives_credit = True
    client.h2.increment_flow_control_window(MEGABYTE)
    client.h2.increment_flow_control_window(MEGABYTE, stream_id)
    client.until_done(stream_id)
    assert len(client.responses[stream_id].body) == 2000000


def test_a_file(rig: Rig, tmp_path: Path) -> None:
    content = os.urandom(MEGABYTE + 1)
    (tmp_path / "a.bin").write_bytes(content)
    rig.folder(str(tmp_path))
    client = connect(rig)
    assert client.get("/a.bin").body == content
    part = client.get("/a.bin", ("range", "bytes=1000-299999"))
    assert (part.status, part.body) == (206, content[1000:300000])
    ids = [client.ask("/a.bin") for _ in range(3)]
    assert [each.body == content for each in client.until_done(*ids)] == [True] * 3


def test_a_file_that_became_shorter(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 300000)

    def serve(stream: Stream) -> None:
        stream.start("200 OK", [("Content-Length", "400000")])
        file = OpenFile(os.open(path, os.O_RDONLY))
        stream.write_file(FileSegment(file, 0, 400000))
        file.release()
        stream.finish()

    rig.handler(serve)
    client = connect(rig)
    response = client.get()
    assert response.reset == "INTERNAL_ERROR" and not response.is_ended
    assert client.get().reset == "INTERNAL_ERROR"


def test_trailers_and_hints(rig: Rig) -> None:
    def serve(stream: Stream) -> None:
        stream.inform("103 Early Hints", [("Link", "</a.css>; rel=preload")])
        stream.start("200 OK", [("Content-Type", "application/grpc")])
        stream.write(b"\0\0\0\0\x02hi")
        stream.finish([("grpc-status", "0")])

    rig.handler(serve)
    response = connect(rig).get()
    assert response.interims == [{":status": "103", "link": "</a.css>; rel=preload"}]
    assert (response.body, response.trailers) == (b"\0\0\0\0\x02hi", {"grpc-status": "0"})


def test_trailers_alone(rig: Rig) -> None:
    def serve(stream: Stream) -> None:
        stream.start("200 OK", [])
        stream.finish([("grpc-status", "5")])

    rig.handler(serve)
    response = connect(rig).get()
    assert (response.status, response.body, response.trailers) == (200, b"", {"grpc-status": "5"})


def test_an_app_that_fails(rig: Rig) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        if environ["PATH_INFO"] == "/late":
            start_response("200 OK", [])
            yield b"x" * 100
        raise ValueError("what an app raises")

    rig.app(app)
    client = connect(rig)
    assert client.get("/").status == 500
    assert client.get("/late").reset == "INTERNAL_ERROR"
    assert client.get("/").status == 500 and not client.goaways


@pytest.mark.parametrize("is_whole", [True, False])
def test_an_app_that_sends_less_than_it_promised(rig: Rig, is_whole: bool) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Length", "10")])
        return [b"hello"] if is_whole else iter([b"hel", b"lo"])

    rig.app(app)
    response = connect(rig).get()
    assert response.reset == "INTERNAL_ERROR" and not response.is_ended


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize("size", [0, 1, 16384, 70000, MEGABYTE])
def test_a_body(rig: Rig, size: int) -> None:
    rig.app(echo)
    body = os.urandom(size)
    response = connect(rig).post(body)
    assert response.body == (body or b"/")


def test_bodies_at_a_time(rig: Rig) -> None:
    rig.app(echo)
    client = connect(rig)
    ids = [client.ask("/", method="POST", is_end=False) for _ in range(4)]
    for _ in range(5):
        for stream_id in ids:
            client.send(stream_id, bytes([stream_id]) * 30000)
    for stream_id in ids:
        client.send(stream_id, b"", is_end=True)
    got = client.until_done(*ids)
    assert [each.body for each in got] == [bytes([stream_id]) * 150000 for stream_id in ids]


def test_a_body_that_is_too_long(rig: Rig) -> None:
    rig.app(echo, max_body_bytes=1000)
    client = connect(rig)
    assert client.post(b"x" * 1001).status == 413
    assert client.post(b"x" * 1001, "/", ("content-length", "1001")).status == 413
    assert client.post(b"x" * 1000).status == 200


def test_expect_continue(rig: Rig) -> None:
    rig.app(echo)
    client = connect(rig)
    stream_id = client.ask("/", ("expect", "100-continue"), ("content-length", "5"), method="POST", is_end=False)
    client.until(lambda: client.responses[stream_id].interims)
    assert client.responses[stream_id].interims == [{":status": "100"}]
    client.send(stream_id, b"hello", is_end=True)
    assert client.until_done(stream_id)[0].body == b"hello"


def test_a_body_that_nobody_wants(rig: Rig) -> None:
    """What is short is thrown away; what is long is stopped, without harm to the response."""
    rig.handler(lambda stream: stream.respond("200 OK", [], b"hello"))
    client = connect(rig)
    assert client.post(b"x" * 50000).body == b"hello"
    stream_id = client.ask("/", method="POST", is_end=False)
    assert client.until_done(stream_id)[0].is_ended
    for _ in range(6):
        client.send(stream_id, b"x" * 16384)
    client.until(lambda: client.responses[stream_id].reset)
    assert client.responses[stream_id].reset == "NO_ERROR" and client.responses[stream_id].body == b"hello"
    assert client.get().body == b"hello"


def test_too_many_fields_are_answered(rig: Rig) -> None:
    rig.app(hello)
    client = connect(rig)
    assert client.get("/", *[("x-a", "b")] * 300).status == 431
    assert client.get().status == 200


def test_a_body_is_held_back_while_its_app_is_behind(make_rig: MakeRig) -> None:
    rig = make_rig(threads=1)
    held = Held(rig)
    client = connect(rig)
    stream_id = client.ask("/", method="POST", is_end=False)
    client.send(stream_id, b"x" * 200000)
    stream = held.next(client)
    sent = 200000
    for _ in range(100):
        size = min(client.h2.local_flow_control_window(stream_id), 16384)
        if size:
            client.h2.send_data(stream_id, b"x" * size)
            sent += size
        client.turn()
    assert sent < 700000
    assert stream.body is not None
    read = 0
    while read < sent:
        read += len(stream.body.read(min(65536, sent - read)))  # type: ignore[attr-defined]
        client.turn()
    client.until(lambda: client.h2.local_flow_control_window(stream_id) > 100000)
    client.send(stream_id, b"", is_end=True)
    client.turn()
    stream.respond("200 OK", [], b"done")
    assert client.until_done(stream_id)[0].body == b"done"


# ---------------------------------------------------------------- clients that go


def test_a_request_that_is_given_up(held: Held, rig: Rig) -> None:
    client = connect(rig)
    stream_id = client.ask()
    stream = held.next(client)
    connection = client.connection
    client.h2.reset_stream(stream_id, 8)
    client.turn()
    assert not connection.flows and len(connection._lost) == 1
    with pytest.raises(ClientGoneError):
        stream.start("200 OK", [])
        stream.write(b"x")
    stream.abandon()
    assert not connection._lost and rig.records[0][7] == 200
    other = client.ask()
    held.next(client).respond("200 OK", [], b"fine")
    assert client.until_done(other)[0].body == b"fine"


def test_a_body_that_is_given_up(make_rig: MakeRig) -> None:
    rig = make_rig(threads=1)
    held = Held(rig)
    client = connect(rig)
    stream_id = client.ask("/", method="POST", is_end=False)
    client.send(stream_id, b"x" * 140000)
    stream = held.next(client)
    client.h2.reset_stream(stream_id, 8)
    client.turn()
    with pytest.raises(BodyError):
        stream.body.read()  # type: ignore[union-attr]
    stream.abandon()
    assert rig.engine.requests == 1


def test_requests_that_are_given_up_before_an_app_thread_takes_them_are_not_run(make_rig: MakeRig) -> None:
    """A flood of them would hold the apps long after the client was closed for it."""
    rig = make_rig(threads=1)
    seen: list[str] = []
    may_end = threading.Event()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        may_end.wait(20)
        return hello(environ, start_response)

    rig.app(app)
    client = connect(rig)
    first = client.ask("/first")
    client.until(lambda: seen)
    given_up = [client.ask("/given-up"), client.ask("/given-up", method="POST", is_end=False)]
    client.send(given_up[1], b"x", is_end=True)
    last = client.ask("/last")
    client.turn()
    for stream_id in given_up:
        client.h2.reset_stream(stream_id, 8)
    client.turn()
    may_end.set()
    client.until_done(first, last)
    assert seen == ["/first", "/last"]
    rig.until(lambda: rig.engine.requests == 4)
    assert sorted(dict(zip(FIELDS, record, strict=True))["status"] for record in rig.records) == [200, 200, 499, 499]


def test_requests_that_are_given_up_count_while_their_apps_run(rig: Rig) -> None:
    """CVE-2023-44487: otherwise a connection has as many requests at work as it likes."""
    held = Held(rig)
    client = connect(rig)
    for _ in range(100):
        client.h2.reset_stream(client.ask(), 8)
    client.turn()
    assert len(held.streams) == 100
    refused = client.ask()
    assert client.until_done(refused)[0].reset == "REFUSED_STREAM"
    for stream in held.streams:
        stream.abandon()
    taken = client.ask()
    held.streams.clear()
    held.next(client).respond("200 OK", [], b"fine")
    assert client.until_done(taken)[0].body == b"fine"
    assert rig.engine.requests == 101


def test_a_client_that_goes_while_an_app_is_at_work(held: Held, rig: Rig) -> None:
    client = connect(rig)
    client.ask()
    stream = held.next(client)
    client.socket.close()
    rig.until(lambda: not rig.engine.connection_count)
    stream.respond("200 OK", [], b"too late")
    rig.settle()
    assert rig.engine.requests == 1


def test_a_client_that_breaks_the_protocol(held: Held, rig: Rig) -> None:
    client = connect(rig)
    client.ask()
    stream = held.next(client)
    client.socket.send(frame(0, 0, 99, b"x"))
    client.until(lambda: client.is_ended)
    assert client.goaways == [("PROTOCOL_ERROR", 1)]
    client.socket.close()
    rig.until(lambda: not rig.engine.connection_count)
    stream.respond("200 OK", [], b"too late")
    assert rig.engine.requests == 1


def test_a_client_that_ends_its_side_gets_its_answers(held: Held, rig: Rig) -> None:
    client = connect(rig)
    stream_id = client.ask()
    stream = held.next(client)
    client.socket.shutdown(1)
    rig.settle()
    stream.respond("200 OK", [], b"fine")
    assert client.until_done(stream_id)[0].body == b"fine"
    client.until(lambda: client.is_ended)


def test_a_client_that_asks_and_never_reads(rig: Rig) -> None:
    """What its requests bring waits in the kernel, not with us."""
    rig.app(hello)
    client = connect(rig, send_buffer=4096)
    connection = client.connection
    ping = frame(6, 0, 0, bytes(8))
    with pytest.raises((BlockingIOError, ConnectionError)):
        for _ in range(100000):
            connection.protocol.refill()
            connection.protocol.refill()
            client.socket.send(ping * 100)
            rig.turn()
    assert connection.outgoing_bytes < 600000


# ---------------------------------------------------------------- time


def test_an_idle_connection_is_closed_with_a_goaway(make_rig: MakeRig) -> None:
    rig = make_rig(keep_alive_s=5.0)
    rig.app(hello)
    client = connect(rig)
    client.get()
    rig.advance(7)
    client.until(lambda: client.is_ended)
    assert client.goaways == [("NO_ERROR", 1)]


def test_a_head_that_does_not_come(make_rig: MakeRig) -> None:
    rig = make_rig(head_s=5.0, stall_s=60.0)
    held = Held(rig)
    client = connect(rig)
    client.ask()
    stream = held.next(client)
    client.socket.send(frame(1, 1, 3, b"\x82"))
    rig.advance(7)
    client.until(lambda: client.is_ended)
    assert client.goaways[0][0] == "SETTINGS_TIMEOUT"
    stream.abandon()


def test_a_preface_that_does_not_come(make_rig: MakeRig) -> None:
    rig = make_rig(head_s=5.0, stall_s=60.0)
    raw = rig.client()
    raw.send(PREFACE[:20])
    rig.advance(7)
    rig.until(lambda: raw.take() is not None and raw.is_ended)


def test_a_body_that_stops_coming(make_rig: MakeRig) -> None:
    rig = make_rig(stall_s=5.0)
    rig.app(echo)
    client = connect(rig)
    stream_id = client.ask("/", method="POST", is_end=False)
    client.send(stream_id, b"x")
    rig.advance(7)
    assert client.until_done(stream_id)[0].status == 408
    assert client.get().status == 200


def test_a_client_that_takes_nothing(make_rig: MakeRig) -> None:
    """Its stream is given up; pings do not help it."""
    rig = make_rig(stall_s=5.0)
    rig.app(big)
    client = connect(rig, gives_credit=False)
    stream_id = client.ask("/100")
    for _ in range(8):
        client.h2.ping(b"12345678")
        client.turn()
        rig.advance(1)
    assert client.until_done(stream_id)[0].reset == "CANCEL"
    assert not client.connection.flows
    assert rig.engine.requests == 1


def test_a_client_that_takes_a_little_is_left_alone(make_rig: MakeRig) -> None:
    rig = make_rig(stall_s=5.0)
    rig.app(big)
    client = connect(rig, gives_credit=False)
    stream_id = client.ask("/10")
    for _ in range(12):
        client.turn()
        client.h2.increment_flow_control_window(100, stream_id)
        client.h2.increment_flow_control_window(100)
        client.turn()
        rig.advance(1)
    assert not client.responses[stream_id].reset


def test_responses_that_wait_for_their_turn_are_not_given_up(make_rig: MakeRig) -> None:
    """The client's line is slow: there is room for one frame a second, and 20 responses take turns."""
    rig = make_rig(stall_s=5.0)
    rig.app(big)
    client = connect(rig, gives_credit=False)
    ids = [client.ask("/30") for _ in range(20)]
    for stream_id in ids:
        client.h2.increment_flow_control_window(MEGABYTE, stream_id)
    for _ in range(15):
        client.h2.increment_flow_control_window(3000)
        client.turn()
        rig.advance(1)
    assert not any(client.responses[stream_id].reset for stream_id in ids)


def test_draining(make_rig: MakeRig) -> None:
    """First that we are about to go, then that we go; what was asked for is answered."""
    rig = make_rig()
    held = Held(rig)
    client = connect(rig)
    first = client.ask()
    stream = held.next(client)
    rig.engine.drain()
    rig.engine.close_idle()
    client.turn()
    second = client.ask()
    other = held.next(client)
    client.connection._leave_at = 0.0
    rig.engine.close_idle()
    client.turn()
    assert client.goaways == [("NO_ERROR", (1 << 31) - 1), ("NO_ERROR", 3)]
    stream.respond("200 OK", [], b"1")
    other.respond("200 OK", [], b"2")
    assert [each.body for each in client.until_done(first, second)] == [b"1", b"2"]
    client.until(lambda: client.is_ended)


def test_draining_an_idle_connection(rig: Rig) -> None:
    rig.app(hello)
    client = connect(rig)
    client.get()
    rig.engine.drain()
    rig.engine.close_idle()
    client.connection._leave_at = 0.0
    rig.engine.close_idle()
    client.until(lambda: client.is_ended)
    assert client.goaways[-1] == ("NO_ERROR", 1)


# ---------------------------------------------------------------- what is spoken


def test_what_we_announce(rig: Rig) -> None:
    client = connect(rig)
    codes = h2.settings.SettingCodes
    client.until(lambda: client.h2.remote_settings[codes.INITIAL_WINDOW_SIZE] != 65535)
    settings = client.h2.remote_settings
    assert settings[codes.MAX_CONCURRENT_STREAMS] == Http2Limits().max_streams
    assert settings[codes.MAX_HEADER_LIST_SIZE] == Http2Limits().max_list_bytes
    assert client.h2.outbound_flow_control_window == Http2Limits().window


def test_ping(rig: Rig) -> None:
    client = connect(rig)
    client.h2.ping(b"12345678")
    client.until(lambda: client.pings)
    assert client.pings == [b"12345678"]


def test_a_tunnel(rig: Rig) -> None:
    """CONNECT: what comes in goes to the body, what is written goes out, each side ends its own, and both may be silent
    for long."""

    class Echo:
        received = 0
        is_complete = False
        before_read = None

        def __init__(self, stream: Stream) -> None:
            self.stream = stream

        def feed(self, data: bytes) -> None:
            self.stream.write(data.upper())

        def end(self) -> None:
            self.stream.finish()

        def fail(self, error: object) -> None:
            self.stream.abandon()

    def serve(stream: Stream) -> None:
        stream.body = Echo(stream)
        stream.is_dispatched = True
        stream.switch("200 OK", [])

    rig.handler(serve)
    rig.site.dispatch = serve  # type: ignore[method-assign]
    client = connect(rig)
    stream_id: int = client.h2.get_next_available_stream_id()
    client.h2.send_headers(stream_id, [(":method", "CONNECT"), (":authority", "localhost:80")])
    client.responses[stream_id] = Response()
    client.send(stream_id, b"abc")
    client.until(lambda: client.responses[stream_id].body == b"ABC")
    rig.advance(100)
    client.send(stream_id, b"def", is_end=True)
    assert client.until_done(stream_id)[0].body == b"ABCDEF"


# ---------------------------------------------------------------- push


def pushing(rig: Rig, target: str = "/style.css") -> list[bool]:
    """An app that pushes with each page; gives what became of it."""
    told: list[bool] = []

    def serve(stream: Stream) -> None:
        if stream.path == "/page":
            told.append(stream.push(target))
        stream.respond("200 OK", [], stream.path.encode() + (stream.head.fields.get(b"cookie") or b""))

    rig.handler(serve)
    return told


def test_push(rig: Rig) -> None:
    told = pushing(rig)
    client = connect(rig)
    page = client.ask("/page", ("cookie", "a=b"), ("user-agent", "me"), ("x-other", "1"))
    client.until_done(page)
    assert told == [True] and client.pushed[2] == {
        ":method": "GET", ":scheme": "http", ":path": "/style.css", ":authority": "localhost", "user-agent": "me",
        "cookie": "a=b",
    }  # fmt: skip
    assert client.until_done(2)[0].body == b"/style.cssa=b"
    again = client.ask("/page")
    client.until_done(again, 2)
    client.until(lambda: 4 in client.pushed)
    assert client.until_done(4)[0].body == b"/style.css"
    assert not client.connection.flows and rig.engine.requests == 4


def test_a_push_that_the_client_does_not_want(rig: Rig) -> None:
    told = pushing(rig)
    client = connect(rig)
    client.h2.update_settings({h2.settings.SettingCodes.ENABLE_PUSH: 0})
    client.turn()
    assert client.get("/page").status == 200
    assert told == [False] and not client.pushed


def test_a_push_that_the_client_gives_up(rig: Rig) -> None:
    held = Held(rig)
    client = connect(rig)
    page = client.ask("/page")
    stream = held.next(client)
    assert stream.push("/big")
    client.until(lambda: client.pushed and held.streams)
    client.h2.reset_stream(2, 8)
    client.turn()
    with pytest.raises(ClientGoneError):
        pushed = held.next(client)
        pushed.start("200 OK", [])
        pushed.write(b"x")
    pushed.abandon()
    stream.respond("200 OK", [], b"page")
    assert client.until_done(page)[0].body == b"page"


@pytest.mark.parametrize("target", ["style.css", "http://other/", "/a b", ""])
def test_a_push_of_what_is_no_path(rig: Rig, target: str) -> None:
    told = pushing(rig, target)
    client = connect(rig)
    assert client.get("/page").status == 200
    assert told == [False] and not client.pushed


def test_http_1_has_no_push(rig: Rig) -> None:
    told = pushing(rig)
    assert rig.client().get("/page").code == 200
    assert told == [False]
