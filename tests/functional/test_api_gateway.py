"""A real master whose aliases are behind the API gateway, before a server of ours that tells what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.functional.running import Client, Master, Place, text, wait_for

SECRET = "8fa06210-e109-11e6-934f-001b216d6e71"
CONF = """[server]
listen = 127.0.0.1:0
[api-gateway]
enable_gateway = yes
authenticate = yes
realm = Example
secret_key = {secret}
[@members]
members = 127.0.0.1:{port}
roles = admin
[@photos]
members = 127.0.0.1:{port}
[@far]
members = 127.0.0.1:{port}
source = 192.0.2.0/24
[routes:line]
/ = ../../apps/app
/members = @members
/photos = @photos
/far = @far
"""


class Back(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Back)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def master(tmp_path: Path, port: int) -> Iterator[Master]:
    place = Place(tmp_path)
    place.answer("the gateway's own")
    place.conf(CONF.format(secret=SECRET, port=port))
    running = Master(place)
    yield running.ready()
    running.end()


def token(**claims: Any) -> str:
    return jwt.encode(claims, SECRET, "HS256")


def ask(master: Master, path: str, given: str | None = None, **fields: str) -> tuple[int, str, str | None]:
    """Status, body and challenge."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    if given is not None:
        headers["Authorization"] = f"Bearer {given}"
    client = Client(master.address)
    try:
        client.request("GET", path, headers=headers)
        response = client.getresponse()
        return response.status, response.read().decode(), response.headers["WWW-Authenticate"]
    finally:
        client.close()


def test_who_may_ask_and_what_is_told_of_it(master: Master) -> None:
    admin, user = token(user="Hans Roh", roles=["admin"]), token(user="eve", roles=["user"])
    assert text(master.address, "/") == "the gateway's own"
    assert ask(master, "/photos/1")[::2] == (401, 'Bearer realm="Example"')
    status, body, _ = ask(master, "/photos/1", user, X_Gateway_User="root", X_Gateway_Roles="admin")
    told = json.loads(body)
    assert (status, told["x-gateway-user"], told["x-gateway-roles"]) == (200, "eve", "user")
    assert told["x-gtxn-id"].startswith("GTID-")
    assert ask(master, "/members/1", user)[0] == 403
    assert json.loads(ask(master, "/members/1", admin)[1])["x-gateway-user"] == "Hans Roh"
    assert ask(master, "/far/1", admin)[0] == 403
    assert ask(master, "/photos/1", token(user="old", exp=time.time() - 5))[0] == 401
    assert ask(master, "/photos/1", jwt.encode({"user": "a"}, "x" * 40, "HS256"))[0] == 401
    assert ask(master, "/photos/1", "x" * 60_000)[0] == 401

    log = master.place.log("server")
    lines = [line for line in log.splitlines() if "gateway: " in line]
    assert [line.partition("gateway: ")[2][:3] for line in lines] == ["401", "403", "403", "401", "401", "401"]
    assert "(eve): @members is for admin" in lines[1]
    for made in (admin, user):
        assert made not in log
    wait_for(lambda: master.place.log("request").count("\n") == 9, "the request log")
    # The app's line may come after a later one: its thread writes it down after it has answered.
    lines = [line.split() for line in master.place.log("request").splitlines()]
    [app] = (line for line in lines if line[5] == "/")
    codes = [line[8] for line in lines if line is not app]
    assert (app[8], codes) == ("200", ["401", "200", "403", "200", "403", "401", "401", "401"])


def test_a_gateway_that_can_not_be_is_closed(tmp_path: Path, port: int) -> None:
    place = Place(tmp_path)
    place.answer("open")
    (place.etc / "cert").mkdir()
    (place.etc / "cert" / "key.pem").write_text("no key")
    conf = CONF.format(secret=SECRET, port=port).replace(
        f"secret_key = {SECRET}", "algorithms = ES256\npublic_key = key.pem"
    )
    place.conf(conf)
    master = Master(place).ready()
    try:
        assert ask(master, "/photos/1", token(user="a"))[0] == 500
        assert text(master.address, "/") == "open"
        assert "the key does not fit ES256" in place.log("app")
    finally:
        master.end()
