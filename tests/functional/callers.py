"""Clusters on an engine that runs in a thread of the test's own process, and servers that misbehave when told to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.handlers.router import Router
from skitaid.handlers.site import Site
from skitaid.upstream.call import Call, CallTimeouts
from skitaid.upstream.cluster import Cluster
from skitaid.upstream.settings import ClusterSettings, MemberSettings
from skitaid.upstream.upstreams import Upstreams
from tests.functional.engines import PATIENCE_S, until
from tests.unit.upstream.scene import Heard

RESET = struct.pack("ii", 1, 0)


class Callers:
    """An engine with nothing but calls to others. `reports` are what is said of members."""

    def __init__(self) -> None:
        self.engine = Engine(EngineSettings(threads=0), Site(Router([])))
        self.reports: list[str] = []
        self._clusters: list[Cluster] = []
        self.upstreams = Upstreams(self.engine, {}, report=self.reports.append)
        self._thread = threading.Thread(target=self.engine.loop.run_forever, name="loop")
        self._thread.start()

    def on_loop(self, function: Callable[[], Any]) -> Any:
        """What `function()` gives, or raises, on the loop thread."""
        results: list[Any] = []

        def call() -> None:
            try:
                results.append((function(), None))
            except Exception as error:  # noqa: BLE001  # raised again in the thread that asked
                results.append((None, error))

        self.engine.portal.call(call)
        until(lambda: results, "a call on the loop")
        value, error = results[0]
        if error is not None:
            raise error
        return value

    def cluster(self, *members: MemberSettings, **settings: Any) -> Cluster:
        self._clusters.append(Cluster(ClusterSettings("test", members, **settings), self.upstreams._context))
        return self._clusters[-1]

    def fetch(self, cluster: Cluster, **parts: Any) -> Heard:
        """What comes of a call, GET / if nothing else is said, when it is over."""
        heard = Heard()
        call = Call(**({"method": "GET", "target": b"/", "timeouts": CallTimeouts(stall_s=PATIENCE_S)} | parts))
        self.on_loop(lambda: cluster.request(call, heard))
        until(lambda: heard.error or (heard.told and heard.told[-1] == "end"), f"the end of a call, after {heard.told}")
        return heard

    def close(self) -> None:
        self.engine.loop.call_soon_threadsafe(self.engine.loop.stop)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the loop does not end"
        for cluster in self._clusters:
            cluster.close()
        self.upstreams.close()
        self.engine.close(0)


@pytest.fixture
def callers() -> Iterator[Callers]:
    callers = Callers()
    yield callers
    callers.close()


class Rogue:
    """A server that serves each connection, one after the other, by the next of `acts`: what it sends once it was sent
    a head, and how it ends: "keep" (it reads on), "close", "reset". `heads` are the heads it was sent."""

    def __init__(self, *acts: tuple[bytes, str], host: str = "127.0.0.1") -> None:
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._acts = list(acts)
        self._open: list[socket.socket] = []
        self.heads: list[bytes] = []
        host, port = self._listener.getsockname()[:2]
        self.member = MemberSettings(host, port)
        self._thread = threading.Thread(target=self._run, name="rogue", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for answer, ending in self._acts:
            # Whoever calls may go, and so may the test.
            with contextlib.suppress(OSError):
                self._serve(answer, ending)

    def _serve(self, answer: bytes, ending: str) -> None:
        sock, _ = self._listener.accept()
        self._open.append(sock)
        sock.settimeout(PATIENCE_S)
        head = b""
        while b"\r\n\r\n" not in head and (data := sock.recv(65536)):
            head += data
        self.heads.append(head)
        with contextlib.suppress(OSError):
            sock.sendall(answer)
        if ending == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if ending != "keep":
            sock.close()

    def close(self) -> None:
        # Whoever waits there for a connection waits no longer.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_S)
        self._listener.close()
        # Now there can be no more of them.
        for sock in self._open:
            sock.close()
