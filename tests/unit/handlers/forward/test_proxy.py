"""The forward proxy: whose requests are its, who may ask, and what goes on."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from skitaid.handlers.forward.policy import ForwardSettings
from skitaid.handlers.forward.proxy import ForwardProxy
from skitaid.handlers.router import HostTable, Route, RouteKind, Router
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.guarded import TargetRefusedError
from tests.unit.engine.rig import Client
from tests.unit.handlers.proxy.rig import Asked, MakeProxyRig, ProxyRig

OPEN = ForwardSettings(allow=("192.0.2.0/24",))
USERS = replace(OPEN, users=(("anna", "s:cret"), ("bert", "other")))


class Forwarding:
    """A rig with a forward proxy before a site that answers `ours`. `origins`: which servers were asked for."""

    def __init__(self, rig: ProxyRig, settings: ForwardSettings) -> None:
        self.rig = rig
        self.origins: list[tuple[str, str, int]] = []
        rig.handler(lambda stream: stream.respond("200 OK", [], b"ours"))
        route = rig.routes[0]
        rig.site.router = Router(
            [HostTable((), [route]), HostTable(("www.ours.example",), [Route("", RouteKind.APP, route.handler)])]
        )
        proxy = ForwardProxy(rig.engine, rig.site, settings, origins=self, context=UpstreamContext(rig.engine))
        rig.engine.handler = proxy

    def origin(self, scheme: str, host: str, port: int) -> ProxyRig:
        self.origins.append((scheme, host, port))
        return self.rig

    def ask(self, line: str, *fields: str, body: bytes = b"") -> Client:
        client = self.rig.client()
        length = (f"Content-Length: {len(body)}",) if body else ()
        head = "\r\n".join((f"{line} HTTP/1.1", "Host: ignored.example", *fields, *length))
        client.send(head.encode() + b"\r\n\r\n" + body)
        return client

    def asked(self, line: str, *fields: str, body: bytes = b"") -> tuple[Client, Asked]:
        count = len(self.rig.asked) + 1
        client = self.ask(line, *fields, body=body)
        return client, self.rig.next_asked(count)

    def refused(self, line: str, *fields: str, body: bytes = b"") -> int:
        """The status of an answer that comes without anybody being asked."""
        count = len(self.rig.asked)
        code = self.ask(line, *fields, body=body).reply().code
        assert len(self.rig.asked) == count
        return code


Make = Callable[..., Forwarding]


@pytest.fixture
def make(make_proxy_rig: MakeProxyRig) -> Make:
    def forwarding(settings: ForwardSettings = OPEN, **rig: object) -> Forwarding:
        return Forwarding(make_proxy_rig(**rig), settings)

    return forwarding


# ---------------------------------------------------------------- whose request it is


@pytest.mark.parametrize(
    "line",
    ["GET /", "GET http://www.ours.example/", "GET http://WWW.ours.example:8080/", "GET https://www.ours.example/x"],
)
def test_requests_for_hosts_of_the_conf_are_the_sites(make: Make, line: str) -> None:
    assert make().ask(line).reply().body == b"ours"


def test_requests_for_the_address_that_is_listened_on_are_the_sites(make: Make) -> None:
    forwarding = make()
    port = forwarding.rig.listener.port
    for host in ("127.0.0.1", "localhost"):
        assert forwarding.ask(f"GET http://{host}:{port}/").reply().body == b"ours"
    # Another port of this machine is another server.
    forwarding.asked("GET http://localhost:9999/")


# ---------------------------------------------------------------- what goes on


def test_a_request_goes_to_the_server_that_its_target_names(make: Make) -> None:
    forwarding = make()
    client, asked = forwarding.asked(
        "GET http://www.example.com/a%20b?c", "X-A: 1", "Proxy-Connection: keep-alive", "X-Forwarded-For: 1.1.1.1",
        "Proxy-Authorization: Basic eDp5",
    )  # fmt: skip
    assert forwarding.origins == [("http", "www.example.com", 80)]
    call = asked.call
    assert (call.method, call.target, call.host) == ("GET", b"/a%20b?c", b"www.example.com")
    # Nothing of the client but its own words, and nothing of ours but Via.
    assert asked.lines == ["x-a: 1", "via: 1.1 skitaid"]
    asked.respond(b"theirs", "Server: x", "Set-Cookie: a")
    reply = client.reply()
    assert (reply.body, reply.get("via"), reply.get("set-cookie")) == (b"theirs", "1.1 skitaid", "a")


@pytest.mark.parametrize(
    ("line", "origin", "host", "target"),
    [
        ("GET http://a.example", ("http", "a.example", 80), b"a.example", b"/"),
        ("GET http://A.example:8080/x", ("http", "a.example", 8080), b"A.example:8080", b"/x"),
        ("GET https://a.example/x?y", ("https", "a.example", 443), b"a.example", b"/x?y"),
        ("GET http://[2001:db8::1]:81/", None, b"", b""),
        ("GET http://[2001:db8::1]:8081/", ("http", "2001:db8::1", 8081), b"[2001:db8::1]:8081", b"/"),
        ("OPTIONS http://a.example", ("http", "a.example", 80), b"a.example", b"*"),
        ("OPTIONS http://a.example/", ("http", "a.example", 80), b"a.example", b"/"),
        ("GET http://a.example?x", ("http", "a.example", 80), b"a.example", b"/?x"),
    ],
)
def test_targets(make: Make, line: str, origin: tuple[str, str, int] | None, host: bytes, target: bytes) -> None:
    forwarding = make()
    if origin is None:
        assert forwarding.refused(line) == 403
        return
    _, asked = forwarding.asked(line)
    assert forwarding.origins == [origin]
    assert (asked.call.host, asked.call.target) == (host, target)


def test_a_body_goes_on_as_it_comes(make: Make) -> None:
    _, asked = make().asked("POST http://a.example/", body=b"abc")
    assert (asked.call.body, asked.call.content_length) == (None, 3)
    assert asked.sent == [b"abc"]


def test_who_asked_may_know_what_is_wrong(make: Make) -> None:
    forwarding = make()
    for error, code in (
        (UpstreamError(Failure.UNRESOLVED), 502), (UpstreamError(Failure.CONNECT_TIMEOUT), 504),
        (TargetRefusedError("a.example"), 403),
    ):  # fmt: skip
        client, asked = forwarding.asked("GET http://a.example/")
        asked.receiver.on_failure(error)
        assert client.reply().code == code


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("GET http://a.example:25/", 403), ("GET http://a.example:0/", 403), ("GET http://a.example:99999/", 403),
        ("CONNECT a.example:22", 403), ("CONNECT a.example:80", 403), ("CONNECT www.evil.example:443", 403),
        ("GET http://www.evil.example/", 403), ("TRACE http://a.example/", 405), ("GET ftp://a.example/", 400),
        ("CONNECT a.example", 400),
    ],
)  # fmt: skip
def test_what_the_proxy_does_not_do(make: Make, line: str, code: int) -> None:
    assert make(replace(OPEN, deny_targets=(".evil.example",))).refused(line) == code


def test_a_tunnel_has_no_body(make: Make) -> None:
    assert make().refused("CONNECT a.example:443", body=b"x") == 400


@pytest.mark.parametrize(
    "settings",
    [ForwardSettings(), replace(OPEN, allow=()), replace(OPEN, deny=("192.0.2.7",)), replace(OPEN, allow=("unix",))],
)
def test_strangers(make: Make, settings: ForwardSettings) -> None:
    forwarding = make(settings)
    assert forwarding.refused("GET http://a.example/") == 403
    assert forwarding.refused("CONNECT a.example:443") == 403
    assert forwarding.ask("GET http://www.ours.example/").reply().body == b"ours"


def test_a_stranger_behind_a_trusted_proxy(make: Make) -> None:
    forwarding = make(trusted=("192.0.2.7",))
    assert forwarding.refused("GET http://a.example/", "X-Forwarded-For: 203.0.113.5") == 403
    forwarding.asked("GET http://a.example/", "X-Forwarded-For: 192.0.2.99")


def credentials(text: str, scheme: str = "Basic") -> str:
    return f"Proxy-Authorization: {scheme} {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("text", ["anna:s:cret", "bert:other"])
def test_users(make: Make, text: str) -> None:
    _, asked = make(USERS).asked("GET http://a.example/", credentials(text))
    assert "proxy-authorization" not in asked.fields


@pytest.mark.parametrize(
    "field",
    [
        "X-A: 1", credentials("anna:other"), credentials("anna:"), credentials("nobody:"), credentials("anna"),
        credentials(":"), credentials("anna:s:cret", "Bearer"), "Proxy-Authorization: Basic",
        "Proxy-Authorization: ===", "Proxy-Authorization: Basic !!!", credentials("anna:s:cret").removeprefix("Proxy-"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("line", ["GET http://a.example/", "CONNECT a.example:443"])
def test_who_is_no_user_is_asked_who_it_is(make: Make, field: str, line: str) -> None:
    forwarding = make(USERS)
    reply = forwarding.ask(line, field).reply()
    assert (reply.code, reply.get("proxy-authenticate")) == (407, 'Basic realm="proxy", charset="UTF-8"')
    assert not forwarding.rig.asked


def test_options_that_may_not_go_on_is_answered_here(make: Make) -> None:
    assert make().refused("OPTIONS http://a.example/", "Max-Forwards: 0") == 204


def test_it_does_not_go_round_in_circles(make: Make) -> None:
    assert make().refused("GET http://a.example/", "Via: " + ", ".join(["1.1 skitaid"] * 20)) == 508
