"""What apps and members are told of a request that came by TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine.settings import EngineSettings
from skitaid.engine.stream import Stream
from skitaid.engine.tls import TlsServer
from skitaid.handlers.asgi.scope import ScopeMaker
from skitaid.handlers.proxy.rewrite import Rewrite
from skitaid.handlers.router import Route, RouteKind
from tests.certificates import Made, make
from tests.unit.engine.rig import Rig, hello
from tests.unit.engine.tls_rig import Site

Environ = dict[str, Any]


class Seen:
    """An app that keeps what it is told."""

    def __init__(self) -> None:
        self.environs: list[Environ] = []

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
        self.environs.append(environ)
        return list(hello(environ, start_response))


@pytest.fixture
def seen(site: Site) -> Seen:
    seen = Seen()
    site.rig.app(seen)
    return seen


def test_a_wsgi_app_is_told_the_scheme(site: Site, seen: Seen) -> None:
    client = site.client()
    for _ in range(3):
        client.get("/x")
    site.rig.client().get("/x")
    assert [environ["wsgi.url_scheme"] for environ in seen.environs] == ["https"] * 3 + ["http"]
    assert [environ.get("HTTPS") for environ in seen.environs] == ["on"] * 3 + [None]
    assert "SSL_CLIENT_VERIFY" not in seen.environs[0]


@pytest.mark.parametrize(("said", "scheme"), [("", "https"), ("https", "https"), ("http", "http"), ("gopher", "https")])
def test_a_believed_proxy_s_word_goes_before_what_we_see(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext, said: str, scheme: str
) -> None:
    rig = Rig(EngineSettings(0, trusted=("192.0.2.7",)))
    site = Site(rig, server_context, client_context)
    seen = Seen()
    rig.app(seen)
    site.client().get("/", "X-Forwarded-For: 203.0.113.9", f"X-Forwarded-Proto: {said}")
    assert seen.environs[0]["wsgi.url_scheme"] == scheme
    assert seen.environs[0].get("HTTPS") == ("on" if scheme == "https" else None)
    assert seen.environs[0]["REMOTE_ADDR"] == "203.0.113.9"
    site.close()
    rig.close()


@pytest.fixture
def asking(site: Site, server_context: ssl.SSLContext, authority: Made) -> Site:
    """A site that asks for certificates, and serves who has none too."""
    server_context.verify_mode = ssl.CERT_OPTIONAL
    server_context.load_verify_locations(cadata=authority.certificate.decode())
    site.listen(TlsServer(server_context))
    return site


def test_a_wsgi_app_is_told_of_the_client_s_certificate(
    asking: Site, seen: Seen, authority: Made, tmp_path: Path
) -> None:
    asking.client().get()
    alice = make("alice", issuer=authority)
    asking.client_context.load_cert_chain(*alice.write(tmp_path, "alice"))
    client = asking.client()
    client.get("/", "SSL-Client-S-DN: CN=mallory")
    nobody, known = seen.environs
    assert nobody["SSL_CLIENT_VERIFY"] == "NONE"
    assert "SSL_CLIENT_S_DN" not in nobody
    assert known["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert known["SSL_CLIENT_S_DN"] == "CN=alice,O=Example\\, Inc."
    assert known["SSL_CLIENT_S_DN_CN"] == "alice"
    assert known["SSL_CLIENT_I_DN"].startswith("CN=authority.example,")
    assert known["SSL_CLIENT_CERT"] == alice.certificate.decode()
    assert int(known["SSL_CLIENT_M_SERIAL"], 16) == alice.x509.serial_number


def test_an_asgi_app_is_told_the_scheme_and_the_certificate(asking: Site, authority: Made, tmp_path: Path) -> None:
    scopes: list[dict[str, Any]] = []
    maker = ScopeMaker()

    def serve(stream: Stream) -> None:
        scopes.append(maker.make(stream, Route("", RouteKind.APP, None), {}))
        stream.respond("200 OK", [], b"")

    asking.rig.handler(serve)
    asking.rig.client().get()
    alice = make("alice", issuer=authority)
    asking.client_context.load_cert_chain(*alice.write(tmp_path, "alice"))
    asking.client().get()
    plain, secure = scopes
    assert (plain["scheme"], plain["extensions"]) == ("http", {})
    assert secure["scheme"] == "https"
    told = secure["extensions"]["tls"]
    assert told["client_cert_chain"] == [alice.certificate.decode()]
    assert told["client_cert_name"] == "CN=alice,O=Example\\, Inc."
    assert told["tls_version"] == 0x0304


def test_a_member_is_told_the_scheme_of_each_listener(site: Site) -> None:
    lines: list[bytes] = []
    rewrites: list[Rewrite] = []

    def serve(stream: Stream) -> None:
        if not rewrites:
            rewrites.append(Rewrite(None, b"/", stream.head, None))
        lines.append(rewrites[0].lines(stream))
        stream.respond("200 OK", [], b"")

    site.rig.handler(serve)
    site.rig.client().get()
    site.client().get()
    site.rig.client().get()
    assert [b"x-forwarded-proto: https\r\n" in each for each in lines] == [False, True, False]
    assert [b"x-forwarded-proto: http\r\n" in each for each in lines] == [True, False, True]
