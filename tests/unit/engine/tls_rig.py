"""A rig whose listener speaks TLS, and clients of it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine.listener import Listener
from skitaid.engine.tls import TlsServer
from skitaid.engine.tls_context import server_context as server_context_of
from tests.certificates import Made, make
from tests.unit.engine.rig import Reply, Rig, parse_reply, request_bytes

__all__ = ["Site", "TlsClient", "authority", "client_context", "server_context", "server_files", "site"]


@pytest.fixture(scope="module")
def authority() -> Made:
    return make("authority.example", is_authority=True)


@pytest.fixture(scope="module")
def server_files(tmp_path_factory: pytest.TempPathFactory, authority: Made) -> tuple[Path, Path]:
    return make("localhost", issuer=authority).write(tmp_path_factory.mktemp("server"), "server")


@pytest.fixture
def server_context(server_files: tuple[Path, Path]) -> ssl.SSLContext:
    context = server_context_of()
    context.load_cert_chain(*server_files)
    return context


@pytest.fixture
def client_context(authority: Made) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.certificate.decode())
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context


class Site:
    """A rig whose listener speaks TLS, and clients of it."""

    def __init__(self, rig: Rig, server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
        self.rig = rig
        self.client_context = client_context
        self.sockets: list[socket.socket] = [socket.create_server(("127.0.0.1", 0))]
        self.listen(TlsServer(server_context))

    def listen(self, server: TlsServer) -> None:
        """What is dialled from now on meets `server`."""
        self.listener = Listener(self.rig.engine, self.sockets[0], server)

    def dial(self, *, send_buffer: int | None = None) -> socket.socket:
        """The client's end of a connection on which nothing is said yet."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        if send_buffer is not None:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.rig.engine.accepted(self.listener, theirs, ("192.0.2.7", "40000"))
        self.sockets.append(ours)
        return ours

    def client(self, *, send_buffer: int | None = None, session: ssl.SSLSession | None = None) -> TlsClient:
        client = TlsClient(self, self.dial(send_buffer=send_buffer), session)
        client.shake_hands()
        return client

    @property
    def accepted(self) -> list[Any]:
        return list(self.rig.engine._connections)

    def close(self) -> None:
        for each in self.sockets:
            each.close()


class TlsClient:
    def __init__(self, site: Site, raw: socket.socket, session: ssl.SSLSession | None = None) -> None:
        self.rig = site.rig
        self.raw = raw
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = site.client_context.wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost", session=session
        )
        self.received = b""
        self.is_raw_end = False
        self.end_seen = ""

    def pump(self) -> None:
        """Carry bytes both ways, as far as they go."""
        data = self.outgoing.read()
        while data:
            try:
                data = data[self.raw.send(data) :]
            except BlockingIOError:
                self.rig.turn()
        try:
            data = self.raw.recv(1 << 20)
        except BlockingIOError:
            return
        except ConnectionError:
            self.end_seen = self.end_seen or "reset"
            return
        if data:
            self.incoming.write(data)
        elif not self.is_raw_end:
            self.is_raw_end = True
            self.incoming.write_eof()

    def shake_hands(self) -> None:
        self.drive(self.tls.do_handshake)

    def drive(self, step: Callable[[], Any]) -> Any:
        """What `step` gives when it no longer wants to read."""
        found: list[Any] = []

        def is_done() -> bool:
            try:
                found.append(step())
            except ssl.SSLWantReadError:
                self.pump()
                return bool(self.end_seen)
            self.pump()
            return True

        self.rig.until(is_done)
        return found[0] if found else None

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self.pump()

    def take(self) -> None:
        """What is there to be read."""
        self.pump()
        while not self.end_seen:
            try:
                data = self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                return
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as error:
                self.end_seen = "goodbye" if isinstance(error, ssl.SSLZeroReturnError) else "cut"
                return
            if not data:
                self.end_seen = "goodbye"
            self.received += data

    def reply(self, method: str = "GET") -> Reply:
        found: list[tuple[Reply, bytes]] = []

        def is_there() -> bool:
            self.take()
            parsed = parse_reply(self.received, method, is_end=bool(self.end_seen))
            if parsed is not None:
                found.append(parsed)
            return parsed is not None or bool(self.end_seen)

        self.rig.until(is_there)
        assert found, f"the connection ended ({self.end_seen}) after {self.received!r}"
        reply, self.received = found[0]
        return reply

    def get(self, path: str = "/", *fields: str) -> Reply:
        self.send(request_bytes(path, *fields))
        return self.reply()

    def end(self) -> str:
        """How the connection ends."""

        def is_there() -> bool:
            self.take()
            return bool(self.end_seen)

        self.rig.until(is_there)
        return self.end_seen


@pytest.fixture
def site(rig: Rig, server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> Iterator[Site]:
    site = Site(rig, server_context, client_context)
    yield site
    site.close()
