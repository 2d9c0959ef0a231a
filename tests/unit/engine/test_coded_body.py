"""Compressed responses on their way through a stream, by an engine that is turned by hand."""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from skitaid.engine.channel import HIGH_BYTES
from skitaid.engine.coded_body import TURN_BYTES
from skitaid.engine.server import Engine
from skitaid.engine.stream import Stream
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.router import Route, RouteKind
from skitaid.handlers.wsgi.app import WsgiApp, WsgiSettings
from skitaid.handlers.wsgi.call import TOO_LONG
from tests.unit.engine.rig import Client, MakeRig, Reply, Rig

pytestmark = pytest.mark.time_limit(60)

MEGABYTE = 1 << 20
GZIP = "Accept-Encoding: gzip"
TEXT = [("Content-Type", "text/plain")]
WORDS = b"what a page says is said again and again, "
# Compresses to a half, so that it fills sockets too.
NOISE = random.Random(7).randbytes(3 * MEGABYTE).hex().encode()


def mount(rig: Rig, app: Callable[..., Any]) -> None:
    settings = WsgiSettings(io.StringIO(), rig._note_failure, bodies=BodyRules(may_code=True))
    rig.mount(Route("", RouteKind.APP, WsgiApp(rig.engine, app, settings)))


def returning(result: Callable[[], Any], *fields: tuple[str, str], status: str = "200 OK") -> Callable[..., Any]:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response(status, [*TEXT, *fields])
        return result()

    return app


def plain(reply: Reply) -> bytes:
    assert reply.get("content-encoding") == "gzip"
    assert reply.is_whole
    return zlib.decompress(reply.body, 31)


def pieces_of(body: bytes, size: int = 70_000) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def ask(rig: Rig, app: Callable[..., Any], *fields: str, method: str = "GET") -> Reply:
    mount(rig, app)
    return rig.client().get("/", *(fields or (GZIP,)), method=method)


def sized(size: int) -> bytes:
    return (WORDS * (size // len(WORDS) + 1))[:size]


# ---------------------------------------------------------------- whole bodies and pieces


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("size", [1000, 50_000, TURN_BYTES + 1, 3 * MEGABYTE])
def test_a_whole_body(make_rig: MakeRig, threads: int, size: int) -> None:
    rig = make_rig(threads=threads)
    body = sized(size)
    reply = ask(rig, returning(lambda: [body]))
    assert plain(reply) == body
    assert len(reply.body) < size / 3
    rig.until(lambda: rig.records)
    assert rig.failures == []


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("size", [1000, 50_000, TURN_BYTES + 1])
def test_a_promised_body_in_one_piece_keeps_its_length(make_rig: MakeRig, threads: int, size: int) -> None:
    """What frameworks give: an iterator over one piece, and a Content-Length."""
    rig, body = make_rig(threads=threads), sized(size)
    reply = ask(rig, returning(lambda: iter([body]), ("Content-Length", str(size))))
    assert plain(reply) == body
    if threads or size <= TURN_BYTES:
        assert reply.get("content-length") == str(len(reply.body))


@pytest.mark.parametrize("threads", [0, 2])
def test_many_pieces(make_rig: MakeRig, threads: int) -> None:
    rig = make_rig(threads=threads)
    reply = ask(rig, returning(lambda: pieces_of(NOISE)))
    assert plain(reply) == NOISE
    assert rig.failures == []


def test_a_small_body_is_left_alone(rig: Rig) -> None:
    reply = ask(rig, returning(lambda: [b"hello"]))
    assert (reply.body, reply.get("vary"), reply.get("content-encoding")) == (b"hello", None, None)


def test_the_client_that_can_not_read_it(rig: Rig) -> None:
    reply = ask(rig, returning(lambda: [sized(5000)]), "Accept-Encoding: deflate")
    assert (reply.body, reply.get("vary"), reply.get("content-length")) == (sized(5000), "Accept-Encoding", "5000")


def test_http_1_0_pieces_end_with_the_connection(rig: Rig) -> None:
    mount(rig, returning(lambda: iter([sized(5000), sized(700)])))
    reply = rig.client().ask(b"GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
    assert plain(reply) == sized(5000) + sized(700)
    assert reply.get("connection") == "close"


def test_the_log_is_told_what_was_sent(rig: Rig) -> None:
    reply = ask(rig, returning(lambda: iter([sized(5000), sized(9000)])))
    assert rig.records[0][8] == len(reply.body)


def test_each_piece_can_be_read_when_it_comes(rig: Rig) -> None:
    """A page that shows its progress must go on doing so."""
    seen: list[bytes] = []
    clients: list[Client] = []
    reader = zlib.decompressobj(31)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        for number in range(3):
            yield b"step %d\n" % number
            data = clients[0].socket.recv(65536)
            _, _, chunks = data.rpartition(b"\r\n\r\n") if not number else (b"", b"", data)
            length, _, rest = chunks.partition(b"\r\n")
            seen.append(reader.decompress(rest[: int(length, 16)]))

    mount(rig, app)
    clients.append(rig.client())
    clients[0].send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    rig.until(lambda: rig.records)
    assert seen == [b"step 0\n", b"step 1\n", b"step 2\n"]
    assert rig.failures == []


# ---------------------------------------------------------------- what apps promise


def test_an_app_that_gives_less_than_it_promised(rig: Rig) -> None:
    reply = ask(rig, returning(lambda: iter([sized(2000), sized(1000)]), ("Content-Length", "9000")))
    assert not reply.is_whole
    assert "fewer bytes" in str(rig.failures[0])


def test_an_app_that_gives_more_than_it_promised(rig: Rig) -> None:
    reply = ask(rig, returning(lambda: iter([sized(2000), sized(9000)]), ("Content-Length", "3000")))
    assert plain(reply) == sized(2000) + sized(1000)


@pytest.mark.parametrize("promised", ["2000", "9000"])
def test_a_whole_body_of_another_length_than_promised_is_not_touched(rig: Rig, promised: str) -> None:
    reply = ask(rig, returning(lambda: [sized(5000)], ("Content-Length", promised)))
    assert reply.get("content-encoding") is None
    assert reply.get("content-length") == promised
    assert reply.body == sized(min(5000, int(promised)))


def test_an_app_that_fails_midway(rig: Rig) -> None:
    def result() -> Iterator[bytes]:
        yield sized(5000)
        raise KeyError("midway")

    assert not ask(rig, returning(result)).is_whole
    assert isinstance(rig.failures[0], KeyError)


def test_what_follows_a_body_that_is_out_is_told_and_changes_nothing(rig: Rig) -> None:
    closed: list[bool] = []

    def result() -> Iterator[bytes]:
        try:
            yield sized(5000)
            yield b""
            yield b"more"
        finally:
            closed.append(True)

    reply = ask(rig, returning(result, ("Content-Length", "5000")))
    assert plain(reply) == sized(5000)
    assert closed == [True]
    assert [str(each) for each in rig.failures] == [TOO_LONG]


def test_fields_that_can_not_be_sent_are_the_app_s_failure(rig: Rig) -> None:
    for result in (lambda: [sized(5000)], lambda: iter([sized(5000), b"x"])):
        rig.routes.clear()
        assert ask(rig, returning(result, ("X", "a\r\nb"))).code == 500


# ---------------------------------------------------------------- HEAD and 304


@pytest.mark.parametrize(
    ("result", "fields"),
    [
        (lambda: [sized(5000)], ()),
        (lambda: [sized(5000)], (("Content-Length", "5000"),)),
        (lambda: iter([sized(5000)]), (("Content-Length", "5000"),)),
        (lambda: iter([sized(5000), sized(5000)]), (("Content-Length", "10000"),)),
    ],
)
def test_head_says_what_get_says(
    rig: Rig, result: Callable[[], Iterable[bytes]], fields: tuple[tuple[str, str], ...]
) -> None:
    mount(rig, returning(result, ("ETag", '"a"'), *fields))
    client = rig.client()
    got, head = client.get("/", GZIP), client.get("/", GZIP, method="HEAD")
    assert head.body == b""
    assert head.get("content-length") is None
    for name in ("content-encoding", "vary", "etag", "content-type"):
        assert head.get(name) == got.get(name)


def test_head_of_what_may_be_short_only_says_that_there_is_a_choice(rig: Rig) -> None:
    reply = ask(rig, returning(list), method="HEAD")
    assert (reply.get("vary"), reply.get("content-encoding")) == ("Accept-Encoding", None)


def test_a_304_has_the_etag_of_what_the_client_holds(rig: Rig) -> None:
    app = returning(list, ("ETag", '"a"'), status="304 Not Modified")
    reply = ask(rig, app, GZIP, 'If-None-Match: W/"a"')
    assert (reply.code, reply.get("etag"), reply.get("vary")) == (304, 'W/"a"', "Accept-Encoding")


def test_a_redirect_is_left_alone(rig: Rig) -> None:
    reply = ask(rig, returning(list, ("Location", "/x"), status="302 Found"))
    assert (reply.code, reply.get("vary"), reply.get("content-length")) == (302, None, "0")


# ---------------------------------------------------------------- slow clients and the loop


def test_a_turn_of_the_loop_compresses_a_bounded_piece(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are served between the pieces of one large response."""
    mount(rig, returning(lambda: [sized(20 * TURN_BYTES)]))
    first, other = rig.client(), rig.client()
    sent = [0]
    real_send, real_begin = Stream.send_piece, Engine.begin

    def send_piece(stream: Stream, piece: bytes) -> None:
        sent[-1] += 1
        real_send(stream, piece)

    def begin(engine: Engine, event_count: int) -> None:
        sent.append(0)
        real_begin(engine, event_count)

    monkeypatch.setattr(Stream, "send_piece", send_piece)
    monkeypatch.setattr(Engine, "begin", begin)
    request = b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
    first.send(request)
    other.send(request)
    rig.until(lambda: len(rig.records) == 2)
    # Two responses, each with one piece between two looks at the sockets; the last brings the codec's end with it.
    assert max(sent) <= 2
    assert sum(sent) == 40
    assert plain(first.reply()) == plain(other.reply()) == sized(20 * TURN_BYTES)


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("result", [lambda: [NOISE], lambda: pieces_of(NOISE)])
def test_a_slow_client_holds_little_memory(make_rig: MakeRig, threads: int, result: Callable[[], Any]) -> None:
    rig = make_rig(threads=threads)
    mount(rig, returning(result))
    client = rig.client(send_buffer=4096)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    most = 0

    def is_over() -> bool:
        nonlocal most
        most = max(most, client.connection.outgoing_bytes)
        client.take(8192)
        return bool(rig.records)

    rig.until(lambda: client.connection.outgoing_bytes)
    rig.until(is_over)
    assert most < HIGH_BYTES + 3 * TURN_BYTES + 262144
    assert plain(client.reply()) == NOISE


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("is_whole", [False, True])
def test_a_client_that_goes_away(make_rig: MakeRig, threads: int, is_whole: bool) -> None:
    rig = make_rig(threads=threads)
    closed: list[bool] = []

    def pieces() -> Iterator[bytes]:
        try:
            yield from pieces_of(NOISE)
        finally:
            closed.append(True)

    mount(rig, returning((lambda: [NOISE]) if is_whole else pieces))
    client = rig.client(send_buffer=4096)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    rig.until(lambda: client.connection.outgoing_bytes > 100_000)
    client.close()
    rig.until(lambda: rig.records and client.is_closed)
    rig.until(lambda: closed or is_whole)
    rig.settle()
    assert rig.failures == []
