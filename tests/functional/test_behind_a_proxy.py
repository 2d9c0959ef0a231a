"""Real masters that stand behind a proxy, or are told so by strangers: what apps see, what is logged, who is routed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.functional.running import ROOT, WAIT_S, Client, Master, Place, free_port, serves, wait_for

WSGI = """
import json

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    return [json.dumps(seen).encode()]
"""
ASGI = """
import json

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    seen = {"client": scope["client"], "scheme": scope["scheme"]}
    seen["headers"] = {name.decode(): value.decode() for name, value in scope["headers"]}
    assert len(seen["headers"]) == len(scope["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
"""
ROUTES = """/ = ../../apps/wsgi
/asgi = ../../apps/asgi
: www.example.com
/ = ../../apps/www"""
GTXNID = re.compile(r"GTID-C[0-9a-f]{16}-R[0-9]+").fullmatch
# What a client wrote, and behind it what an honest proxy added.
FIELDS = {
    "X-Forwarded-For": "6.6.6.6, 203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example.com",
    "Forwarded": "for=6.6.6.6;proto=http;host=evil",
    "X-Gtxn-Id": "GTID-C4676-R67",
    "X-Ltxn-Id": "2001",
}


@dataclass(frozen=True)
class Site:
    """A running instance. `address` is TCP on loopback, `unix` a unix socket."""

    master: Master
    place: Place

    @property
    def address(self) -> str:
        return next(address for address in self.master.addresses if not address.startswith("unix:"))

    @property
    def unix(self) -> str:
        return next(address for address in self.master.addresses if address.startswith("unix:"))

    def ask(self, path: str = "/", fields: dict[str, str] | None = None, *, address: str = "") -> Any:
        """What an app saw of a request."""
        client = Client(address or self.address)
        try:
            client.request("GET", path, headers=fields or {})
            response = client.getresponse()
            body = response.read()
            assert response.status == 200, f"{response.status}: {body!r}"
            return json.loads(body)
        finally:
            client.close()

    def line(self, mark: str) -> list[str]:
        """The fields of the request log's line that holds `mark`."""

        def found() -> list[str]:
            return [line for line in self.place.log("request").splitlines() if mark in line]

        (line,) = wait_for(found, f"{mark} in the request log")
        return re.findall(r'"(?:[^"\\]|\\.)*"|\S+', line)


Begin = Callable[..., Site]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start an instance with more lines for its section [server]."""
    masters: list[Master] = []

    def start(server: str = "") -> Site:
        place = Place(tmp_path)
        place.app("wsgi", WSGI)
        place.app("asgi", ASGI)
        place.app("www", WSGI.replace("seen = {", 'seen = {"www": "yes"} | {'))
        place.site(f"listen = 127.0.0.1:0, unix:{tmp_path}/s\n{server}", routes=ROUTES)
        masters.append(Master(place))
        return Site(masters[-1].ready(), place)

    yield start
    for master in masters:
        master.end()


def test_a_proxy_that_is_trusted_is_believed(begin: Begin) -> None:
    site = begin("trusted = 127.0.0.1")
    seen = site.ask("/?mark1", FIELDS)
    assert (seen["REMOTE_ADDR"], seen["REMOTE_PORT"], seen["wsgi.url_scheme"]) == ("203.0.113.7", "", "https")
    assert seen["HTTP_HOST"] == seen["HTTP_X_FORWARDED_HOST"] == "shop.example.com"
    assert seen["HTTP_X_FORWARDED_FOR"] == "203.0.113.7"
    assert "HTTP_FORWARDED" not in seen
    assert (seen["HTTP_X_GTXN_ID"], seen["HTTP_X_LTXN_ID"]) == ("GTID-C4676-R67", "2001")
    line = site.line("mark1")
    assert (line[2], line[3]) == ("203.0.113.7", "shop.example.com")
    assert line[10:12] == ["GTID-C4676-R67", "2001"]
    assert r"6.6.6.6,\x20203.0.113.7" in line


def test_asgi_apps_are_told_the_same(begin: Begin) -> None:
    site = begin("trusted = 127.0.0.1")
    seen = site.ask("/asgi", FIELDS)
    assert (seen["client"], seen["scheme"]) == (["203.0.113.7", 0], "https")
    headers = seen["headers"]
    assert headers["host"] == headers["x-forwarded-host"] == "shop.example.com"
    assert headers["x-forwarded-for"] == "203.0.113.7"
    assert (headers["x-gtxn-id"], headers["x-ltxn-id"]) == ("GTID-C4676-R67", "2001")
    assert "forwarded" not in headers


def test_a_stranger_is_not(begin: Begin) -> None:
    site = begin("trusted = 192.0.2.0/24, unix")
    mine = "127.0.0.1"
    seen = site.ask("/?mark2", FIELDS)
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (mine, "http")
    assert seen["REMOTE_PORT"].isdecimal()
    assert seen["HTTP_HOST"].startswith("localhost")
    assert not [key for key in seen if "FORWARDED" in key]
    assert GTXNID(seen["HTTP_X_GTXN_ID"])
    assert seen["HTTP_X_LTXN_ID"] == "1000"
    line = site.line("mark2")
    assert line[2] == mine
    assert line[10:12] == [seen["HTTP_X_GTXN_ID"], "1000"]
    assert r"6.6.6.6,\x20203.0.113.7" in line

    told = site.ask("/asgi", FIELDS)
    assert (told["client"][0], told["scheme"]) == (mine, "http")
    assert not [name for name in told["headers"] if "forwarded" in name]
    assert GTXNID(told["headers"]["x-gtxn-id"])


def test_the_administrator_hears_once_of_a_proxy_that_nobody_named(begin: Begin) -> None:
    site = begin()
    for _ in range(3):
        site.ask("/", FIELDS)
        site.ask("/")
    log = site.place.log("server")
    assert log.count("write trusted = 127.0.0.1 below [server]") == 1


def test_the_peer_of_a_unix_socket_is_trusted_when_unix_is_named(begin: Begin) -> None:
    site = begin("trusted = unix")
    assert site.ask("/", FIELDS, address=site.unix)["REMOTE_ADDR"] == "203.0.113.7"
    assert site.ask("/", FIELDS)["REMOTE_ADDR"] == "127.0.0.1"
    assert site.ask("/asgi", FIELDS, address=site.unix)["client"] == ["203.0.113.7", 0]


def test_the_peer_of_a_unix_socket_is_a_stranger_otherwise(begin: Begin) -> None:
    site = begin("trusted = 0.0.0.0/0, ::/0")
    seen = site.ask("/", FIELDS, address=site.unix)
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("", "http")
    assert "HTTP_X_FORWARDED_FOR" not in seen
    assert "write trusted = unix below [server]" in site.place.log("server")


def test_virtual_hosts_follow_a_trusted_proxy_only(begin: Begin) -> None:
    site = begin("trusted = unix")
    www = {"X-Forwarded-Host": "www.example.com"}
    assert "www" in site.ask("/", www, address=site.unix)
    assert "www" not in site.ask("/", www)
    assert "www" in site.ask("/", {"Host": "www.example.com"})


def test_a_forwarded_that_can_be_read_in_two_ways_is_refused(begin: Begin) -> None:
    site = begin("trusted = 127.0.0.1")
    client = Client(site.address)
    client.request("GET", "/", headers={"Forwarded": 'for="6.6.6.6, for=203.0.113.7'})
    response = client.getresponse()
    response.read()
    client.close()
    assert (response.status, response.getheader("Connection")) == (400, "close")
    # It was one client's fault, not the site's.
    assert site.ask("/", {"Forwarded": "for=203.0.113.7;proto=https"})["wsgi.url_scheme"] == "https"


def test_one_connection_carries_the_requests_of_many_clients(begin: Begin) -> None:
    site = begin("trusted = 127.0.0.1")
    client = Client(site.address)
    asked = ["203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.2", "203.0.113.1", "", "203.0.113.1"]
    seen = []
    for address in asked:
        client.request("GET", "/", headers={"X-Forwarded-For": address} if address else {})
        seen.append(json.loads(client.getresponse().read())["REMOTE_ADDR"])
    client.close()
    assert seen == [address or "127.0.0.1" for address in asked]


def test_ids_are_unique_across_workers_and_reloads(begin: Begin) -> None:
    site = begin("processes = 2")
    ids = [site.ask("/")["HTTP_X_GTXN_ID"] for _ in range(40)]
    site.master.reload()
    ids += [site.ask("/")["HTTP_X_GTXN_ID"] for _ in range(40)]
    assert all(map(GTXNID, ids))
    assert len(set(ids)) == len(ids)
    assert len({gtxnid.partition("-R")[0] for gtxnid in ids}) >= 2


# ---------------------------------------------------------------- nginx, as the page says

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
NGINX_CONF = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, site: str) -> Iterator[str]:
    """nginx with the lines of docs/behind-a-proxy.md in front of `site`; its address."""
    page = (ROOT / "docs" / "behind-a-proxy.md").read_text(encoding="utf-8")
    location = page.partition("\nnginx:\n\n```\n")[2].partition("```")[0]
    assert location.count("127.0.0.1:5000") == 1
    folder.mkdir()
    port = free_port()
    conf = NGINX_CONF.format(folder=folder, port=port, location=location.replace("127.0.0.1:5000", site))
    (folder / "nginx.conf").write_text(conf)
    assert NGINX is not None
    process = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: serves(f"127.0.0.1:{port}"), "nginx")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(WAIT_S)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed: what docs/behind-a-proxy.md says of it is not tried")
def test_nginx_as_the_page_sets_it_up(begin: Begin, tmp_path: Path) -> None:
    site = begin("trusted = 127.0.0.1")
    with nginx(tmp_path / "nginx", site.address) as address:
        plain = site.ask("/", {"Host": "shop.example.com:8080"}, address=address)
        assert (plain["REMOTE_ADDR"], plain["wsgi.url_scheme"]) == ("127.0.0.1", "http")
        assert plain["HTTP_HOST"] == "shop.example.com:8080"
        # The test itself is on 127.0.0.1, so nginx's visitor counts as one more proxy.
        seen = site.ask("/", {**FIELDS, "Host": "shop.example.com"}, address=address)
        assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("203.0.113.7", "http")
        assert seen["HTTP_HOST"] == "shop.example.com"
        assert seen["HTTP_X_FORWARDED_FOR"] == "203.0.113.7, 127.0.0.1"
        assert "HTTP_FORWARDED" not in seen
