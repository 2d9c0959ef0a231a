"""TLS on a connection: handshakes, records, ends."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine.http1_connection import Http1Connection
from skitaid.engine.phase import Phase
from skitaid.engine.secure import SecureSocket
from skitaid.engine.stream import Stream
from skitaid.engine.tls import STEPS_PER_BATCH, Handshake, TlsServer, TlsSocket
from skitaid.engine.tls_context import CertificateChoice
from tests.certificates import Made, make
from tests.unit.engine.rig import MakeRig, hello, parse_reply, request_bytes
from tests.unit.engine.tls_rig import Site, TlsClient

# ---------------------------------------------------------------- handshakes


def test_requests_are_answered_one_after_another(site: Site) -> None:
    site.rig.app(hello)
    client = site.client()
    assert [client.get().body for _ in range(3)] == [b"hello"] * 3
    assert client.tls.version() == "TLSv1.3"


def test_http_2_by_upgrade_is_for_connections_in_the_clear(site: Site) -> None:
    """RFC 7540 section 3.3."""
    site.rig.app(hello)
    client = site.client()
    wish = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    assert client.get("/", *wish).code == 200


def test_a_request_that_comes_with_the_end_of_the_handshake_is_not_lost(site: Site) -> None:
    site.rig.app(hello)
    client = TlsClient(site, site.dial())
    while True:
        try:
            client.tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            client.pump()
            site.rig.turn()
    # The client's Finished still waits in `outgoing`: both go out in one piece.
    client.send(request_bytes())
    assert client.reply().body == b"hello"


def test_a_client_that_says_nothing_has_no_ssl_object_and_its_time_is_that_of_an_idle_one(site: Site) -> None:
    site.dial()
    site.rig.settle()
    [accepted] = site.accepted
    assert accepted.phase is Phase.IDLE
    assert accepted._secure is None
    site.rig.advance(11)
    assert site.accepted == []


def test_a_handshake_that_is_not_brought_to_its_end_is_given_up(site: Site) -> None:
    raw = site.dial()
    raw.send(b"\x16\x03\x01\x02\x00\x01")
    site.rig.settle()
    [accepted] = site.accepted
    assert accepted.phase is Phase.HEAD
    for _ in range(4):
        # A byte now and then buys no time beyond that of a head.
        site.rig.advance(8)
        try:
            raw.send(b"\0")
        except ConnectionError:
            break
        site.rig.settle()
    assert site.accepted == []


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(site: Site) -> None:
    raw = site.dial()
    raw.send(b"\x16\x03\x01\x02\x00\x01")
    site.rig.settle()
    raw.close()
    site.rig.until(lambda: not site.accepted)
    gone = site.dial()
    gone.close()
    site.rig.until(lambda: not site.accepted)


@pytest.mark.parametrize("said", [b"\0" * 400, b"\x80" * 400, b"SSH-2.0-OpenSSH_9.2\r\n" * 20])
def test_what_is_no_tls_ends_the_connection(site: Site, said: bytes) -> None:
    raw = site.dial()
    raw.send(said)
    site.rig.until(lambda: not site.accepted)


def test_plain_http_is_told_what_is_wrong(site: Site) -> None:
    raw = site.dial()
    raw.send(request_bytes())
    site.rig.until(lambda: not site.accepted)
    reply = parse_reply(raw.recv(4096), is_end=True)
    assert reply is not None
    assert reply[0].code == 400
    assert b"https://" in reply[0].body


def test_only_so_many_handshakes_are_computed_in_a_batch(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.rig.app(hello)
    talking = site.client()
    waiting = [TlsClient(site, site.dial()) for _ in range(STEPS_PER_BATCH * 2)]
    steps: list[int] = []
    step = Handshake._step
    monkeypatch.setattr(Handshake, "_step", lambda self: (steps.append(site.rig.engine.batch), step(self))[1])
    for client in waiting:
        with pytest.raises(ssl.SSLWantReadError):
            client.tls.do_handshake()
        client.pump()
    talking.send(request_bytes())
    site.rig.turn()
    assert len(steps) == STEPS_PER_BATCH
    assert talking.reply().body == b"hello"
    for client in waiting:
        client.shake_hands()
    assert max(steps.count(batch) for batch in steps) <= STEPS_PER_BATCH


def test_a_connection_that_can_t_be_made_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ModuleNotFoundError("a package of the protocol's")

    monkeypatch.setattr(site.rig.engine, "_connect", fail)
    client = TlsClient(site, site.dial())
    client.shake_hands()
    assert client.end() in ("cut", "reset")
    assert site.accepted == []
    assert "a package of the protocol's" in capsys.readouterr().err


def test_a_session_is_resumed(site: Site) -> None:
    site.rig.app(hello)
    first = site.client()
    first.get()
    again = site.client(session=first.tls.session)
    assert again.tls.session_reused
    assert again.get().body == b"hello"


def test_what_was_agreed_on_is_known(site: Site, server_context: ssl.SSLContext) -> None:
    server_context.set_alpn_protocols(["http/1.1"])
    site.client_context.set_alpn_protocols(["h3", "http/1.1"])
    seen: list[SecureSocket] = []

    def serve(stream: Stream) -> None:
        assert isinstance(stream.connection, Http1Connection)
        sock = stream.connection._socket
        assert isinstance(sock, SecureSocket)
        seen.append(sock)
        stream.respond("200 OK", [], b"")

    site.rig.handler(serve)
    site.client().get()
    assert (seen[0].alpn, seen[0].version, seen[0].certificate) == ("http/1.1", "TLSv1.3", None)
    assert seen[0].cipher.startswith("TLS_")


def test_a_certificate_of_the_client_s_is_told(
    site: Site, server_context: ssl.SSLContext, authority: Made, tmp_path: Path
) -> None:
    server_context.verify_mode = ssl.CERT_OPTIONAL
    server_context.load_verify_locations(cadata=authority.certificate.decode())
    site.listen(TlsServer(server_context))
    site.client_context.load_cert_chain(*make("alice", issuer=authority).write(tmp_path, "alice"))
    seen: list[Any] = []

    def serve(stream: Stream) -> None:
        assert isinstance(stream.connection, Http1Connection)
        sock = stream.connection._socket
        assert isinstance(sock, SecureSocket)
        seen.append(sock.certificate)
        stream.respond("200 OK", [], b"")

    site.rig.handler(serve)
    site.client().get()
    assert seen[0].name == "alice"
    assert seen[0].subject == "CN=alice,O=Example\\, Inc."
    assert seen[0].issuer == "CN=authority.example,O=Example\\, Inc."
    assert seen[0].pem.startswith("-----BEGIN CERTIFICATE-----")
    assert int(seen[0].serial, 16)


# ---------------------------------------------------------------- transfers


@pytest.mark.parametrize("threads", [0, 2])
def test_a_body_goes_both_ways_whole_through_a_small_buffer(
    make_rig: MakeRig, server_context: ssl.SSLContext, client_context: ssl.SSLContext, threads: int
) -> None:
    rig = make_rig(threads=threads)
    site = Site(rig, server_context, client_context)

    def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body[at : at + 300_000] for at in range(0, len(body), 300_000)]

    rig.app(echo)
    client = site.client(send_buffer=8192)
    body = os.urandom(3_000_000)
    for _ in range(2):
        client.send(request_bytes("/", method="POST", body=body))
        assert client.reply().body == body
    site.close()


def test_a_file_is_never_sent_in_the_clear(site: Site, tmp_path: Path) -> None:
    content = os.urandom(2_500_000)
    (tmp_path / "big.bin").write_bytes(content)
    site.rig.folder(str(tmp_path))
    client = site.client(send_buffer=16384)
    reply = client.get("/big.bin")
    assert (reply.code, reply.body) == (200, content)
    part = client.get("/big.bin", "Range: bytes=1000000-1400000")
    assert part.body == content[1000000:1400001]


def test_reading_and_writing_at_the_same_time_from_two_threads(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    """An SSL object breaks when it is read in one thread and written in another at once."""
    near, far = socket.socketpair()
    near.settimeout(20)
    far.settimeout(20)
    with client_context.wrap_socket(near, server_hostname="localhost", do_handshake_on_connect=False) as client:
        shaking = threading.Thread(target=client.do_handshake)
        shaking.start()
        accepted = server_context.wrap_socket(far, server_side=True, suppress_ragged_eofs=False)
        shaking.join()
        accepted.setblocking(False)
        secure = TlsSocket(accepted)
        sent = received = 0
        total = 20_000_000
        piece = b"x" * 20_000

        def talk() -> None:
            nonlocal sent
            while sent < total:
                try:
                    sent += secure.send(piece)
                except BlockingIOError:
                    continue

        def listen() -> None:
            nonlocal received
            while received < total:
                try:
                    received += len(secure.recv(65536))
                except BlockingIOError:
                    continue

        def answer() -> None:
            left = total
            while left > 0:
                data = client.recv(65536)
                client.sendall(data)
                left -= len(data)

        threads = [threading.Thread(target=each) for each in (talk, listen, answer)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (sent, received) == (total, total)
        secure.close()


# ---------------------------------------------------------------- ends


def test_the_end_of_a_connection_is_announced(site: Site) -> None:
    site.rig.app(hello)
    client = site.client()
    assert client.get("/", "Connection: close").code == 200
    assert client.end() == "goodbye"


def test_an_idle_connection_ends_with_a_goodbye(site: Site) -> None:
    site.rig.app(hello)
    client = site.client()
    client.get()
    site.rig.advance(12)
    assert client.end() == "goodbye"


def test_a_response_that_breaks_off_has_no_goodbye(site: Site) -> None:
    def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "1000")])
        yield b"some"
        raise RuntimeError("no more")

    site.rig.app(broken)
    client = site.client()
    client.send(request_bytes())
    assert client.end() in ("cut", "reset")


def test_a_client_that_says_goodbye_is_answered_and_let_go(site: Site) -> None:
    site.rig.app(hello)
    client = site.client()
    client.send(request_bytes())
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    client.pump()
    site.rig.until(lambda: not site.accepted)


def test_a_client_that_closes_without_a_goodbye_gets_its_answer(site: Site) -> None:
    site.rig.app(hello)
    client = site.client()
    client.send(request_bytes())
    client.raw.shutdown(socket.SHUT_WR)
    assert client.reply().body == b"hello"
    site.rig.until(lambda: not site.accepted)


def test_a_body_that_is_cut_off_is_not_taken_for_whole(site: Site) -> None:
    seen: list[Any] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return [b"thanks"]

    site.rig.app(app)
    client = site.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    client.raw.shutdown(socket.SHUT_WR)
    site.rig.until(lambda: not site.accepted)
    assert seen == []


def test_an_upload_that_is_refused_is_still_told_why(make_rig: MakeRig, site: Site) -> None:
    site.rig.app(hello, max_body_bytes=1000)
    client = site.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 20_000)
    site.rig.settle()
    for _ in range(20):
        try:
            client.send(b"x" * 16_000)
        except ConnectionError:
            break
        site.rig.turn()
    assert client.reply("POST").code == 413


def test_draining_gives_a_new_handshake_time_for_its_request(site: Site) -> None:
    site.rig.app(hello)
    client = TlsClient(site, site.dial())
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.pump()
    site.rig.engine.drain()
    site.rig.engine.close_idle()
    client.shake_hands()
    site.rig.turn()
    site.rig.engine.close_idle()
    assert client.get().body == b"hello"
    assert client.end() == "goodbye"


def test_a_silent_client_is_let_go_when_draining(site: Site) -> None:
    site.dial()
    site.rig.settle()
    site.rig.engine.drain()
    site.rig.engine.close_idle()
    assert site.accepted == []


# ---------------------------------------------------------------- what is offered


@pytest.mark.parametrize(
    ("version", "ciphers"),
    [
        (ssl.TLSVersion.TLSv1_1, "DEFAULT:@SECLEVEL=0"),
        (ssl.TLSVersion.TLSv1_2, "AES128-SHA256:AES256-GCM-SHA384"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA"),
    ],
)
def test_nothing_weak_is_offered(
    site: Site, version: ssl.TLSVersion, ciphers: str, recwarn: pytest.WarningsRecorder
) -> None:
    site.client_context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    site.client_context.maximum_version = version
    site.client_context.set_ciphers(ciphers)
    client = TlsClient(site, site.dial())
    with pytest.raises(ssl.SSLError):
        client.shake_hands()
    site.rig.until(lambda: not site.accepted)
    recwarn.clear()


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_clients_of_tls_1_2_are_served(site: Site, cipher: str) -> None:
    site.rig.app(hello)
    site.client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    site.client_context.set_ciphers(cipher)
    client = site.client()
    assert client.get().body == b"hello"
    assert client.tls.cipher()[0] == cipher  # type: ignore[index]
    again = site.client(session=client.tls.session)
    assert again.tls.session_reused


def test_a_name_goes_before_the_longest_domain() -> None:
    contexts = {name: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for name in ("a.example", ".example", ".b.example")}
    choice = CertificateChoice(
        {"a.example": contexts["a.example"]}, {name: contexts[name] for name in (".example", ".b.example")}
    )
    assert choice.find("a.example") is contexts["a.example"]
    assert choice.find("x.a.example") is contexts[".example"]
    assert choice.find("x.b.example") is contexts[".b.example"]
    assert choice.find("b.example") is contexts[".b.example"]
    assert choice.find("example") is contexts[".example"]
    assert choice.find("other.org") is None
