"""Requests with a body on their way through a proxy."""

from __future__ import annotations

import os
from typing import Any

import pytest

from skitaid.handlers.body_rules import BodyRules
from skitaid.upstream.errors import Failure
from tests.unit.engine.rig import Client, request_bytes
from tests.unit.handlers.proxy.rig import Asked, MakeProxyRig, ProxyRig

POST = b"POST /a HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = os.urandom(600_000)
STREAMED = BodyRules(is_streamed=True)


def sized(length: int, *fields: str) -> bytes:
    return POST + "".join(f"{field}\r\n" for field in (f"Content-Length: {length}", *fields)).encode() + b"\r\n"


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


@pytest.fixture
def spooling(make_proxy_rig: MakeProxyRig) -> ProxyRig:
    rig = make_proxy_rig(spool_bytes=10_000_000)
    rig.proxy()
    return rig


def sending(rig: ProxyRig, data: bytes) -> Client:
    client = rig.client()
    client.send(data)
    rig.settle()
    return client


def ended(rig: ProxyRig, asked: Asked) -> bytes:
    """The body that a member was sent in pieces, when all of it was."""
    rig.until(lambda: "end" in asked.done, "the end of the body")
    return b"".join(asked.sent)


# ---------------------------------------------------------------- kept until it is complete


@pytest.mark.parametrize("form", ["sized", "chunked"])
def test_a_small_body_goes_with_the_call(proxied: ProxyRig, form: str) -> None:
    client = sending(proxied, sized(6) + b"abc" if form == "sized" else CHUNKED + chunked(b"abc"))
    assert not proxied.asked
    client.send(b"def" if form == "sized" else chunked(b"def") + b"0\r\nX-Trailer: 1\r\n\r\n")
    asked = proxied.next_asked()
    assert (asked.call.body, asked.call.content_length) == (b"abcdef", None)
    assert not {"content-length", "transfer-encoding"} & set(asked.fields)
    asked.respond(b"ok")
    assert client.reply().body == b"ok"
    client.send(request_bytes())
    proxied.next_asked(2)


def test_a_long_body_waits_on_disk(spooling: ProxyRig) -> None:
    client = sending(spooling, sized(len(LARGE)) + LARGE[:-1])
    assert not spooling.asked
    client.send(LARGE[-1:])
    asked = spooling.next_asked()
    assert (asked.call.body, asked.call.content_length) == (None, len(LARGE))
    assert ended(spooling, asked) == LARGE
    asked.respond(b"ok")
    assert client.reply().body == b"ok"


def test_a_long_body_of_unknown_length(spooling: ProxyRig) -> None:
    sending(spooling, CHUNKED + chunked(LARGE) + b"0\r\n\r\n")
    asked = spooling.next_asked()
    assert asked.call.content_length == len(LARGE)
    assert ended(spooling, asked) == LARGE


def test_a_member_that_takes_its_time(spooling: ProxyRig) -> None:
    spooling.takes = 1
    sending(spooling, sized(len(LARGE)) + LARGE)
    asked = spooling.next_asked()
    while "end" not in asked.done:
        count = len(asked.sent)
        spooling.until(lambda: len(asked.sent) > count - 1 and not spooling.turn())  # noqa: B023  # called at once
        asked.takes = 1
        asked.receiver.on_writable()
        spooling.turn(5)
    assert b"".join(asked.sent) == LARGE
    assert len(asked.sent) > 2


def test_what_the_spool_has_no_room_for_is_passed_on_as_it_comes(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig(spool_bytes=200_000)
    rig.proxy()
    client = sending(rig, CHUNKED + chunked(LARGE[:400_000]))
    asked = rig.next_asked()
    assert asked.call.content_length is None
    client.send(chunked(LARGE[400_000:]) + b"0\r\n\r\n")
    assert ended(rig, asked) == LARGE


@pytest.mark.parametrize("spool_bytes", [0, 200_000])
def test_a_length_that_is_too_much_for_the_spool(make_proxy_rig: MakeProxyRig, spool_bytes: int) -> None:
    rig = make_proxy_rig(spool_bytes=spool_bytes)
    rig.proxy()
    client = sending(rig, sized(len(LARGE)) + LARGE[:300_000])
    asked = rig.next_asked()
    assert asked.call.content_length == len(LARGE)
    client.send(LARGE[300_000:])
    assert ended(rig, asked) == LARGE


# ---------------------------------------------------------------- passed on as it comes


@pytest.fixture
def streaming(make_proxy_rig: MakeProxyRig) -> ProxyRig:
    rig = make_proxy_rig(spool_bytes=10_000_000)
    rig.proxy(bodies=STREAMED)
    return rig


def test_a_streamed_body_is_passed_on_at_once(streaming: ProxyRig) -> None:
    client = sending(streaming, CHUNKED)
    asked = streaming.next_asked()
    assert (asked.call.body, asked.call.content_length) == (None, None)
    client.send(chunked(b"abc"))
    streaming.until(lambda: asked.sent == [b"abc"])
    client.send(chunked(b"def") + b"0\r\n\r\n")
    assert ended(streaming, asked) == b"abcdef"


def test_a_slow_member_holds_back_the_client(streaming: ProxyRig) -> None:
    streaming.takes = 1
    client = sending(streaming, sized(5_000_000))
    asked = streaming.next_asked()
    sent = 0
    for _ in range(1000):
        try:
            sent += client.socket.send(b"x" * 50_000)
        except BlockingIOError:
            if not streaming.turn() and sent > 2_000_000:
                break
            streaming.turn(3)
    assert sent < 2_000_000, "nobody held back the client"
    asked.takes = 1 << 30
    asked.receiver.on_writable()
    client.send(b"x" * (5_000_000 - sent))
    assert len(ended(streaming, asked)) == 5_000_000


def test_the_answer_may_come_before_the_body(streaming: ProxyRig) -> None:
    client = sending(streaming, sized(100_000) + b"x" * 1000)
    asked = streaming.next_asked()
    asked.respond(b"no", status="413 Too Much")
    reply = client.reply()
    assert (reply.code, reply.get("connection")) == (413, "close")
    client.send(b"x" * 1000)
    assert not asked.done


def test_a_small_rest_of_a_body_is_read_so_that_the_connection_can_go_on(streaming: ProxyRig) -> None:
    client = sending(streaming, sized(2000) + b"x" * 1000)
    asked = streaming.next_asked()
    asked.respond(b"early")
    assert client.reply().get("connection") is None
    client.send(b"x" * 1000 + request_bytes("/2"))
    assert streaming.next_asked(2).call.target == b"/2"


# ---------------------------------------------------------------- limits and failures


@pytest.mark.parametrize("rules", [BodyRules.of(1000), BodyRules(1000, 1000, is_streamed=True)])
def test_a_body_that_says_that_it_is_too_long(make_proxy_rig: MakeProxyRig, rules: BodyRules) -> None:
    rig = make_proxy_rig()
    rig.proxy(bodies=rules)
    client = sending(rig, sized(1001, "Expect: 100-continue"))
    assert client.reply().code == 413
    assert not rig.asked


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("fault", ["too long", "bad chunk"])
def test_a_body_that_turns_out_wrong(make_proxy_rig: MakeProxyRig, is_streamed: bool, fault: str) -> None:
    rig = make_proxy_rig()
    rig.proxy(bodies=BodyRules(1000, 1000, is_streamed=is_streamed))
    client = sending(rig, CHUNKED + chunked(b"x" * 500))
    client.send(chunked(b"x" * 501) if fault == "too long" else b"zz\r\n")
    reply = client.reply()
    assert reply.code == (413 if fault == "too long" else 400)
    assert [asked.done for asked in rig.asked] == ([["cancel"]] if is_streamed else [])
    client.end()


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("is_rude", [False, True])
def test_half_of_a_request_never_looks_whole(make_proxy_rig: MakeProxyRig, is_streamed: bool, is_rude: bool) -> None:
    rig = make_proxy_rig(spool_bytes=10_000_000)
    rig.proxy(bodies=BodyRules(is_streamed=is_streamed))
    client = sending(rig, sized(300_000) + b"x" * 200_000)
    if is_rude:
        client.close()
    else:
        client.socket.shutdown(1)
    rig.until(lambda: client.is_closed)
    assert all("end" not in asked.done and asked.done[-1] == "cancel" for asked in rig.asked)
    assert len(rig.asked) == is_streamed


def test_a_body_that_stalls(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig(stall_s=5.0)
    rig.proxy()
    client = sending(rig, sized(300) + b"x")
    rig.advance(7.0)
    assert client.reply().code == 408


def test_a_streamed_body_that_stalls(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig(stall_s=5.0)
    rig.proxy(bodies=STREAMED)
    client = sending(rig, sized(300) + b"x")
    rig.advance(7.0)
    assert client.reply().code == 408
    assert rig.asked[0].done == ["cancel"]


def test_a_member_that_fails_while_the_body_comes(streaming: ProxyRig) -> None:
    client = sending(streaming, sized(300_000) + b"x" * 100_000)
    streaming.next_asked().fail(Failure.RESET)
    reply = client.reply()
    assert (reply.code, reply.get("connection")) == (502, "close")


def test_a_disk_without_room(spooling: ProxyRig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skitaid.engine.spool.os.pwrite", refuse)
    client = spooling.client()
    client.send(sized(len(LARGE)))
    # Not all of it: a client that still sends sees no answer.
    client.send(LARGE[:200_000])
    assert client.reply().code == 507
    assert not spooling.asked


# ---------------------------------------------------------------- Expect


def asked_for(client: Client) -> bool:
    client.rig.settle()
    client.take()
    found = client.received.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.received = client.received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    return found


def test_a_body_that_is_kept_is_asked_for_by_us(proxied: ProxyRig) -> None:
    client = sending(proxied, sized(3, "Expect: 100-continue"))
    assert asked_for(client)
    client.send(b"abc")
    asked = proxied.next_asked()
    assert (asked.call.body, "expect" in asked.fields) == (b"abc", False)


def test_a_body_that_is_here_need_not_be_asked_for(proxied: ProxyRig) -> None:
    client = sending(proxied, sized(3, "Expect: 100-continue") + b"abc")
    proxied.next_asked()
    assert not asked_for(client)


def test_a_streamed_body_is_asked_for_by_the_member(streaming: ProxyRig) -> None:
    client = sending(streaming, sized(3, "Expect: 100-continue"))
    asked = streaming.next_asked()
    assert asked.fields["expect"] == "100-continue"
    assert not asked_for(client)
    asked.inform("100 Continue")
    assert asked_for(client)
    client.send(b"abc")
    assert ended(streaming, asked) == b"abc"


def test_a_member_may_refuse_before_the_body_is_sent(streaming: ProxyRig) -> None:
    client = sending(streaming, sized(3, "Expect: 100-continue"))
    streaming.next_asked().respond(b"no", status="401 Who")
    reply = client.reply()
    assert (reply.code, reply.get("connection")) == (401, "close")


def test_http_1_0_expects_nothing(streaming: ProxyRig) -> None:
    client = sending(streaming, b"POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    asked = streaming.next_asked()
    assert "expect" not in asked.fields
    asked.inform("100 Continue")
    assert not asked_for(client)
