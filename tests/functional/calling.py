"""A worker that calls others, in the test's own process, and servers for it to call, all on loopback."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.handlers.router import Router
from skitaid.handlers.site import Site
from skitaid.upstream.settings import ClusterSettings, HttpVersion, MemberSettings, TlsSettings
from skitaid.upstream.upstreams import OriginSettings, Upstreams
from skitaid.was import worker as workers
from skitaid.was.worker import Controls, Worker
from tests.functional.engines import PATIENCE_S, until

Address = tuple[str, int]


@contextlib.contextmanager
def calling(
    folder: Path,
    aliases: Mapping[str, list[Address]] | None = None,
    *,
    ca: str | None = None,
    version: HttpVersion = HttpVersion.ANY,
) -> Iterator[Worker]:
    """The loop of a worker in a thread; `was` works in the thread of the test."""
    aliases = aliases or {}
    site = Site(Router([]))
    engine = site.engine = Engine(EngineSettings(threads=2), site, log=lambda record: None)
    settings = {
        name: ClusterSettings(name, tuple(MemberSettings(*address) for address in members), version=version)
        for name, members in aliases.items()
    }
    upstreams = Upstreams(engine, settings, origins=OriginSettings(tls=TlsSettings(ca=ca)))
    ready = threading.Event()

    def run() -> None:
        engine.loop.call_soon(ready.set)
        engine.loop.run_forever()
        upstreams.close()
        engine.close(PATIENCE_S)

    thread = threading.Thread(target=run, name="loop")
    thread.start()
    assert ready.wait(PATIENCE_S)
    controls = Controls(lambda *_: None, lambda *_: None, lambda: None, lambda: None)
    sizes = {name: len(members) for name, members in aliases.items()}
    ident = thread.ident
    assert ident is not None
    worker = Worker(engine, lambda: upstreams, folder, controls, aliases=sizes, loop_ident=ident)
    workers.install(worker)
    try:
        yield worker
    finally:
        workers.install(None)
        worker.end()
        engine.loop.call_soon_threadsafe(engine.loop.stop)
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the loop does not end"


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[Address]:
    """`handle` is called with each connection, in a thread of its own; it is closed afterwards."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(PATIENCE_S)
            with contextlib.suppress(OSError):
                handle(self.request)

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address  # type: ignore[misc]
        finally:
            server.shutdown()
            thread.join(PATIENCE_S)


@dataclass
class Request:
    """What a backend got."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Respond = Callable[[Request], bytes]


def response(status: int = 200, body: bytes = b"", **fields: str) -> bytes:
    """A whole response; `content_type` becomes Content-Type."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body


@dataclass
class Backend:
    """An HTTP server that keeps connections open and notes what it got."""

    respond: Respond
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def handle(self, connection: socket.socket) -> None:
        self.connections += 1
        file = connection.makefile("rb")
        with file:
            while (request := read_request(file)) is not None:
                self.requests.append(request)
                answer = self.respond(request)
                if not answer:
                    return
                connection.sendall(answer)


def read_request(file: Any) -> Request | None:
    """None at the end of the connection."""
    line = file.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split()
    fields = {}
    while line := file.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.lower()] = value.strip()
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(file.readline(), 16):
            body += file.read(size)
            file.readline()
        file.readline()
    else:
        body = file.read(int(fields.get("content-length", 0)))
    return Request(method, target, fields, body)


@contextlib.contextmanager
def backend(respond: Respond) -> Iterator[tuple[Backend, str]]:
    """A backend and its URL."""
    found = Backend(respond)
    with serving(found.handle) as (host, port):
        yield found, f"http://{host}:{port}"


__all__ = [
    "Address", "Backend", "Request", "backend", "calling", "read_request", "response", "serving", "until",
]  # fmt: skip
