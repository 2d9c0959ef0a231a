"""An engine turned by hand: its clients are socket pairs, its clock stands still, and nothing happens but in a turn."""

from __future__ import annotations

import http.client
import io
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from skitaid.engine.http1_connection import Http1Connection
from skitaid.engine.listener import Listener
from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.engine.stream import Stream
from skitaid.engine.timeouts import Timeouts
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.router import HostTable, Route, RouteKind, Router
from skitaid.handlers.site import Site
from skitaid.handlers.static.folder import StaticFolder, StaticSettings
from skitaid.handlers.wsgi.app import WsgiApp, WsgiSettings

PATIENCE_S = 20.0
"""How long anything may take on a busy machine before a test calls it lost."""


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Reply:
    """A response as a client understood it. `is_whole` is false when the connection ended before the body did."""

    code: int
    fields: list[tuple[str, str]]
    body: bytes
    is_whole: bool = True

    def get(self, name: str) -> str | None:
        """The field's value; fails when it is there twice."""
        found = [value for key, value in self.fields if key.lower() == name.lower()]
        assert len(found) < 2, f"{name} is there {len(found)} times"
        return found[0] if found else None


class _Bytes:
    """Enough of a socket for http.client to read a response from."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def makefile(self, _mode: str) -> io.BytesIO:
        return self.file


class _Unclosed(io.BytesIO):
    """http.client closes the file at the end of a response; where it stands is still asked for."""

    def close(self) -> None:
        """Stays open."""


def parse_reply(data: bytes, method: str = "GET", *, is_end: bool = False) -> tuple[Reply, bytes] | None:
    """The first response in `data` and what follows it; None when more has to come. Read by http.client, which
    shares no code with the engine."""
    if b"\r\n\r\n" not in data:
        return None
    source = _Bytes(b"")
    source.file = _Unclosed(data)
    response = http.client.HTTPResponse(source, method=method)  # type: ignore[arg-type]
    is_whole = True
    try:
        response.begin()
        until_end = response.length is None and not response.chunked and method != "HEAD"
        body = response.read()
    except http.client.IncompleteRead as error:
        if not is_end:
            return None
        body, is_whole, until_end = error.partial, False, False
    if until_end and not is_end:
        return None
    rest = data[source.file.tell() :]
    return Reply(response.status, response.getheaders(), body, is_whole), rest


@dataclass
class Client:
    """The other end of a connection of the rig."""

    rig: Rig
    socket: socket.socket
    connection: Http1Connection
    received: bytes = b""
    is_ended: bool = False
    is_reset: bool = False

    def send(self, data: bytes) -> None:
        """Send all of `data`, turning the engine whenever the socket is full."""
        view = memoryview(data)
        deadline = time.monotonic() + PATIENCE_S
        while view:
            assert time.monotonic() < deadline, "the engine does not read"
            try:
                view = view[self.socket.send(view) :]
            except BlockingIOError:
                self.rig.turn()

    def take(self, limit: int = 1 << 20) -> bytes:
        """What is there to be read, at most `limit` bytes."""
        try:
            data = self.socket.recv(limit)
        except BlockingIOError:
            return b""
        except ConnectionError:
            self.is_reset = self.is_ended = True
            return b""
        if not data:
            self.is_ended = True
        self.received += data
        return data

    def reply(self, method: str = "GET") -> Reply:
        """The next response."""
        found: list[tuple[Reply, bytes]] = []

        def is_there() -> bool:
            self.take()
            parsed = parse_reply(self.received, method, is_end=self.is_ended)
            if parsed is not None:
                found.append(parsed)
            return parsed is not None or self.is_ended

        self.rig.until(is_there)
        assert found, f"the connection ended after {self.received!r}"
        reply, self.received = found[0]
        return reply

    def ask(self, request: bytes) -> Reply:
        """Send a request and get its response."""
        self.send(request)
        return self.reply(request.partition(b" ")[0].decode())

    def get(self, path: str = "/", *fields: str, method: str = "GET") -> Reply:
        """Ask for `path`."""
        return self.ask(request_bytes(path, *fields, method=method))

    def end(self) -> bytes:
        """Everything until the engine closes the connection."""

        def is_there() -> bool:
            self.take()
            return self.is_ended

        self.rig.until(is_there)
        return self.received

    @property
    def is_closed(self) -> bool:
        """Whether the engine forgot this connection."""
        return self.connection not in self.rig.engine._connections

    def close(self) -> None:
        self.socket.close()


def request_bytes(path: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request; a body brings its Content-Length with it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class Rig:
    """`records` is what the request log was told, `failures` what apps raised."""

    settings: EngineSettings
    clock: Clock = field(default_factory=Clock)
    records: list[Any] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.site = Site(Router([]))
        self.engine = Engine(self.settings, self.site, log=self.records.append, clock=self.clock)
        self.site.engine = self.engine
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.listener = Listener(self.engine, self.socket)
        self._clients: list[Client] = []

    # ------------------------------------------------------------ what is served

    def app(self, app: Any, path: str = "", *, max_body_bytes: int | None = None) -> WsgiApp:
        """Mount a WSGI app."""
        settings = WsgiSettings(io.StringIO(), self._note_failure, bodies=BodyRules.of(max_body_bytes))
        handler = WsgiApp(self.engine, app, settings)
        self.mount(Route(path, RouteKind.APP, handler))
        return handler

    def folder(self, root: str, path: str = "", **settings: Any) -> StaticFolder:
        """Mount a folder of files."""
        handler = StaticFolder(self.engine, root, StaticSettings(**settings))
        self.mount(Route(path, RouteKind.STATIC, handler))
        return handler

    def handler(self, serve: Callable[[Stream], None], path: str = "") -> None:
        """Mount a function that answers on the loop."""

        class Handler:
            def serve(self, stream: Stream, route: Route) -> bool:
                serve(stream)
                return True

        self.mount(Route(path, RouteKind.APP, Handler()))

    def mount(self, route: Route) -> None:
        self.routes.append(route)
        self.site.router = Router([HostTable((), self.routes)])

    # ------------------------------------------------------------ time and turns

    def client(self, *, send_buffer: int | None = None) -> Client:
        """A connection. `send_buffer`: bytes that the kernel takes from the engine before it calls the socket full."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        if send_buffer is not None:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        connection = self.engine.accepted(self.listener, theirs, ("192.0.2.7", "40000"))
        assert isinstance(connection, Http1Connection)
        client = Client(self, ours, connection)
        self._clients.append(client)
        return client

    def turn(self, count: int = 1) -> None:
        """Serve what is ready now."""
        for _ in range(count):
            self.engine.selector.select(0.001)

    def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Turn until `condition`."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"did not happen within {PATIENCE_S:g} s: {what or condition}"
            self.turn()

    def settle(self) -> None:
        """Turn until nothing is ready any more."""
        for _ in range(1000):
            if not select.select([self.engine.selector.fileno()], [], [], 0)[0]:
                return
            self.engine.selector.select(0)
        raise AssertionError("the engine does not come to rest: it spins")

    def advance(self, seconds: float) -> None:
        """Let time pass, with a tick every second as the engine has it. What was sent before came in before."""
        self.settle()
        while seconds > 0:
            step = min(1.0, seconds)
            self.clock.now += step
            seconds -= step
            self.turn(2)

    def close(self) -> None:
        for client in self._clients:
            client.close()
            stream = client.connection.stream
            if stream is not None and not stream.is_on_loop:
                # Held by the test in the place of an app thread.
                client.connection.abandon(stream)
        if not self.engine.loop.is_closed():
            self.turn(3)
        self.engine.close(PATIENCE_S)
        self.socket.close()

    def _note_failure(self, stream: Stream, error: BaseException) -> None:
        self.failures.append(error)


MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig() -> Iterator[MakeRig]:
    """Makes rigs: threads=0, queue_limit=1000, is_unlogged, and any time-out of `Timeouts`."""
    rigs: list[Rig] = []

    def make(
        *, threads: int = 0, queue_limit: int = 1000, is_unlogged: Callable[[str], bool] | None = None,
        **timeouts: float,
    ) -> Rig:  # fmt: skip
        rig = Rig(EngineSettings(threads, queue_limit, Timeouts(**timeouts), is_unlogged=is_unlogged))
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """A rig without app threads: everything happens in the test's own thread."""
    return make_rig()


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The least app."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
