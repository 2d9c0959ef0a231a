"""What a conf says of an alias, seen from both ends of a running instance: the client, and the members."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.functional.calling import Request, backend, response
from tests.functional.running import Client, Master, Place, free_port, wait_for
from tests.functional.test_upstream import OK, TlsRogue, certificate
from tests.functional.test_upstream_http2 import needs_nghttpd, needs_nginx, nghttpd, nginx

__all__ = ["certificate", "nginx"]


@dataclass
class Members:
    """Servers that say who they are and what they were asked. `unwell`: those whose /health answers 503."""

    stack: ExitStack
    ports: list[str] = field(default_factory=list)
    unwell: set[str] = field(default_factory=set)
    health_asked: Counter[str] = field(default_factory=Counter)

    def add(self) -> str:
        """The address of a new one."""
        name = f"m{len(self.ports)}"

        def respond(request: Request) -> bytes:
            if request.path == "/health":
                self.health_asked[name] += 1
                return response(503 if name in self.unwell else 204)
            return response(body=json.dumps({"name": name, "target": request.target, **request.fields}).encode())

        _, url = self.stack.enter_context(backend(respond))
        self.ports.append(url.removeprefix("http://"))
        return self.ports[-1]


@dataclass
class Site:
    master: Master
    place: Place

    def ask(self, path: str, method: str = "GET", **fields: str) -> tuple[int, dict[str, str]]:
        """Status, and what the member that answered says."""
        client = Client(self.master.address)
        try:
            client.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
            answer = client.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if body[:1] == b"{" else {"body": body.decode()}
        finally:
            client.close()

    def names(self, path: str, count: int, **fields: str) -> str:
        """Who answers so many requests."""
        return "".join(self.ask(path, **fields)[1]["name"].removeprefix("m") for _ in range(count))


Begin = Callable[[str, str], Site]


@pytest.fixture
def members() -> Iterator[Members]:
    with ExitStack() as stack:
        yield Members(stack)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    masters: list[Master] = []

    def start(routes: str, aliases: str) -> Site:
        place = Place(tmp_path / "site")
        place.site(routes=routes, more=aliases)
        masters.append(Master(place))
        return Site(masters[-1].ready(), place)

    yield start
    for master in masters:
        assert master.stop() == 0
        master.end()


def test_what_members_are_told_and_who_is_asked(begin: Begin, members: Members) -> None:
    one, two, three, dead = members.add(), members.add(), members.add(), f"127.0.0.1:{free_port()}"
    site = begin(
        "/plain = @plain\n/kept = @kept/kept\n/named = @named\n/own = @own\n/sticky = @sticky\n/key = @key\n"
        "/dead = @dead\n/nobody = @nobody\n",
        f"""
[@plain]
members = {one} 2, {two}
[@kept]
members = {one}
[@named]
members = ann:p%40ss@{one}
host = shop.example.com
[@own]
members = {one}
host = member
[@sticky]
members = {one}, {two}, {three}
balance = hash cookie sid
[@key]
members = {one}, {two}, {three}
balance = hash header X-User
[@dead]
members = {dead}, {one}, {dead.replace("127.0.0.1", "127.0.0.2")}
fails = 1
eject = 60
[@nobody]
members = {dead}
""",
    )
    assert site.names("/plain", 6) == "010010"
    status, told = site.ask("/plain/a/b?c=d", Host="www.example.com")
    assert (status, told["target"], told["host"]) == (200, "/a/b?c=d", "www.example.com")
    assert site.ask("/kept/a")[1]["target"] == "/kept/a"
    told = site.ask("/named", Authorization="Bearer of-the-client")[1]
    assert (told["host"], told["authorization"]) == ("shop.example.com", "Basic YW5uOnBAc3M=")
    assert site.ask("/own", Host="www.example.com")[1]["host"] == one
    for cookie in ("sid=1", "a=b; sid=2", "sid=3"):
        assert len(set(site.names("/sticky", 4, Cookie=cookie))) == 1
    assert len({site.names("/sticky", 1, Cookie=f"sid={number}") for number in range(20)}) == 3
    assert site.names("/sticky", 3) in ("012", "120", "201")
    assert len({site.names("/key", 1, X_User=str(number)) for number in range(20)}) == 3
    assert len(set(site.names("/key", 4, X_User="anna"))) == 1
    assert site.names("/dead", 4) == "0000"
    assert site.ask("/nobody")[0] == 502
    log = site.place.log("server")
    assert f"@dead: {dead}: the connection was not made: Connection refused; it is left alone for " in log
    assert "/nobody" in log and "@nobody" in log


def test_members_are_asked_how_they_are(begin: Begin, members: Members) -> None:
    one, two = members.add(), members.add()
    site = begin(
        "/ = @both",
        f"[@both]\nmembers = {one}, {two}\ncheck = /health\ncheck_interval = 0.1\nfails = 2\n",
    )
    assert set(site.names("/", 4)) == {"0", "1"}
    wait_for(lambda: members.health_asked["m0"] > 1 and members.health_asked["m1"] > 1, "checks of both")
    members.unwell.add("m0")
    wait_for(lambda: f"@both: {one} gets no calls: /health answers 503" in site.place.log("server"), "a verdict")
    assert site.names("/", 4) == "1111"
    members.unwell.clear()
    wait_for(lambda: f"@both: {one} is well again: /health" in site.place.log("server"), "another verdict")
    assert set(site.names("/", 4)) == {"0", "1"}


@needs_nginx
@needs_nghttpd
def test_members_by_tls_and_http2(begin: Begin, nginx: object, certificate: Path, tmp_path: Path) -> None:
    port = nginx.port  # type: ignore[attr-defined]
    (tmp_path / "clear").mkdir()
    (tmp_path / "clear" / "a").write_bytes(b"of nghttpd")
    old = TlsRogue(certificate, *[(OK, "bye")] * 9)
    aliases = f"""
[@good]
type = https
members = localhost:{port}
ca = {certificate}
[@http1]
type = https
members = localhost:{port}
ca = {certificate}
protocol = http1
[@stranger]
type = https
members = localhost:{port}
[@other]
type = https
members = 127.0.0.1:{port}
ca = {certificate}
[@blind]
ssl = yes
members = 127.0.0.1:{port}
verify = no
[@old]
type = https
members = localhost:{old.member.port}
ca = {certificate}
"""
    with nghttpd(tmp_path / "clear") as clear:
        aliases += f"[@clear]\nmembers = 127.0.0.1:{clear.port}\nprotocol = http2\n"
        names = [line[2:-1] for line in aliases.splitlines() if line.startswith("[@")]
        site = begin("\n".join(f"/{name} = @{name}" for name in names), aliases)

        def body(path: str) -> tuple[int, str]:
            status, told = site.ask(path)
            return status, told["body"] if status == 200 else ""

        assert body("/good/protocol") == (200, "HTTP/2.0")
        assert body("/http1/protocol") == (200, "HTTP/1.1")
        assert body("/blind/protocol") == (200, "HTTP/2.0")
        assert body("/old") == (200, "ok")
        assert body("/clear/a") == (200, "of nghttpd")
        assert body("/stranger/protocol") == body("/other/protocol") == (502, "")
    old.close()
    log = site.place.log("server")
    assert "@stranger: " in log and "TLS failed: self-signed certificate" in log
    assert "IP address mismatch" in log


@needs_nghttpd
def test_long_bodies_by_http2_are_whole(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "clear").mkdir()
    data = bytes(range(256)) * 20_000
    (tmp_path / "clear" / "long").write_bytes(data)
    with nghttpd(tmp_path / "clear", "--echo-upload") as member:
        site = begin("/ = @clear", f"[@clear]\nmembers = 127.0.0.1:{member.port}\nprotocol = http2\n")
        client = Client(site.master.address)
        for method, sent in (("GET", None), ("POST", data[:3_000_000])):
            client.request(method, "/long", body=sent)
            answer = client.getresponse()
            assert answer.read() == (sent or data)
        client.close()
