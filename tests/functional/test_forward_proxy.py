"""The forward proxy over real sockets: curl and tunnels, and names that change their address."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from skitaid.config.model import ForwardProxy as ForwardConf
from skitaid.config.model import Instance
from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.handlers.router import Router
from skitaid.handlers.site import Site
from skitaid.instance.forwarding import make_forward_proxy
from skitaid.upstream.resolver import Address
from tests.functional.engines import PATIENCE_S, Wire, until
from tests.functional.running import Client, Master, Place
from tests.functional.test_upstream import certificate

__all__ = ["certificate"]


class Forwarding:
    """A forward proxy on an engine that runs in a thread of the test's own process."""

    def __init__(self, **conf: Any) -> None:
        self.records: list[Any] = []
        site = Site(Router([]))
        self.engine = site.engine = Engine(EngineSettings(threads=0), site, log=self.records.append)
        instance = Instance("site", Path("site.conf"), forward_proxy=ForwardConf(**conf))
        self.engine.handler, self.upstreams = make_forward_proxy(self.engine, site, instance)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self.engine.listen(self._listener)
        self._thread = threading.Thread(target=self._run, name="loop")
        self._thread.start()

    def _run(self) -> None:
        self.engine.loop.run_forever()
        self.upstreams.close()
        self.engine.close(PATIENCE_S)

    def connect(self) -> Wire:
        return Wire(socket.AF_INET, ("127.0.0.1", self.port))

    def __enter__(self) -> Forwarding:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.loop.call_soon_threadsafe(self.engine.loop.stop)
        self._thread.join(PATIENCE_S * 2)
        assert not self._thread.is_alive(), "the loop does not end"
        self._listener.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.path} for {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextlib.contextmanager
def serving(certificate: Path | None = None) -> Iterator[int]:
    """A web server, by https if there is a certificate; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(PATIENCE_S)
        server.server_close()


def curl(proxy: Forwarding, *arguments: str) -> str:
    """What curl prints: the status of the proxy's answer to CONNECT, that of the response, and its body."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    through = f"http://127.0.0.1:{proxy.port}"
    command = ["curl", "-s", "--noproxy", "", "-x", through, "-w", " %{http_connect} %{http_code}"]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    ).stdout


LOCAL = ("127.0.0.0/8",)


def test_curl(certificate: Path) -> None:
    with serving() as port, serving(certificate) as tls_port:
        with Forwarding(allow_targets=LOCAL, connect_ports=(tls_port, port)) as proxy:
            url = f"127.0.0.1:{port}"
            assert curl(proxy, f"http://{url}/a?b") == f"/a?b for {url} 000 200"
            assert curl(proxy, "-p", f"http://{url}/a?b") == f"/a?b for {url} 200 200"
            tls = curl(proxy, "--cacert", str(certificate), f"https://localhost:{tls_port}/x")
            assert tls == f"/x for localhost:{tls_port} 200 200"
            assert curl(proxy, "-p", "http://127.0.0.1:1/") == " 403 000"
        with Forwarding(connect_ports=None) as proxy:
            assert curl(proxy, f"http://{url}/").endswith("This proxy does not lead there.\n 000 403")
            assert curl(proxy, f"https://localhost:{tls_port}/") == " 403 000"
        with Forwarding(allow_targets=LOCAL, users=(("anna", "s:cret"),)) as proxy:
            assert curl(proxy, f"http://{url}/").endswith(" 000 407")
            assert curl(proxy, "-U", "anna:s:cret", f"http://{url}/").endswith(" 000 200")


def tunnel(proxy: Forwarding, port: int, early: bytes = b"") -> Wire:
    wire = proxy.connect()
    wire.send(f"CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode() + early)
    assert wire._file.readline() == b"HTTP/1.1 200 Connection Established\r\n"
    assert wire._file.readline() == b"\r\n"
    return wire


def test_a_tunnel_carries_anything_and_passes_each_end_on() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with Forwarding(allow_targets=LOCAL, connect_ports=None) as proxy, listener:
        wire = tunnel(proxy, port, early=b"early ")
        far = listener.accept()[0]
        far.settimeout(PATIENCE_S)
        wire.send(b"\0\xff" * 500_000)
        wire.socket.shutdown(socket.SHUT_WR)
        got = b""
        while data := far.recv(1 << 20):
            got += data
        assert got == b"early " + b"\0\xff" * 500_000
        far.sendall(b"SSH-2.0\r\n" * 100_000)
        far.close()
        assert wire.end() == b"SSH-2.0\r\n" * 100_000
        wire.close()
        until(lambda: proxy.records, "the line in the log")
        assert (proxy.records[0][3], proxy.records[0][7], proxy.records[0][8]) == ("CONNECT", 200, 900_000)
        until(lambda: not proxy.engine.connection_count, "the end of the connection")


def test_a_tunnel_in_which_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with Forwarding(allow_targets=LOCAL, connect_ports=None, tunnel_s=0.1) as proxy, listener:
        wire = tunnel(proxy, listener.getsockname()[1])
        assert wire.end() == b""
        wire.close()


def test_nobody_is_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        with Forwarding(allow_targets=LOCAL, connect_ports=None) as proxy:
            wire = proxy.connect()
            wire.send(f"CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
            assert wire.reply()[0] == 502
            wire.close()


def test_a_client_that_leaves_before_its_tunnel_is_made() -> None:
    """Nothing is left of it: no connection, no attempt."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            with Forwarding(allow_targets=LOCAL, connect_ports=None) as proxy:
                wire = proxy.connect()
                wire.send(f"CONNECT localhost:{port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                until(lambda: proxy.engine.connection_count, "the connection")
                wire.close()
                until(lambda: not proxy.engine.connection_count, "the end of the connection")
                assert proxy.records[0][7] == 499


class Names:
    """A name server that tells something else each time."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int) -> tuple[Address, ...]:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return tuple(Address(socket.AF_INET, (address, port)) for address in answer.split())


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_a_name_that_stands_for_this_machine_leads_nowhere(method: str) -> None:
    """However often it is asked, and whatever else it stands for."""
    with serving() as port, Forwarding(connect_ports=None) as proxy:
        resolver = proxy.upstreams._context.resolver
        names = resolver._look_up = Names("127.0.0.1", "192.0.2.1 127.0.0.1", "127.0.0.1")
        resolver._refresh_s = 0.0
        target = f"evil.example:{port}" if method == "CONNECT" else f"http://evil.example:{port}/"
        for _ in range(4):
            wire = proxy.connect()
            wire.send(f"{method} {target} HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n".encode())
            assert wire.reply()[0] == 403
            wire.close()
        assert names.asked


def test_by_conf(tmp_path: Path) -> None:
    """The site stays what it is beside it."""
    place = Place(tmp_path)
    place.answer("own")
    with serving() as port:
        proxy = f"[proxy]\nenable_proxy = yes\nallow_targets = {LOCAL[0]}\n"
        place.site(routes=": www.own.example\n/ = ../../apps/app", more=proxy)
        master = Master(place)
        try:
            address = master.ready().address
            assert text_of(address, f"http://127.0.0.1:{port}/x") == f"/x for 127.0.0.1:{port}"
            assert text_of(address, "http://www.own.example/x") == "own"
            assert text_of(address, f"http://127.0.0.1:{port}/y") == f"/y for 127.0.0.1:{port}"
            assert master.stop() == 0
        finally:
            master.end()
        assert f"GET http://127.0.0.1:{port}/x HTTP/1.1 0 200" in place.log("request")


def text_of(address: str, target: str) -> str:
    client = Client(address)
    try:
        return client.get(target)[1]
    finally:
        client.close()
