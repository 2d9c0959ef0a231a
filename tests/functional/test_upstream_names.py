"""Names whose addresses change, and name servers that fail, while calls are made."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from skitaid.upstream.resolver import Resolver
from skitaid.upstream.settings import MemberSettings
from tests.functional.callers import Callers, callers
from tests.functional.engines import until
from tests.functional.running import free_port

__all__ = ["callers"]


@contextmanager
def server(name: bytes) -> Iterator[int]:
    """Says its name and closes; its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(name) + name)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield listener.server_address[1]
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """Where the system's resolver leads: a port on this machine for each name, None for one that it fails for."""
    names: dict[str, int | None] = {}
    real = socket.getaddrinfo

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        if host not in names or kwargs.get("flags"):
            return real(host, *args, **kwargs)
        port = names[host]
        if port is None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return names


def with_resolver(callers: Callers, refresh_s: float) -> None:
    context = callers.upstreams._context
    context.resolver = Resolver(callers.engine.portal, clock=lambda: callers.engine.now, refresh_s=refresh_s)


def test_a_name_that_moves_is_followed(callers: Callers, names: dict[str, int | None]) -> None:
    with server(b"old") as old, server(b"new") as new:
        with_resolver(callers, 0.1)
        cluster = callers.cluster(MemberSettings("moves.test", 80))
        names["moves.test"] = old
        assert callers.fetch(cluster).body == b"old"
        names["moves.test"] = new
        until(lambda: callers.fetch(cluster).body == b"new", "the new address is asked")
        assert callers.fetch(cluster).body == b"new"


def test_calls_go_on_while_name_servers_fail(callers: Callers, names: dict[str, int | None]) -> None:
    with server(b"ok") as port:
        with_resolver(callers, 0.01)
        cluster = callers.cluster(MemberSettings("stays.test", 80))
        names["stays.test"] = port
        assert callers.fetch(cluster).body == b"ok"
        names["stays.test"] = None
        started = callers.engine.now
        while callers.engine.now < started + 0.5:
            assert callers.fetch(cluster).body == b"ok"


def test_a_name_that_nobody_knows(callers: Callers, names: dict[str, int | None]) -> None:
    names["nowhere.test"] = None
    heard = callers.fetch(callers.cluster(MemberSettings("nowhere.test", free_port())))
    assert heard.failure == "UNRESOLVED"
    assert "nowhere.test: Temporary failure in name resolution" in str(heard.error)
