"""What an ASGI app is told of a request."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine.listener import Listener
from skitaid.handlers.router import route_path
from tests.unit.engine.rig import request_bytes
from tests.unit.handlers.asgi.rig import AsgiRig, Receive, Send, answer


class Seen:
    """An app that keeps its scopes."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        await answer(send)


@pytest.fixture
def seen() -> Seen:
    return Seen()


def scope_of(asgi: AsgiRig, seen: Seen, request: bytes, path: str = "") -> dict[str, Any]:
    asgi.asgi(seen, path)
    assert asgi.client().ask(request).code == 200
    return seen.scopes[-1]


def test_the_whole_scope(asgi: AsgiRig, seen: Seen) -> None:
    request = request_bytes("/a%20b/%C3%A9?x=%20&y", "X-One: 1", "ACCEPT: a", "accept: b")
    scope = scope_of(asgi, seen, request)
    gtxnid = dict(scope["headers"])[b"x-gtxn-id"]
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a b/é",
        "raw_path": b"/a%20b/%C3%A9",
        "query_string": b"x=%20&y",
        "root_path": "",
        "headers": [
            (b"host", b"localhost"), (b"x-one", b"1"), (b"accept", b"a"), (b"accept", b"b"),
            (b"x-gtxn-id", gtxnid), (b"x-ltxn-id", b"1000"),
        ],
        "client": ("192.0.2.7", 40000),
        "server": ("127.0.0.1", asgi.socket.getsockname()[1]),
        "state": {},
        "extensions": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/", ("/", b"/", b"")),
        ("/?", ("/", b"/", b"")),
        ("/a//b/", ("/a//b/", b"/a//b/", b"")),
        ("/%e4%BD%a0", ("/你", b"/%e4%BD%a0", b"")),
        ("/%ff-%c3", ("/\ufffd-\ufffd", b"/%ff-%c3", b"")),
        ("/100%", ("/100%", b"/100%", b"")),
        ("/%2Fa%3Fb", ("//a?b", b"/%2Fa%3Fb", b"")),
        ("/a?b?c=/d%2F", ("/a", b"/a", b"b?c=/d%2F")),
        ("http://other.example:81/a%20?b", ("/a ", b"/a%20", b"b")),
        ("http://other.example", ("/", b"/", b"")),
    ],
)
def test_paths(asgi: AsgiRig, seen: Seen, target: str, parts: tuple[str, bytes, bytes]) -> None:
    scope = scope_of(asgi, seen, request_bytes(target))
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == parts


@pytest.mark.parametrize("target", ["/shop", "/shop/", "/shop/a/b"])
def test_path_holds_the_mount_point(asgi: AsgiRig, seen: Seen, target: str) -> None:
    scope = scope_of(asgi, seen, request_bytes(target), "/shop")
    assert (scope["root_path"], scope["path"]) == ("/shop", target)


def test_a_mount_point_beyond_ascii(asgi: AsgiRig, seen: Seen) -> None:
    scope = scope_of(asgi, seen, request_bytes("/k%C3%A4se/%C3%A9"), route_path("/käse"))
    assert (scope["root_path"], scope["path"]) == ("/käse", "/käse/é")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "OPTIONS", "brew"])
def test_method_as_it_came(asgi: AsgiRig, seen: Seen, method: str) -> None:
    assert scope_of(asgi, seen, request_bytes(method=method))["method"] == method


def test_http_1_0(asgi: AsgiRig, seen: Seen) -> None:
    assert scope_of(asgi, seen, b"GET / HTTP/1.0\r\n\r\n")["http_version"] == "1.0"
    assert scope_of(asgi, seen, request_bytes())["http_version"] == "1.1"


def test_what_an_app_writes_to_its_scope_is_its_own(asgi: AsgiRig, seen: Seen) -> None:
    handler = asgi.asgi(seen)
    handler.state["pool"] = pool = object()
    client = asgi.client()
    client.get()
    first = seen.scopes[0]
    before = {key: value.copy() if isinstance(value, (dict, list)) else value for key, value in first.items()}
    first["headers"].append((b"x-evil", b"1"))
    first["asgi"]["version"] = "2.0"
    first["extensions"]["evil"] = {}
    first["state"]["mine"] = 1
    first["path"] = first["method"] = "evil"
    first["more"] = 1
    client.get()
    second = seen.scopes[1]
    assert second["state"] == {"pool": pool}
    assert second["headers"].pop(-2)[0] == before["headers"].pop(-2)[0] == b"x-gtxn-id"
    assert second == before


def test_over_a_unix_socket(asgi: AsgiRig, seen: Seen, tmp_path: Path) -> None:
    path = os.path.relpath(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()
        asgi.listener = Listener(asgi.engine, sock)
        asgi.asgi(seen)
        client = asgi.client()
        client.connection.client_address = None
        client.get()
    assert seen.scopes[0]["server"] == (path, None)
    assert seen.scopes[0]["client"] is None
