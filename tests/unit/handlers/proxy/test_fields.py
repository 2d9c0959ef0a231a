"""Fields on their way through a proxy."""

from __future__ import annotations

import pytest

from skitaid.engine.forwarded import Forwarded, read_forwarded
from skitaid.engine.trust import TrustedPeers
from skitaid.handlers.proxy.fields import Hop, client_fields, count_hops, id_lines, passed_lines, told_lines
from skitaid.protocols.headers import HeaderBlock, parse_block
from skitaid.protocols.response_head import ResponseFields, parse_response_head

FRONT = "10.0.0.9"


def block(*lines: str) -> HeaderBlock:
    return parse_block("\r\n".join(lines).encode("latin-1"))


def passed(*lines: str) -> list[str]:
    return passed_lines(block(*lines)).decode("latin-1").split("\r\n")[:-1]


def told(fields: HeaderBlock, hop: Hop) -> dict[str, str]:
    lines = told_lines(fields, hop).decode("latin-1").split("\r\n")[:-1]
    found = dict(line.split(": ", 1) for line in lines)
    assert len(found) == len(lines)
    return found


def forwarded(*lines: str) -> Forwarded:
    return read_forwarded(block(*lines), TrustedPeers((FRONT, "10.0.0.0/24")))


def by_front(*lines: str) -> dict[str, str]:
    """What a member is told of a request that a trusted proxy passed on."""
    what = forwarded(*lines)
    return told(what.fields, Hop(FRONT, what.scheme, forwarded=what))


# ---------------------------------------------------------------- the client's words


def test_end_to_end_fields_pass_in_their_order() -> None:
    assert passed("Host: a", "X-A: 1", "Accept: */*", "X-A: 2", "Authorization: Bearer x") == [
        "x-a: 1", "accept: */*", "x-a: 2", "authorization: Bearer x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "Host: a", "Connection: close", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers",
        "Trailer: X-A", "Transfer-Encoding: chunked", "Upgrade: websocket", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Proxy-Authorization: Basic eDp5", "Content-Length: 5", "Expect: 100-continue", "Proxy: http://evil/",
        "X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "X-Forwarded-Port: 1",
        "X-Forwarded-Anything: x", "Forwarded: for=1.1.1.1", "X-Real-IP: 1.1.1.1", "X-Gtxn-Id: x", "X-Ltxn-Id: 2001",
        "X_Forwarded_For: 1.1.1.1", "Content_Length: 5", "X_User: root", "Transfer_Encoding: chunked",
    ],
)  # fmt: skip
def test_what_a_stranger_may_not_say_and_what_is_for_this_hop_stays_here(line: str) -> None:
    assert passed("X-Before: 1", line, "X-After: 2") == ["x-before: 1", "x-after: 2"]


def test_fields_that_connection_names_stay_here() -> None:
    assert passed("Connection: X-A, close", "X-A: 1", "X-B: 2", "connection: x-c", "X-C: 3") == ["x-b: 2"]


@pytest.mark.parametrize(
    ("value", "left"), [("5", ["max-forwards: 4"]), ("0", ["max-forwards: 0"]), ("x", []), ("-1", [])]
)
def test_how_often_a_request_may_be_passed_on_is_counted(value: str, left: list[str]) -> None:
    assert passed(f"Max-Forwards: {value}") == left


def test_cookies_go_in_one_line() -> None:
    assert passed("Cookie: a=1", "X-A: 1", "Cookie: b=2") == ["x-a: 1", "cookie: a=1; b=2"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_block_that_came_before_is_the_same(times: int) -> None:
    for number in range(times):
        assert passed("Host: a", f"Cookie: a={number}", "X-Kept: 1") == ["x-kept: 1", f"cookie: a={number}"]
        assert passed("Connection: cookie", f"Cookie: a={number}", "X-Kept: 1") == ["x-kept: 1"]


def test_values_pass_byte_by_byte() -> None:
    assert passed("X-A: caf\xe9\tb  c") == ["x-a: caf\xe9\tb  c"]


# ---------------------------------------------------------------- what the member is told


def test_a_stranger() -> None:
    assert told(block("Host: site.example:8080"), Hop("192.0.2.7")) == {
        "via": "1.1 skitaid", "x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "http",
        "x-forwarded-host": "site.example:8080", "x-forwarded-port": "8080",
    }  # fmt: skip


def test_a_stranger_can_say_nothing_of_others() -> None:
    fields = block("Host: a", "X-Forwarded-For: 1.1.1.1", "X-Forwarded-Port: 1", "Forwarded: for=1.1.1.1")
    assert told(fields, Hop("192.0.2.7")) == told(block("Host: a"), Hop("192.0.2.7"))


@pytest.mark.parametrize(
    ("host", "scheme", "port"),
    [
        ("a", "http", "80"), ("a", "https", "443"), ("[::1]", "http", "80"), ("[::1]:81", "http", "81"),
        ("a:", "http", "80"),
    ],
)  # fmt: skip
def test_the_port_that_was_asked(host: str, scheme: str, port: str) -> None:
    assert told(block(f"Host: {host}"), Hop("192.0.2.7", scheme))["x-forwarded-port"] == port


def test_http_1_0_without_a_host() -> None:
    found = told(block(), Hop("192.0.2.7", minor=0))
    assert found["via"] == "1.0 skitaid"
    assert "x-forwarded-host" not in found


def test_nobody_knows_who_is_behind_a_unix_socket() -> None:
    assert "x-forwarded-for" not in told(block("Host: a"), Hop(""))


def test_a_trusted_proxy_is_added_behind_whom_it_names() -> None:
    found = by_front("Host: inner", "X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: https", "X-Forwarded-Host: a.b")
    assert found == {
        "via": "1.1 skitaid", "x-forwarded-for": f"203.0.113.5, {FRONT}", "x-forwarded-proto": "https",
        "x-forwarded-host": "a.b", "x-forwarded-port": "443",
    }  # fmt: skip


def test_what_the_client_of_a_trusted_proxy_made_up_is_cut_off() -> None:
    found = by_front("Host: a", "X-Forwarded-For: 1.1.1.1, 203.0.113.5, 10.0.0.3")
    assert found["x-forwarded-for"] == f"203.0.113.5, 10.0.0.3, {FRONT}"


def test_the_port_that_a_trusted_proxy_tells() -> None:
    found = by_front("Host: a", "X-Forwarded-For: 203.0.113.5", "X-Forwarded-Port: 8443")
    assert found["x-forwarded-port"] == "8443"


def test_forwarded_of_a_trusted_proxy_goes_on_beside_x_forwarded_for() -> None:
    found = by_front("Host: a", 'Forwarded: for="[2001:db8::1]";proto=https;host=site.example')
    assert found["forwarded"] == (
        f'for="[2001:db8::1]";proto=https;host=site.example, for={FRONT};host="site.example";proto=https'
    )
    assert found["x-forwarded-for"] == f"2001:db8::1, {FRONT}"
    assert (found["x-forwarded-proto"], found["x-forwarded-host"]) == ("https", "site.example")


def test_an_ipv6_peer_is_quoted_in_forwarded() -> None:
    what = read_forwarded(block("Host: a", "Forwarded: for=203.0.113.5"), TrustedPeers(("::1",)))
    assert told(what.fields, Hop("::1", forwarded=what))["forwarded"].endswith(', for="[::1]";host="a";proto=http')


def test_other_words_of_a_trusted_proxy_pass() -> None:
    what = forwarded("Host: a", "X-Forwarded-For: 203.0.113.5", "X-Forwarded-Prefix: /p", "X-Real-IP: 203.0.113.5")
    assert passed_lines(what.fields) == b"x-forwarded-prefix: /p\r\nx-real-ip: 203.0.113.5\r\n"


@pytest.mark.parametrize(("ltxnid", "called"), [("1000", b"2001"), ("2001", b"3002"), ("9004", b"9005")])
def test_ids(ltxnid: str, called: bytes) -> None:
    assert id_lines("GTID-Cx-R1", ltxnid) == b"x-gtxn-id: GTID-Cx-R1\r\nx-ltxn-id: " + called + b"\r\n"


@pytest.mark.parametrize(
    ("via", "count"),
    [
        ((), 0), (("1.1 squid",), 0), (("1.1 skitaid",), 1), (("1.1 skitaid, 1.0 fred, 1.1 skitaid",), 2),
        (("1.1 skitaid", "1.1 skitaid (twice)"), 2), (("HTTP/1.1 skitaid",), 1), (("skitaid",), 0),
    ],
)  # fmt: skip
def test_hops_of_ours_are_counted(via: tuple[str, ...], count: int) -> None:
    assert count_hops(block("Host: a", *[f"Via: {each}" for each in via])) == count


# ---------------------------------------------------------------- what the client gets


def reply(*lines: str) -> HeaderBlock:
    return parse_response_head("\r\n".join(("HTTP/1.1 200 OK", *lines)).encode("latin-1")).fields


def test_a_response_keeps_its_end_to_end_fields() -> None:
    fields = reply(
        "Date: Tue, 15 Nov 1994 08:12:31 GMT", "Server: apache", "Content-Type: text/html", "Content-Length: 5",
        "Set-Cookie: a=1; Expires=Tue, 15 Nov 1994 08:12:31 GMT", "Set-Cookie: b=2", "X_Under: kept", "ETag: \"x\"",
    )  # fmt: skip
    assert client_fields(fields) == [
        (b"date", b"Tue, 15 Nov 1994 08:12:31 GMT"), (b"content-type", b"text/html"), (b"content-length", b"5"),
        (b"set-cookie", b"a=1; Expires=Tue, 15 Nov 1994 08:12:31 GMT"), (b"set-cookie", b"b=2"), (b"x_under", b"kept"),
        (b"etag", b'"x"'), (b"via", b"1.1 skitaid"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "Connection: close",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Transfer-Encoding: chunked",
        "Trailer: X-A",
        "TE: x",
        "Upgrade: h2c",
        "Server: x",
    ],
)
def test_what_is_for_the_hop_between_us_and_the_member_stays_here(line: str) -> None:
    assert client_fields(reply("X-A: 1", line)) == [(b"x-a", b"1"), (b"via", b"1.1 skitaid")]


def test_response_fields_that_connection_names_stay_here() -> None:
    assert client_fields(reply("Connection: x-a", "X-A: 1"), minor=0) == [(b"via", b"1.0 skitaid")]


def test_a_member_may_have_been_passed_by_others() -> None:
    assert client_fields(reply("Via: 1.1 fred")) == [(b"via", b"1.1 fred"), (b"via", b"1.1 skitaid")]


def test_fields_without_any() -> None:
    assert client_fields(ResponseFields([])) == [(b"via", b"1.1 skitaid")]
