"""Engines that run in a thread of the test's own process, on loopback."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.handlers.router import HostTable, Route, RouteKind, Router
from skitaid.handlers.site import Site
from skitaid.handlers.wsgi.app import WsgiApp, WsgiSettings

PATIENCE_S = 20.0
"""How long anything may take on a busy machine before a test calls it lost."""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for `condition`."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.002)


@dataclass
class RunningEngine:
    """An engine, its loop's thread, and an app at its root. `failures` are what the app raised."""

    app: Any
    settings: EngineSettings
    socket: socket.socket = field(repr=False)
    failures: list[BaseException] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.address = self.socket.getsockname()
        site = Site(Router([]))
        self.engine = site.engine = Engine(self.settings, site, log=self.records.append)
        settings = WsgiSettings(
            io.StringIO(), lambda stream, error: self.failures.append(error),
            is_multithread=self.settings.threads > 1,
        )  # fmt: skip
        handler = WsgiApp(self.engine, self.app, settings)
        site.router = Router([HostTable((), [Route("", RouteKind.APP, handler)])])
        self.engine.listen(self.socket)
        self._thread = threading.Thread(target=self._run, name="loop")
        self._thread.start()

    def _run(self) -> None:
        self.engine.loop.run_forever()
        self.engine.close(PATIENCE_S)

    def on_loop(self, function: Callable[[], Any]) -> Any:
        """What `function()` gives on the loop thread."""
        results: list[Any] = []
        self.engine.portal.call(lambda: results.append(function()))
        until(lambda: results, "a call on the loop")
        return results[0]

    def connect(self) -> Wire:
        """A connection of a client's."""
        return Wire(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET, self.address)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.engine.loop.call_soon_threadsafe(self.engine.loop.stop)
            self._thread.join(PATIENCE_S * 2)
        assert not self._thread.is_alive(), "the loop does not end"
        self.socket.close()


class Wire:
    """A client's end: blocking, with a time limit on everything."""

    def __init__(self, family: int, address: Any) -> None:
        self.socket = socket.socket(family)
        self.socket.settimeout(PATIENCE_S)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Code, fields in lower case and body of the next response."""
        status = self._file.readline()
        assert status.startswith(b"HTTP/1.1 "), f"no response but {status!r}"
        fields = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        return int(status.split()[1]), fields, self._body(fields) if method != "HEAD" else b""

    def _body(self, fields: dict[str, str]) -> bytes:
        if "content-length" in fields:
            return self._file.read(int(fields["content-length"]))
        if fields.get("transfer-encoding") != "chunked":
            return self._file.read()
        pieces = []
        while size := int(self._file.readline(), 16):
            pieces.append(self._file.read(size))
            assert self._file.readline() == b"\r\n"
        assert self._file.readline() == b"\r\n"
        return b"".join(pieces)

    def get(self, path: str = "/", *fields: str) -> tuple[int, dict[str, str], bytes]:
        self.send(request(path, *fields))
        return self.reply()

    def end(self) -> bytes:
        """Everything until the server closes."""
        return self._file.read()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def request(path: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request; a body brings its Content-Length with it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
