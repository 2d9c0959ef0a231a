"""HTTP/2 with servers of others: nghttpd in the clear, nginx by TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from skitaid.upstream.call import Call, CallTimeouts
from skitaid.upstream.cluster import Cluster
from skitaid.upstream.settings import HttpVersion, MemberSettings, PoolSettings, TlsSettings
from tests.functional.callers import Callers, callers
from tests.functional.engines import until
from tests.functional.running import free_port, wait_for
from tests.functional.test_upstream import TlsRogue, certificate
from tests.unit.upstream.scene import Heard

__all__ = ["callers", "certificate"]

NGHTTPD = shutil.which("nghttpd")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
needs_nghttpd = pytest.mark.skipif(NGHTTPD is None, reason="nghttpd is not installed: its HTTP/2 is not tried")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: its HTTP/2 is not tried")
NGINX_CONF = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    keepalive_requests 25;
    http2_max_concurrent_streams 10;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {pem}; ssl_certificate_key {pem};
        root {folder};
        location = /protocol {{ return 200 $server_protocol; }}
        location = /condition {{ add_header ETag '"1"'; return 304; }}
    }}
}}
"""


@contextmanager
def running(command: Sequence[str], port: int, folder: Path) -> Iterator[None]:
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder)
    try:
        wait_for(lambda: _listens(port), f"{command[0]}: {(folder / 'said').read_text()}")
        yield
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    import socket

    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def nghttpd(folder: Path, *options: str) -> Iterator[MemberSettings]:
    assert NGHTTPD is not None
    port = free_port()
    command = [NGHTTPD, "--no-tls", "-a", "127.0.0.1", "-d", str(folder), *options, str(port)]
    with running(command, port, folder):
        yield MemberSettings("127.0.0.1", port)


@pytest.fixture
def nginx(tmp_path: Path, certificate: Path) -> Iterator[MemberSettings]:
    assert NGINX is not None
    port = free_port()
    (tmp_path / "nginx.conf").write_text(NGINX_CONF.format(folder=tmp_path, port=port, pem=certificate))
    command = [NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    with running(command, port, tmp_path):
        yield MemberSettings("localhost", port)


def fetch_many(callers: Callers, cluster: Cluster, count: int, **parts: Any) -> list[Heard]:
    """So many calls at once; what came of them."""
    heard = [Heard() for _ in range(count)]
    timeouts = CallTimeouts(stall_s=20)
    callers.on_loop(
        lambda: [
            cluster.request(Call(**({"method": "GET", "target": b"/", "timeouts": timeouts} | parts)), one)
            for one in heard
        ]
    )
    until(lambda: all(map(_is_over, heard)), "the end of all calls")
    return heard


def _is_over(heard: Heard) -> bool:
    last = heard.told[-1] if heard.told else "nothing"
    return heard.error is not None or last == "end" or last[0] == "end"


def connections(cluster: Cluster) -> int:
    return sum(pool.open for member in cluster.members for pool in member.pools)


@needs_nghttpd
def test_in_the_clear_where_the_conf_says_so(callers: Callers, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    with nghttpd(tmp_path, "--trailer", "x-sum: 7") as member:
        (heard,) = fetch_many(callers, callers.cluster(member, version=HttpVersion.HTTP2), 1, target=b"/a")
    assert heard.head is not None
    assert heard.head.content_length == 5
    assert heard.told == [("response", 200), "data", ("end", ((b"x-sum", b"7"),))]
    assert heard.body == b"hello"


@needs_nghttpd
def test_more_calls_than_the_member_takes_at_a_time_wait(callers: Callers, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    with nghttpd(tmp_path, "-m", "3") as member:
        cluster = callers.cluster(member, version=HttpVersion.HTTP2, pool=PoolSettings(max_connections=2))
        heard = fetch_many(callers, cluster, 200, target=b"/a")
        assert [one.body for one in heard] == [b"hello"] * 200
        assert connections(cluster) <= 2


@needs_nghttpd
@pytest.mark.parametrize("options", [(), ("--padding", "100")])
def test_long_bodies_both_ways(callers: Callers, tmp_path: Path, options: tuple[str, ...]) -> None:
    body = os.urandom(3_000_000)
    (tmp_path / "long").write_bytes(body)
    with nghttpd(tmp_path, "--echo-upload", *options) as member:
        cluster = callers.cluster(member, version=HttpVersion.HTTP2)
        assert [one.body == body for one in fetch_many(callers, cluster, 4, target=b"/long")] == [True] * 4
        echoed = fetch_many(callers, cluster, 3, method="POST", target=b"/long", body=body)
        assert [one.body == body for one in echoed] == [True] * 3
        assert connections(cluster) == 1


@needs_nghttpd
def test_a_member_that_does_not_speak_it(callers: Callers, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    with nghttpd(tmp_path) as member:
        assert callers.fetch(callers.cluster(member), target=b"/a").failure is not None


@needs_nginx
def test_by_tls_where_the_member_offers_it(callers: Callers, nginx: MemberSettings, certificate: Path) -> None:
    tls = TlsSettings(ca=str(certificate))
    for version, spoken in (
        (HttpVersion.ANY, b"HTTP/2.0"), (HttpVersion.HTTP2, b"HTTP/2.0"), (HttpVersion.HTTP1, b"HTTP/1.1"),
    ):  # fmt: skip
        assert callers.fetch(callers.cluster(nginx, tls=tls, version=version), target=b"/protocol").body == spoken


@needs_nginx
def test_a_call_that_would_switch_protocols_goes_by_http1(
    callers: Callers, nginx: MemberSettings, certificate: Path
) -> None:
    cluster = callers.cluster(nginx, tls=TlsSettings(ca=str(certificate)), version=HttpVersion.ANY)
    assert callers.fetch(cluster, target=b"/protocol").body == b"HTTP/2.0"
    assert callers.fetch(cluster, target=b"/protocol", upgrade=b"websocket").body == b"HTTP/1.1"


@needs_nginx
def test_no_call_is_lost_when_connections_are_retired(
    callers: Callers, nginx: MemberSettings, certificate: Path
) -> None:
    """nginx says GOAWAY after 25 requests, in the middle of whatever is under way."""
    cluster = callers.cluster(
        nginx, tls=TlsSettings(ca=str(certificate)), version=HttpVersion.ANY, pool=PoolSettings(max_connections=4)
    )
    gets = fetch_many(callers, cluster, 300, target=b"/protocol")
    posts = fetch_many(callers, cluster, 100, method="POST", target=b"/protocol", body=b"x")
    assert {(one.failure, one.body) for one in (*gets, *posts)} == {(None, b"HTTP/2.0")}
    assert connections(cluster) <= 4
    assert cluster.members[0].health.fails == 0


@needs_nginx
def test_responses_without_a_body(callers: Callers, nginx: MemberSettings, certificate: Path) -> None:
    cluster = callers.cluster(nginx, tls=TlsSettings(ca=str(certificate)), version=HttpVersion.ANY)
    assert callers.fetch(cluster, target=b"/condition").told == [("response", 304), "end"]
    assert callers.fetch(cluster, target=b"/protocol", method="HEAD").told == [("response", 200), "end"]
    assert callers.fetch(cluster, target=b"/protocol").body == b"HTTP/2.0"


@pytest.mark.parametrize(("version", "failure"), [(HttpVersion.ANY, None), (HttpVersion.HTTP2, "INVALID")])
def test_a_member_with_tls_that_does_not_offer_it(
    callers: Callers, certificate: Path, version: HttpVersion, failure: str | None
) -> None:
    # One call a connection: a second one on the same would not be answered.
    last = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    with closing(TlsRogue(certificate, *[(last, "close")] * 20)) as rogue:
        member = MemberSettings("localhost", rogue.member.port)
        cluster = callers.cluster(member, tls=TlsSettings(ca=str(certificate)), version=version)
        heard = fetch_many(callers, cluster, 20)
    assert {one.failure for one in heard} == {failure}
