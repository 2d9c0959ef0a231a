"""TLS by conf: certificates by host, renewal under load, what goes wrong, and the clients that people have."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.supervisor.report import Event
from tests.certificates import Made, make
from tests.functional.running import PID_APP, WAIT_S, Daemon, Master, Place, free_port, wait_for

AUTHORITY = make("authority.example", is_authority=True)
SERVER = "port = 0\nip = 127.0.0.1\nssl = yes\ncertfile = site.pem\nkeyfile = site.key\n"
ENV_APP = """
import json

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: each for name, each in environ.items() if isinstance(each, str)}).encode()]
"""


class Secured:
    """A place with certificates."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.cert = place.etc / "cert"
        self.cert.mkdir()
        self.put("site", "localhost", "127.0.0.1")
        (self.cert / "ca.pem").write_bytes(AUTHORITY.certificate)

    def put(self, name: str, *hosts: str, **how: Any) -> Made:
        made = make(*hosts, issuer=AUTHORITY, **how)
        for suffix, data in ((".key", made.key), (".pem", made.certificate)):
            fresh = self.cert / f"{name}.new"
            fresh.write_bytes(data)
            fresh.rename(self.cert / f"{name}{suffix}")
        return made


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    place = Place(tmp_path)
    place.app("app", PID_APP)
    return Secured(place)


@pytest.fixture
def start(secured: Secured) -> Iterator[Callable[[], Master]]:
    masters: list[Master] = []

    def begin() -> Master:
        master = Master(secured.place)
        masters.append(master)
        return master

    yield begin
    for master in masters:
        master.end()


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=AUTHORITY.certificate.decode())


class SecureClient:
    """One connection."""

    def __init__(
        self, address: str, name: str = "localhost", *, context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:  # fmt: skip
        host, _, port = address.rpartition(":")
        raw = socket.create_connection((host, int(port)), WAIT_S)
        self.tls = (context or client_context()).wrap_socket(raw, server_hostname=name, session=session)
        self.http = http.client.HTTPConnection(name)
        self.http.sock = self.tls

    def get(self, path: str = "/", **fields: str) -> tuple[int, dict[str, str], str]:
        self.http.request("GET", path, headers=fields)
        response = self.http.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read().decode()

    def serial(self) -> str:
        told: Any = self.tls.getpeercert()
        return str(int(told["serialNumber"], 16))

    def close(self) -> None:
        self.http.close()


def serial_at(address: str, name: str = "localhost") -> str:
    client = SecureClient(address, name)
    try:
        return client.serial()
    finally:
        client.close()


def test_a_site_by_tls(secured: Secured, start: Callable[[], Master]) -> None:
    """Several workers, certificates by host, plain requests sent on, sessions resumed whoever answers."""
    place = secured.place
    place.app("env", ENV_APP)
    shop = secured.put("shop", "shop.example", "*.shop.example")
    (place.etc / "pub").mkdir()
    content = os.urandom(1_500_000)
    (place.etc / "pub" / "big.bin").write_bytes(content)
    forward = free_port()
    place.site(
        f"{SERVER}processes = 2\nforward = {forward}\nhsts = 1d\n",
        routes="/ = ../../apps/app\n/env = ../../apps/env\n/pub = ../pub\n: .shop.example\n/ = ../../apps/app",
        more="[.shop.example]\ncertfile = shop.pem\nkeyfile = shop.key\n",
    )
    master = start().ready()
    [address] = master.addresses
    client = SecureClient(address)
    status, fields, _ = client.get()
    assert (status, fields["strict-transport-security"]) == (200, "max-age=86400")
    assert '"wsgi.url_scheme": "https"' in client.get("/env")[2]
    assert client.tls.version() == "TLSv1.3"
    client.close()

    assert serial_at(address, "www.shop.example") == str(shop.x509.serial_number)
    assert serial_at(address) != str(shop.x509.serial_number)

    plain = http.client.HTTPConnection("127.0.0.1", forward, timeout=WAIT_S)
    plain.request("GET", "/a?b=c")
    response = plain.getresponse()
    port = address.rpartition(":")[2]
    assert (response.status, response.getheader("location")) == (301, f"https://127.0.0.1:{port}/a?b=c")
    assert response.getheader("strict-transport-security") is None
    plain.close()

    context = client_context()
    answered: dict[str, int] = {}
    session: ssl.SSLSession | None = None
    for _ in range(200):
        client = SecureClient(address, context=context, session=session)
        pid = client.get()[2]
        answered[pid] = answered.get(pid, 0) + 1
        assert session is None or client.tls.session_reused
        session = client.tls.session
        client.close()
        if len(answered) == 2 and min(answered.values()) > 3:
            break
    assert len(answered) == 2

    got = subprocess.run(
        ["curl", "-s", "--cacert", str(secured.cert / "ca.pem"), f"https://{address}/pub/big.bin"],
        capture_output=True, check=True, timeout=WAIT_S,
    )  # fmt: skip
    assert got.stdout == content


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not there to look as a client does")
@pytest.mark.parametrize(("how", "is_served"), [
    (["-tls1_3"], True), (["-tls1_2"], True), (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], False),
    (["-tls1_2", "-cipher", "AES128-SHA"], False), (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], True),
])  # fmt: skip
def test_what_openssl_says(secured: Secured, start: Callable[[], Master], how: list[str], is_served: bool) -> None:
    secured.place.site(SERVER)
    address = start().ready().address
    done = subprocess.run(
        ["openssl", "s_client", "-connect", address, "-CAfile", str(secured.cert / "ca.pem"), "-alpn", "http/1.1",
         "-verify_return_error", *how],
        input="GET / HTTP/1.0\r\n\r\n", capture_output=True, text=True, check=False, timeout=WAIT_S,
    )  # fmt: skip
    assert ("Verify return code: 0 (ok)" in done.stdout and "ALPN protocol: http/1.1" in done.stdout) is is_served
    assert (done.returncode == 0) is is_served


def test_a_renewed_certificate_is_taken_while_requests_go_on(secured: Secured, start: Callable[[], Master]) -> None:
    secured.place.site(SERVER)
    master = start().ready()
    address = master.address
    before = serial_at(address)
    failures: list[str] = []
    answers: list[str] = []
    is_over = threading.Event()

    def ask(is_kept: bool) -> None:
        context = client_context()
        client: SecureClient | None = None
        while not is_over.is_set():
            try:
                client = client or SecureClient(address, context=context)
                status, fields, body = client.get()
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
                client = None
                continue
            (answers if status == 200 else failures).append(body)
            if not is_kept or fields.get("connection") == "close":
                client.close()
                client = None
        if client is not None:
            client.close()

    threads = [threading.Thread(target=ask, args=(is_kept,)) for is_kept in (True, False, False)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: answers or failures, "the first answer")
        for count in (1, 2):
            made = secured.put("site", "localhost")
            master.until(Event.RELOADED, count)
            assert serial_at(address) == str(made.x509.serial_number) != before
        wait_for(lambda: len(set(answers)) >= 3, "answers of the newest worker")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_a_certificate_that_can_t_be_served_stops_nobody(secured: Secured, start: Callable[[], Master]) -> None:
    secured.place.site(SERVER)
    master = start().ready()
    before = serial_at(master.address)
    good = (secured.cert / "site.key").read_bytes()
    (secured.cert / "site.key").write_bytes(AUTHORITY.key)
    wait_for(lambda: "the one before goes on" in secured.place.log("server"), "the complaint")
    assert "does not belong to the certificate" in secured.place.log("server")
    report = master.reload()
    assert report.event is Event.RELOAD_FAILED
    assert "does not belong to the certificate" in report.reason
    assert serial_at(master.address) == before
    (secured.cert / "site.key").write_bytes(good)
    assert master.reload().event is Event.RELOADED
    master.stop()

    secured.put("site", "localhost", days=(-9, -2))
    unfit = start()
    assert unfit.ended() == 2
    assert "has expired" in unfit.stderr


def test_a_plain_site_becomes_a_secure_one_by_a_reload(secured: Secured, start: Callable[[], Master]) -> None:
    """Its port stays open all the time, and leads to the new one."""
    port, secure = free_port(), free_port()
    secured.place.site(f"listen = 127.0.0.1:{port}\n")
    master = start().ready()
    assert master.addresses == (f"127.0.0.1:{port}",)
    secured.place.site(SERVER.replace("port = 0", f"port = {secure}") + f"forward = {port}\n")
    assert master.reload().event is Event.RELOADED
    assert master.addresses == (f"127.0.0.1:{secure}",)
    client = SecureClient(f"127.0.0.1:{secure}")
    assert client.get()[0] == 200
    client.close()
    plain = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    plain.request("GET", "/")
    assert plain.getresponse().getheader("location") == f"https://127.0.0.1:{secure}/"
    plain.close()


def test_the_daemon_tells_of_certificates_as_of_anything_in_a_conf(secured: Secured) -> None:
    daemon = Daemon(secured.place)
    secured.place.site(SERVER)
    good = (secured.cert / "site.pem").read_bytes()
    secured.put("site", "localhost", days=(-9, -2))
    expired = (secured.cert / "site.pem").read_bytes()
    try:
        refused = daemon("start")
        assert refused.returncode != 0
        assert "has expired" in refused.stdout + refused.stderr
        assert daemon("check").returncode == 2
        secured.put("site", "localhost")
        started = daemon("-f", "site", "start")
        assert started.returncode == 0, started.stderr
        assert "serves at https://" in started.stdout
        address = daemon.status()["site"]["address"]
        pid = daemon.status()["site"]["pid"]
        (secured.cert / "site.pem").write_bytes(expired)
        reload = daemon("-f", "site", "reload")
        assert reload.returncode != 0
        assert daemon.status()["site"]["pid"] == pid
        client = SecureClient(address)
        assert client.get()[0] == 200
        client.close()
        assert good != expired
    finally:
        daemon.end()


def test_clients_show_certificates(secured: Secured, start: Callable[[], Master], tmp_path: Path) -> None:
    secured.place.app("env", ENV_APP)
    secured.place.site(f"{SERVER}client_ca = ca.pem\n", routes="/ = ../../apps/env")
    address = start().ready().address
    context = client_context()
    context.load_cert_chain(*make("alice", issuer=AUTHORITY).write(tmp_path, "alice"))
    client = SecureClient(address, context=context)
    assert '"SSL_CLIENT_S_DN_CN": "alice"' in client.get()[2]
    client.close()
    stranger = client_context()
    stranger.load_cert_chain(*make("alice").write(tmp_path, "stranger"))
    for refused in (client_context(), stranger):
        client = SecureClient(address, context=refused)
        # With TLS 1.3 a client hears of it when it reads.
        with pytest.raises((OSError, http.client.HTTPException)):
            client.get()
        client.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there to speak HTTP/2")
@pytest.mark.parametrize(("line", "version"), [("", "2"), ("http2 = no\n", "1.1")])
def test_http_2_is_agreed_on(secured: Secured, start: Callable[[], Master], line: str, version: str) -> None:
    """For the site's own certificate and for that of a host."""
    place = secured.place
    place.app("env", ENV_APP)
    secured.put("shop", "shop.example")
    place.site(
        f"{SERVER}{line}",
        routes="/ = ../../apps/env\n: shop.example\n/ = ../../apps/env",
        more="[shop.example]\ncertfile = shop.pem\nkeyfile = shop.key\n",
    )
    port = start().ready().address.rpartition(":")[2]
    for host in ("localhost", "shop.example"):
        done = subprocess.run(
            ["curl", "-s", "-m", "20", "--cacert", str(secured.cert / "ca.pem"),
             "--resolve", f"{host}:{port}:127.0.0.1", "-w", " %{http_version}", f"https://{host}:{port}/"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        body, _, spoken = done.stdout.rpartition(" ")
        assert spoken == version
        assert f'"SERVER_PROTOCOL": "HTTP/{version}"' in body and '"wsgi.url_scheme": "https"' in body
