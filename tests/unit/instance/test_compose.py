from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from skitaid.config.load import default_main, parse_instance
from skitaid.config.model import MountOptions, Server
from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.engine.spool import SpoolSettings
from skitaid.handlers.asgi.app import AsgiApp
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.proxy import reverse
from skitaid.handlers.proxy.reverse import ProxySettings
from skitaid.handlers.router import RouteKind, Router
from skitaid.handlers.static.folder import StaticFolder
from skitaid.handlers.unlogged import Unlogged
from skitaid.handlers.wsgi.app import WsgiApp
from skitaid.instance.applog import AppLog
from skitaid.instance.compose import Composition, Unavailable, body_rules, engine_settings, make_router
from skitaid.logs.lines import LogFile

CONF = """
[server]
threads = 7
keep_alive = 3
response_timeout = 4
[routes:line]
/ = ../static
/app = ../composed_wsgi:app
/broken = ../composed_broken
: www.example.com example.com
/ = ../composed_asgi
/broken = ../composed_broken
"""


class NoHandler:
    """Nothing is dispatched here."""

    def dispatch(self, stream: object) -> None: ...


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(EngineSettings(threads=0), NoHandler())  # type: ignore[arg-type]
    yield made
    made.close(0.0)


@pytest.fixture
def making(tmp_path: Path, engine: Engine) -> Composition:
    etc = tmp_path / "etc"
    (etc / "servers-enabled").mkdir(parents=True)
    (etc / "static").mkdir()
    (etc / "composed_wsgi.py").write_text("def app(environ, start_response): ...\n")
    (etc / "composed_asgi.py").write_text("async def app(scope, receive, send): ...\n")
    (etc / "composed_broken.py").write_text("import no_such_module_anywhere\n")
    instance = parse_instance(CONF, etc / "servers-enabled" / "site.conf", default_main(etc), is_root=False)
    return Composition(engine, instance, AppLog(LogFile(tmp_path / "app.log")))


def handlers(router: Router, host: bytes, path: str) -> list[tuple[RouteKind, type]]:
    return [(route.kind, type(route.handler)) for route in router.match(host, path)]


def test_each_mount_becomes_a_route(making: Composition) -> None:
    router = make_router(making)
    assert handlers(router, b"", "/x.css") == [(RouteKind.STATIC, StaticFolder)]
    assert handlers(router, b"", "/app/x")[0] == (RouteKind.APP, WsgiApp)
    assert handlers(router, b"example.com", "/x")[0] == (RouteKind.APP, AsgiApp)
    assert handlers(router, b"", "/broken")[0] == (RouteKind.APP, Unavailable)


def test_what_failed_is_told_with_host_mount_and_line(making: Composition, tmp_path: Path) -> None:
    make_router(making)
    path = making.instance.path
    assert [text.partition(": ")[0] for text in making.failed] == [
        f"/broken ({path}:9)",
        f"www.example.com/broken ({path}:12)",
    ]
    assert all("No module named 'no_such_module_anywhere'" in text for text in making.failed)
    log = (tmp_path / "app.log").read_text()
    assert f"[expt:load] {path}:9: " in log
    assert "Traceback (most recent call last)" in log


def test_http_2_has_its_limits_or_is_off(making: Composition) -> None:
    server = replace(making.instance.server, http2_max_streams=5, http2_max_resets=6, http2_max_frames=70)
    limits = engine_settings(replace(making.instance, server=server)).http2
    assert limits is not None and (limits.max_streams, limits.max_resets, limits.max_frames) == (5, 6, 70)
    assert engine_settings(replace(making.instance, server=replace(server, http2=False))).http2 is None


def test_the_engine_gets_its_slice(making: Composition) -> None:
    settings = engine_settings(making.instance)
    assert settings.threads == 7
    assert (settings.timeouts.keep_alive_s, settings.timeouts.stall_s) == (3, 4)
    assert settings.is_unlogged is None
    assert settings.http2 is not None and settings.http2.max_streams == 100
    server = replace(making.instance.server, log_off=("/live", "*.css"))
    is_unlogged = engine_settings(replace(making.instance, server=server)).is_unlogged
    assert is_unlogged is not None
    assert [is_unlogged(target) for target in ("/live?x", "/a.css?x=/", "/a", "-")] == [True, True, False, False]


def test_where_request_bodies_wait(making: Composition, tmp_path: Path) -> None:
    assert engine_settings(making.instance).spool is None
    spool = engine_settings(making.instance, tmp_path).spool
    assert spool == SpoolSettings(str(tmp_path / "bodies"), 256 * 1024 * 1024)
    server = replace(making.instance.server, spool_dir=Path("/srv/spool"), spool_limit_bytes=7)
    elsewhere = engine_settings(replace(making.instance, server=server), tmp_path).spool
    assert elsewhere == SpoolSettings("/srv/spool", 7)
    none = replace(making.instance, server=replace(server, spool_limit_bytes=0))
    assert engine_settings(none, tmp_path).spool is None


def test_a_mount_goes_before_the_server() -> None:
    server = Server(max_post_body_bytes=1, max_multipart_body_bytes=2, gzip=True)
    assert body_rules(MountOptions(), server) == BodyRules(1, 2, is_streamed=False, may_code=True)
    options = MountOptions(max_body_bytes=7, gzip=False, stream=True)
    assert body_rules(options, server) == BodyRules(7, 7, is_streamed=True, may_code=False)
    assert body_rules(MountOptions(gzip=True), replace(server, gzip=False)).may_code


# ---------------------------------------------------------------- what apps say


def lines(path: Path) -> list[str]:
    return [line[20:] for line in path.read_text().splitlines()]


def test_wsgi_errors_become_lines(tmp_path: Path) -> None:
    stream = AppLog(LogFile(tmp_path / "app.log")).stream
    assert isinstance(stream, io.TextIOBase)
    assert stream.write("half a line, ") == 13
    stream.write("the other half\nanother\n\n")
    stream.write("unfinished")
    stream.flush()
    text = (tmp_path / "app.log").read_text()
    assert re.sub(r"(?m)^\S+ \S+ ", "", text) == (
        "[error] half a line, the other half \\\n    another\n[error] unfinished\n"
    )


def test_nothing_an_app_writes_makes_a_line_of_another_kind(tmp_path: Path) -> None:
    stream = AppLog(LogFile(tmp_path / "app.log")).stream
    stream.write("2024.05.01 00:00:00 [info] forged\r2024.05.01 00:00:00 [info] forged\n")
    [line] = lines(tmp_path / "app.log")
    assert line.startswith("[error] 2024.05.01 00:00:00 [info] forged\\r")


def test_a_load_failure_without_a_traceback_is_one_line(tmp_path: Path) -> None:
    AppLog(LogFile(tmp_path / "app.log")).load_failed("site.conf:3: it is not there", "")
    assert lines(tmp_path / "app.log") == ["[expt:load] site.conf:3: it is not there"]


def test_a_proxy_knows_the_mounts_below_its_own(making: Composition, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = """
[@shop]
members = 127.0.0.1:9
[routes:line]
/ = @shop
/a = @shop
/a/b = @shop
/static = ../static
: example.com
/c = @shop
"""
    found: dict[str, tuple[str, ...]] = {}

    def noted(engine: Engine, path: str, cluster: object, settings: ProxySettings, **_: object) -> None:
        found[path] = settings.deeper

    monkeypatch.setattr(reverse, "ReverseProxy", noted)
    path = making.instance.path
    making.instance = parse_instance(conf, path, default_main(path.parent.parent), is_root=False)
    make_router(making)
    making.close()
    assert found == {"": ("/a", "/a/b"), "/a": ("/a/b",), "/a/b": (), "/c": ()}


@pytest.mark.parametrize("target", ["/x.css", "/app/x", "/proxied/x", "/gated"])
def test_any_mount_may_stay_out_of_the_log(making: Composition, target: str) -> None:
    conf = """
[api-gateway]
enable_gateway = yes
secret_key = 0123456789012345678901234567890123456789
[@back]
members = 127.0.0.1:9
[@guarded]
members = 127.0.0.1:9
roles = admin
[routes:line]
/ = ../static
/app = ../composed_wsgi:app
/proxied = @back
/gated = @guarded
"""
    path = making.instance.path
    mounts = ("/", "/app", "/proxied", "/gated")

    def kind(options: str) -> type:
        making.instance = parse_instance(conf + options, path, default_main(path.parent.parent), is_root=False)
        return type(make_router(making).match(b"", target)[0].handler)

    quiet = max((mount for mount in mounts if target.startswith(mount)), key=len)
    assert kind(f"[{quiet}]\nlog = no\n") is Unlogged
    assert kind("".join(f"[{mount}]\nlog = no\n" for mount in mounts if mount != quiet)) is not Unlogged
    making.close()
