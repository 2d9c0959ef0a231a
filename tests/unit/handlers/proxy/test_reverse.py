"""The reverse proxy: requests on their way to a member, responses on their way back."""

from __future__ import annotations

import gzip

import pytest

from skitaid.handlers.body_rules import BodyRules
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.response_head import ResponseFields, ResponseHead
from skitaid.upstream.affinity import Affinity
from skitaid.upstream.errors import Failure, UpstreamError
from tests.unit.engine.rig import Client, request_bytes
from tests.unit.handlers.proxy.rig import Asked, MakeProxyRig, ProxyRig


def asking(rig: ProxyRig, request: bytes | None = None) -> tuple[Client, Asked]:
    """A client that asked, and the call that came of it."""
    client = rig.client()
    count = len(rig.asked) + 1
    client.send(request_bytes("/a?b") if request is None else request)
    return client, rig.next_asked(count)


def received(client: Client, end: bytes) -> bytes:
    """What the client got up to `end`."""
    client.rig.until(lambda: (client.take(), client.received.endswith(end))[1], f"{end!r}")
    return client.received


# ---------------------------------------------------------------- requests


def test_a_request_goes_on(proxied: ProxyRig) -> None:
    _, asked = asking(proxied, request_bytes("/a%20b?c", "X-A: 1", "Connection: keep-alive"))
    call = asked.call
    assert (call.method, call.target, call.host, call.body) == ("GET", b"/a%20b?c", b"localhost", b"")
    assert asked.lines[:2] == ["x-a: 1", "via: 1.1 skitaid"]
    assert asked.fields["x-forwarded-for"] == "192.0.2.7"
    assert asked.fields["x-gtxn-id"].startswith("GTID-")
    assert asked.fields["x-ltxn-id"] == "2001"


def test_requests_that_come_again_are_the_same_but_for_their_id(proxied: ProxyRig) -> None:
    client = proxied.client()
    seen = []
    for number in range(4):
        client.send(request_bytes("/a", "X-A: 1", "Cookie: a=b"))
        asked = proxied.next_asked(number + 1)
        fields = asked.fields
        seen.append((asked.call.target, fields.pop("x-gtxn-id"), tuple(fields.items())))
        asked.respond(b"ok")
        client.reply()
    assert len({(target, fields) for target, _, fields in seen}) == 1
    assert len({gtxnid for _, gtxnid, _ in seen}) == 4


@pytest.mark.parametrize("connection", ["keep-alive", "cookie"])
def test_another_cookie_each_time(proxied: ProxyRig, connection: str) -> None:
    client = proxied.client()
    for number in range(5):
        client.send(request_bytes("/a", f"Connection: {connection}", f"Cookie: a={number}", "X-A: 1"))
        asked = proxied.next_asked(number + 1)
        assert asked.fields.get("cookie") == (None if connection == "cookie" else f"a={number}")
        assert asked.fields["x-a"] == "1"
        asked.respond(b"ok")
        client.reply()


def test_the_ids_of_a_trusted_peer_go_on(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig(trusted=("192.0.2.7",))
    rig.proxy()
    told = ["X-Gtxn-Id: G1", "X-Ltxn-Id: 2001", "X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: https"]
    for count in (1, 2, 3):
        _, asked = asking(rig, request_bytes("/", *told))
        assert len(rig.asked) == count
        assert (asked.fields["x-gtxn-id"], asked.fields["x-ltxn-id"]) == ("G1", "3002")
        assert asked.fields["x-forwarded-for"] == "203.0.113.5, 192.0.2.7"
        assert asked.fields["x-forwarded-proto"] == "https"


def test_two_mounts_do_not_mix_up_what_they_keep(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig()
    rig.proxy("/one", remap="/1")
    rig.proxy("/two", remap="/2", host=b"two.example", passes_host=False)
    for _ in range(3):
        for path in ("/one/x", "/two/x"):
            client, asked = asking(rig, request_bytes(path))
            host = b"localhost" if path == "/one/x" else b"two.example"
            assert (asked.call.target, asked.call.host) == (b"/1/x" if path == "/one/x" else b"/2/x", host)
            asked.respond(b"ok", "Date: x", "X-A: 1")
            assert client.reply().body == b"ok"


def test_a_member_may_be_told_its_own_name(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig()
    rig.proxy(passes_host=False)
    assert asking(rig)[1].call.host is None


def test_what_belongs_together_has_one_key(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig()
    rig.proxy(affinity=Affinity(b"sid", is_cookie=True))
    assert asking(rig, request_bytes("/", "Cookie: a=1; sid=xyz"))[1].call.affinity == b"xyz"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (request_bytes("/x/../../y"), 400), (request_bytes("/", method="TRACE"), 405),
        (request_bytes("/", "Via: " + ", ".join(["1.1 skitaid"] * 20)), 508),
    ],
)  # fmt: skip
def test_what_is_not_passed_on(proxied: ProxyRig, request_: bytes, status: int) -> None:
    client = proxied.client()
    for _ in range(2):
        client.send(request_)
        assert client.reply().code == status
    assert not proxied.asked


def test_options_that_may_not_go_on_is_answered_here(proxied: ProxyRig) -> None:
    assert proxied.client().get("/", "Max-Forwards: 0", method="OPTIONS").code == 204
    assert not proxied.asked
    assert asking(proxied, request_bytes("/", "Max-Forwards: 1", method="OPTIONS"))[1].fields["max-forwards"] == "0"
    asking(proxied, request_bytes("/", "Max-Forwards: 0"))


def test_who_may_ask(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig(trusted=("192.0.2.7",))
    rig.proxy(source=("192.0.2.0/24",))
    assert rig.client().get("/", "X-Forwarded-For: 203.0.113.5").code == 403
    asking(rig)


@pytest.mark.parametrize(
    ("fields", "upgrade"),
    [
        (("Connection: Upgrade", "Upgrade: websocket"), b"websocket"),
        (("Connection: Upgrade", "Upgrade: WebSocket"), b"websocket"),
        (("Upgrade: websocket",), None),
        (("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), None),
    ],
)
def test_only_websockets_are_switched_to(proxied: ProxyRig, fields: tuple[str, ...], upgrade: bytes | None) -> None:
    _, asked = asking(proxied, request_bytes("/", *fields))
    assert asked.call.upgrade == upgrade
    assert not {"upgrade", "connection", "http2-settings"} & set(asked.fields)


# ---------------------------------------------------------------- responses


def count_sends(client: Client) -> list[bytes]:
    """What the client's connection is given from now on, a piece for each system call."""
    sends: list[bytes] = []
    send = client.connection._send

    def note(data: bytes, *flags: int) -> int:
        sends.append(data)
        return send(data, *flags)

    client.connection._send = note  # type: ignore[assignment]
    return sends


def test_a_whole_response_leaves_in_one_piece(proxied: ProxyRig) -> None:
    date = "Tue, 15 Nov 1994 08:12:31 GMT"
    for _ in range(3):
        client, asked = asking(proxied)
        sends = count_sends(client)
        asked.respond(b"hello", f"Date: {date}", "Server: apache", "Set-Cookie: a", "Set-Cookie: b")
        reply = client.reply()
        assert (reply.code, reply.body, reply.get("date")) == (200, b"hello", date)
        assert (reply.get("server"), reply.get("via")) == ("skitaid", "1.1 skitaid")
        assert [value for name, value in reply.fields if name == "set-cookie"] == ["a", "b"]
        assert len(sends) == 1


def test_a_response_without_a_date_gets_one(proxied: ProxyRig) -> None:
    client, asked = asking(proxied)
    asked.respond(b"hello")
    assert client.reply().get("date") is not None


@pytest.mark.parametrize("status", ["200 OK", "404 Nothing Here", "200", "599 Own"])
def test_the_members_own_words_for_a_status(proxied: ProxyRig, status: str) -> None:
    client, asked = asking(proxied)
    asked.respond(b"x", status=status)
    line = received(client, b"\r\n\r\nx").split(b"\r\n")[0].decode()
    assert line == f"HTTP/1.1 {'200 OK' if status == '200' else status}"


def test_a_head_waits_for_its_body_but_not_for_long(proxied: ProxyRig) -> None:
    client, asked = asking(proxied)
    asked.head("200 OK", "Transfer-Encoding: chunked")
    proxied.settle()
    assert client.take() == b""
    asked.receiver.on_flush()
    assert received(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    asked.receiver.on_data(b"abc")
    assert received(client, b"3\r\nabc\r\n")
    asked.receiver.on_end(())
    assert received(client, b"0\r\n\r\n")


def test_a_response_in_pieces_whose_length_is_known(proxied: ProxyRig) -> None:
    client, asked = asking(proxied)
    asked.head("200 OK", "Content-Length: 6")
    asked.receiver.on_data(b"abc")
    asked.receiver.on_flush()
    asked.receiver.on_data(b"def")
    asked.receiver.on_end(())
    reply = client.reply()
    assert (reply.body, reply.get("content-length")) == (b"abcdef", "6")
    client.send(request_bytes("/"))
    proxied.next_asked(2)


def test_http_1_0_gets_no_chunks(proxied: ProxyRig) -> None:
    client, asked = asking(proxied, b"GET / HTTP/1.0\r\n\r\n")
    asked.head("200 OK", "Transfer-Encoding: chunked")
    asked.receiver.on_data(b"abc")
    asked.receiver.on_flush()
    asked.receiver.on_end(())
    raw = client.end()
    assert raw.endswith(b"\r\n\r\nabc")
    assert b"chunked" not in raw
    assert "x-forwarded-host" not in asked.fields


@pytest.mark.parametrize(
    ("method", "status", "fields"),
    [
        ("HEAD", "200 OK", ("Content-Length: 1234",)), ("HEAD", "200 OK", ("Transfer-Encoding: chunked",)),
        ("GET", "304 Not Modified", ("Content-Length: 1234", 'ETag: "x"')), ("GET", "204 No Content", ()),
    ],
)  # fmt: skip
def test_responses_without_a_body(proxied: ProxyRig, method: str, status: str, fields: tuple[str, ...]) -> None:
    for _ in range(3):
        client, asked = asking(proxied, request_bytes("/", method=method) * 2)
        asked.head(status, *fields)
        asked.receiver.on_end(())
        reply = client.reply(method)
        assert (f"{reply.code}", reply.body) == (status[:3], b"")
        assert reply.get("content-length") == ("1234" if "Content-Length: 1234" in fields else None)
        proxied.next_asked(len(proxied.asked))
        proxied.until(lambda: proxied.asked[-1] is not asked)  # noqa: B023  # called at once


def test_trailers(proxied: ProxyRig) -> None:
    client, asked = asking(proxied)
    asked.head("200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum")
    asked.receiver.on_data(b"abc")
    asked.receiver.on_end([(b"x-sum", b"1")])
    assert received(client, b"3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n")


def test_interim_responses_but_for_100(proxied: ProxyRig) -> None:
    client, asked = asking(proxied)
    asked.inform("100 Continue")
    asked.inform("103 Early Hints", "Link: </a>", "Server: x")
    asked.respond(b"ok")
    raw = received(client, b"\r\n\r\nok")
    assert raw.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nvia: 1.1 skitaid\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_a_redirect_to_a_member_leads_to_the_mount(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig()
    rig.proxy("/m", remap="/v2", origins=(b"http://10.0.0.1:8000",))
    for _ in range(3):
        client, asked = asking(rig, request_bytes("/m/x"))
        asked.respond(b"", "Location: http://10.0.0.1:8000/v2/y", "Date: x", status="302 Found")
        assert client.reply().get("location") == "/m/y"


def test_compression(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig()
    rig.proxy(bodies=BodyRules(may_code=True))
    page = b"<p>hello</p>" * 200
    for _ in range(3):
        client, asked = asking(rig, request_bytes("/", "Accept-Encoding: gzip"))
        asked.respond(page, "Content-Type: text/html", "Date: x")
        reply = client.reply()
        assert (reply.get("content-encoding"), gzip.decompress(reply.body)) == ("gzip", page)
        client, asked = asking(rig, request_bytes("/"))
        asked.respond(page, "Content-Type: text/html", "Date: x")
        assert client.reply().body == page


def test_an_encoded_response_stays_as_it_is(make_proxy_rig: MakeProxyRig) -> None:
    rig = make_proxy_rig()
    rig.proxy(bodies=BodyRules(may_code=True))
    body = b"\x1f\x8b" + b"x" * 3000
    client, asked = asking(rig, request_bytes("/", "Accept-Encoding: gzip"))
    asked.respond(body, "Content-Type: text/html", "Content-Encoding: gzip", 'ETag: "a"')
    reply = client.reply()
    assert (reply.body, reply.get("content-encoding"), reply.get("etag")) == (body, "gzip", '"a"')


def test_the_request_log(proxied: ProxyRig) -> None:
    client, asked = asking(proxied, request_bytes("/a", method="POST", body=b"12345"))
    asked.respond(b"abc", status="201 Created")
    client.reply()
    (record,) = proxied.records
    assert (record[3], record[4], record[6], record[7], record[8]) == ("POST", "/a", 5, 201, 3)
    assert record[9] == asked.fields["x-gtxn-id"]


# ---------------------------------------------------------------- members that fail


@pytest.mark.parametrize(
    ("failure", "status"),
    [(Failure.UNREACHABLE, 502), (Failure.INVALID, 502), (Failure.READ_TIMEOUT, 504), (Failure.SATURATED, 503)],
)
def test_a_failure_before_the_head_is_a_page_for_strangers_and_a_line_for_the_log(
    proxied: ProxyRig, failure: Failure, status: int
) -> None:
    client, asked = asking(proxied)
    asked.fail(failure, "secret detail")
    reply = client.reply()
    assert reply.code == status
    assert b"secret" not in reply.body
    assert b"10.0.0.1" not in reply.body
    (line,) = proxied.told
    gtxnid = asked.fields["x-gtxn-id"]
    assert line == (f"/ @back: 10.0.0.1:80: {failure.value[1]}: secret detail (GET /a?b, answered {status}, {gtxnid})")
    # The connection goes on.
    client.send(request_bytes("/"))
    proxied.next_asked(2)


def test_nobody_is_there(proxied: ProxyRig) -> None:
    proxied.refuse = UpstreamError(Failure.NO_MEMBER)
    reply = proxied.client().get("/")
    assert (reply.code, reply.get("retry-after")) == (503, "1")


def test_a_failure_while_the_head_is_held(proxied: ProxyRig) -> None:
    client, asked = asking(proxied)
    asked.head("200 OK", "Content-Length: 6")
    asked.receiver.on_data(b"abc")
    asked.fail(Failure.TRUNCATED)
    assert client.reply().code == 502


@pytest.mark.parametrize("fields", [("Content-Length: 6",), ("Transfer-Encoding: chunked",), ()])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_response_that_breaks_off_never_looks_whole(proxied: ProxyRig, fields: tuple[str, ...], version: str) -> None:
    client, asked = asking(proxied, f"GET / HTTP/{version}\r\nHost: a\r\n\r\n".encode())
    asked.head("200 OK", *fields)
    asked.receiver.on_data(b"abc")
    asked.receiver.on_flush()
    asked.fail(Failure.TRUNCATED)
    assert not client.end().endswith(b"0\r\n\r\n")
    # A socket that is broken is reset when it is closed, which a pair of unix sockets does not show.
    assert client.connection.is_broken
    assert proxied.told[0].endswith(f"(GET /, broken off, {asked.fields['x-gtxn-id']})")


def _unspeakable() -> ResponseHead:
    """What no parser of ours lets through, but the writer of responses would refuse."""
    return ResponseHead(200, b"OK", ResponseFields([FieldLine(b"a", b"b\0c")]))


@pytest.mark.parametrize("ending", ["end", "flush", "pieces"])
def test_a_response_that_can_not_be_said_is_answered_all_the_same(proxied: ProxyRig, ending: str) -> None:
    client, asked = asking(proxied)
    asked.receiver.on_response(_unspeakable())
    if ending == "pieces":
        asked.receiver.on_data(b"abc")
        asked.receiver.on_data(b"def")
    elif ending == "flush":
        asked.receiver.on_flush()
    else:
        asked.receiver.on_end(())
    assert client.reply().code == 502
    assert asked.done == ["cancel"]
    assert proxied.told[0].startswith("/ @back: 10.0.0.1:80: what came is not a response: the header field 'a'")


def test_an_interim_response_that_can_not_be_said(proxied: ProxyRig) -> None:
    client, asked = asking(proxied)
    asked.receiver.on_information(ResponseHead(103, b"Early", ResponseFields([FieldLine(b"a", b"b\0c")])))
    assert client.reply().code == 502


def test_the_log_is_not_flooded(proxied: ProxyRig) -> None:
    client = proxied.client()
    proxied.refuse = UpstreamError(Failure.NO_MEMBER)
    for _ in range(50):
        client.get("/")
    assert len(proxied.told) == 20
    proxied.advance(1.5)
    client.get("/")
    assert proxied.told[20] == "/ @back: 30 more failed in the same way within a second"


# ---------------------------------------------------------------- clients that are slow, or go


def test_a_slow_client_holds_back_the_member(proxied: ProxyRig) -> None:
    client = proxied.client(send_buffer=4096)
    client.send(request_bytes())
    asked = proxied.next_asked()
    asked.head("200 OK", "Content-Length: 3000000")
    for _ in range(30):
        if "pause" in asked.done:
            break
        asked.receiver.on_data(b"x" * 100_000)
        asked.receiver.on_flush()
    assert asked.done == ["pause"]
    proxied.until(lambda: (client.take(), "resume" in asked.done)[1])
    assert asked.done == ["pause", "resume"]


def test_a_client_that_has_gone_ends_the_call(proxied: ProxyRig) -> None:
    client, asked = asking(proxied)
    asked.head("200 OK", "Transfer-Encoding: chunked")
    asked.receiver.on_flush()
    client.close()
    for _ in range(3):
        if "cancel" not in asked.done:
            asked.receiver.on_data(b"abc")
            proxied.turn()
    assert asked.done == ["cancel"]
    proxied.until(lambda: client.is_closed)


def test_a_client_that_has_gone_while_the_member_is_held_back(proxied: ProxyRig) -> None:
    client = proxied.client(send_buffer=4096)
    client.send(request_bytes())
    asked = proxied.next_asked()
    asked.head("200 OK", "Content-Length: 3000000")
    asked.receiver.on_data(b"x" * 1_000_000)
    asked.receiver.on_flush()
    assert asked.done == ["pause"]
    client.close()
    proxied.until(lambda: "cancel" in asked.done)
    proxied.until(lambda: client.is_closed)


def test_a_client_that_closed_its_side_is_still_answered(proxied: ProxyRig) -> None:
    client, asked = asking(proxied)
    client.socket.shutdown(1)
    proxied.settle()
    asked.respond(b"late")
    assert client.end().endswith(b"\r\n\r\nlate")
    assert not asked.done


def test_pipelined_requests_are_answered_in_order(proxied: ProxyRig) -> None:
    client, first = asking(proxied, request_bytes("/1") + request_bytes("/2"))
    assert len(proxied.asked) == 1
    first.respond(b"one")
    second = proxied.next_asked(2)
    assert second.call.target == b"/2"
    second.respond(b"two")
    assert [client.reply().body, client.reply().body] == [b"one", b"two"]


def test_bytes_that_are_no_request_behind_one_end_neither(proxied: ProxyRig) -> None:
    client, asked = asking(proxied, request_bytes("/1") + b"\0\0\0\r\n\r\n")
    asked.respond(b"one")
    assert client.reply().body == b"one"
    assert client.reply().code == 400
