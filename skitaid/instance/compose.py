"""From a conf to routes: each mount becomes a handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from skitaid.config.model import AppTarget, Host, Instance, Mount, MountOptions, ProxyTarget, Server, StaticTarget
from skitaid.engine.quota import QuotaSettings
from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.engine.spool import SpoolSettings
from skitaid.engine.stream import Stream
from skitaid.engine.timeouts import Timeouts
from skitaid.handlers.asgi.app import AsgiApp, AsgiCallable
from skitaid.handlers.asgi.lifespans import Lifespans
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.loading.loader import AppKind, AppLoader, AppLoadError
from skitaid.handlers.router import HostTable, Route, RouteHandler, RouteKind, Router, route_path
from skitaid.handlers.static.files import FileCache, StaticSettings
from skitaid.handlers.static.folder import StaticFolder
from skitaid.handlers.wsgi.app import WsgiApp, WsgiSettings
from skitaid.instance.applog import AppLog
from skitaid.instance.mounting import tell_mounted, wants_reloader
from skitaid.logs.request import LogOff
from skitaid.protocols.http2.limits import Http2Limits

if TYPE_CHECKING:
    from skitaid.handlers.gateway.gateway import Gateway
    from skitaid.upstream.cache.upstreams import CachedUpstreams
    from skitaid.upstream.upstreams import Upstreams

__all__ = ["Composition", "body_rules", "engine_settings", "make_router", "static_settings"]


def _tell_nobody(text: str) -> None:
    """Where nobody wants to know."""


@dataclass(slots=True)
class Composition:
    """What a worker's routes are made with, and what came of it: `failed` says, a line each that begins with host and
    mount point, which apps could not be loaded. `report` is told, a line each, of members of clusters that go and come
    back. `var_folder`: the instance's own. `wants_reloader`: the conf or an app wants apps loaded anew when their files
    change."""

    engine: Engine
    instance: Instance
    app_log: AppLog
    loader: AppLoader = field(default_factory=AppLoader)
    failed: list[str] = field(default_factory=list)
    files: FileCache = field(default_factory=FileCache)
    lifespans: Lifespans = field(init=False)
    report: Callable[[str], None] = _tell_nobody
    var_folder: Path | None = None
    wants_reloader: bool = False
    _upstreams: Upstreams | None = None
    _cached: CachedUpstreams | None = None
    _gateway: Gateway | None = None

    def __post_init__(self) -> None:
        self.lifespans = Lifespans(self.app_log.lifespan_failed)

    @property
    def upstreams(self) -> Upstreams:
        """The worker's clusters, made when they are first asked for: a worker that calls nobody does not import what
        they need. On the loop thread."""
        if self._upstreams is None:
            from skitaid.instance.clusters import make_upstreams

            self._upstreams = make_upstreams(self.engine, self.instance, self.report)
        return self._upstreams

    @property
    def cached(self) -> CachedUpstreams | None:
        """The same with the response cache before them; None: the conf wants none."""
        conf = self.instance.proxy_cache
        if self._cached is None and (conf.cache_memory_bytes or conf.cache_disk_bytes):
            from skitaid.instance.caching import cache_settings, make_cached_upstreams

            settings = cache_settings(conf, self.var_folder)
            if settings.is_on:
                self._cached = make_cached_upstreams(
                    self.engine, self.instance, self.upstreams, settings=settings, report=self.report
                )
        return self._cached

    @property
    def gateway(self) -> Gateway | None:
        """What stands before the proxies; None: the conf wants nothing there. Raises GatewayError."""
        if self._gateway is None and self.instance.gateway.enable_gateway:
            from skitaid.instance.gateways import make_gateway

            self._gateway = make_gateway(self.engine, self.instance.gateway, self.app_log, self.report)
        return self._gateway

    def close(self) -> None:
        """The worker ends: keep nothing open."""
        if self._upstreams is not None:
            self._upstreams.close()


@dataclass(frozen=True, slots=True)
class _Block:
    """A host block whose mounts are made into routes. `proxied`: the paths of those that are aliases."""

    making: Composition
    host: str
    proxied: tuple[str, ...]

    @property
    def server(self) -> Server:
        return self.making.instance.server

    def where(self, mount: Mount) -> str:
        """For people, and to know the mount again in another conf: its host and path come first."""
        return f"{self.host}{mount.path} ({mount.origin})"


class Unavailable:
    """A route that leads nowhere for now, and says so."""

    def __init__(self, engine: Engine, code: int, text: str) -> None:
        self._engine = engine
        self._code = code
        self._text = text

    def serve(self, stream: Stream, route: Route) -> bool:
        self._engine.respond_error(stream, self._code, self._text)
        return True


def engine_settings(instance: Instance, var_folder: Path | None = None) -> EngineSettings:
    """The engine's slice of the conf. `var_folder`: the instance's own; without it request bodies wait in memory."""
    server = instance.server
    timeouts = Timeouts(
        keep_alive_s=server.keep_alive_s, stall_s=server.response_timeout_s, head_s=server.header_timeout_s,
        total_s=server.total_timeout_s,
    )  # fmt: skip
    quota = QuotaSettings(server.max_connections, server.max_connections_per_address)
    folder = server.spool_dir or (var_folder and var_folder / "bodies")
    spool = SpoolSettings(str(folder), server.spool_limit_bytes) if folder and server.spool_limit_bytes else None
    return EngineSettings(
        threads=server.threads, queue_limit=server.queue_limit, timeouts=timeouts, trusted=server.trusted, spool=spool,
        quota=quota, slow_client_threads=server.slow_client_threads,
        is_unlogged=LogOff(server.log_off).matches if server.log_off else None, http2=_http2_limits(server),
    )  # fmt: skip


def _http2_limits(server: Server) -> Http2Limits | None:
    if not server.http2:
        return None
    return Http2Limits(
        max_streams=server.http2_max_streams, max_resets=server.http2_max_resets, max_frames=server.http2_max_frames
    )


def static_settings(options: MountOptions, server: Server) -> StaticSettings:
    """A folder's slice of the conf."""
    settings = StaticSettings(
        max_age_s=server.static_max_age_s if options.max_age_s is None else options.max_age_s,
        listing=options.listing,
        fallback=options.try_,
        symlinks=options.symlinks,
        gzip=server.gzip if options.gzip is None else options.gzip,
    )
    return settings if options.index is None else replace(settings, index=options.index)


def body_rules(options: MountOptions, server: Server) -> BodyRules:
    """What holds for the bodies of an app."""
    most = options.max_body_bytes
    return BodyRules(
        max_bytes=server.max_post_body_bytes if most is None else most,
        max_form_bytes=server.max_multipart_body_bytes if most is None else most,
        is_streamed=options.stream,
        may_code=server.gzip if options.gzip is None else options.gzip,
    )


def make_router(making: Composition) -> Router:
    """Load every app and make every route. An app that fails to load is told in the app log and in `failed`, and
    answers 500; the others are served."""
    return Router([_table(making, host) for host in making.instance.hosts])


def _table(making: Composition, host: Host) -> HostTable:
    proxied = tuple(route_path(mount.path) for mount in host.mounts if isinstance(mount.target, ProxyTarget))
    block = _Block(making, host.names[0] if host.names else "", proxied)
    return HostTable(host.names, [_route(block, mount) for mount in host.mounts])


def _route(block: _Block, mount: Mount) -> Route:
    kind, make = _MAKERS[type(mount.target)]
    route = Route(route_path(mount.path), kind, make(block, mount))
    return route if mount.options.log else replace(route, handler=_unlogged(route))


def _unlogged(route: Route) -> RouteHandler:
    from skitaid.handlers.unlogged import Unlogged

    return Unlogged(route)


def _static(block: _Block, mount: Mount) -> RouteHandler:
    assert isinstance(mount.target, StaticTarget)
    settings = static_settings(mount.options, block.server)
    return StaticFolder(block.making.engine, str(mount.target.root), settings, cache=block.making.files)


def _proxy(block: _Block, mount: Mount) -> RouteHandler:
    making = block.making
    proxy = _open_proxy(block, mount)
    if not making.instance.gateway.enable_gateway:
        return proxy
    from skitaid.instance.gateways import GatewayError, gated

    assert isinstance(mount.target, ProxyTarget)
    try:
        gateway = making.gateway
    except GatewayError as error:
        # Closed, rather than open to all.
        making.app_log.load_failed(str(error), "")
        making.failed.append(f"{block.where(mount)}: {error}")
        return Unavailable(making.engine, 500, "The gateway could not be set up. What happened is in its log.")
    assert gateway is not None
    return gated(gateway, proxy, making.instance.aliases[mount.target.alias])


def _open_proxy(block: _Block, mount: Mount) -> RouteHandler:
    """A proxy that lets everybody through."""
    from skitaid.handlers.proxy.reverse import ReverseProxy
    from skitaid.instance.proxies import proxy_settings

    assert isinstance(mount.target, ProxyTarget)
    making = block.making
    alias = making.instance.aliases[mount.target.alias]
    bodies = body_rules(mount.options, block.server)
    tunnel_s = making.instance.forward_proxy.tunnel_s
    settings = proxy_settings(alias, mount.target, where=block.where(mount), bodies=bodies, tunnel_s=tunnel_s)
    path, cached = route_path(mount.path), making.cached
    settings = replace(settings, deeper=tuple(each for each in block.proxied if each.startswith(f"{path}/")))
    if cached is None:
        cluster = making.upstreams.cluster(alias.name)
        return ReverseProxy(making.engine, path, cluster, settings, write=making.report)
    from skitaid.handlers.proxy.hits import ProxyHits

    cluster_and_cache = cached.cluster(alias.name)
    proxy = ReverseProxy(making.engine, path, cluster_and_cache, settings, write=making.report)
    proxy.hits = ProxyHits(proxy, cluster_and_cache)
    return proxy


def _app(block: _Block, mount: Mount) -> RouteHandler:
    making, target = block.making, mount.target
    assert isinstance(target, AppTarget)
    # Also of an app that does not load: its correction is waited for.
    making.wants_reloader = making.wants_reloader or mount.options.use_reloader
    try:
        loaded = making.loader.load(target.module, target.callable)
        tell_mounted(loaded, mount)
    except AppLoadError as error:
        making.app_log.load_failed(f"{mount.origin}: {error}", error.traceback)
        making.failed.append(f"{block.where(mount)}: {error}")
        return Unavailable(making.engine, 500, "The app could not be loaded. What happened is in its log.")
    making.wants_reloader = making.wants_reloader or wants_reloader(loaded, mount)
    if (target.kind or loaded.kind) == AppKind.ASGI:
        return _asgi(block, mount, loaded.callable)
    server = block.server
    settings = WsgiSettings(
        making.app_log.stream,
        making.app_log.app_failed,
        is_multithread=server.threads > 0,
        is_multiprocess=server.processes > 1,
        bodies=body_rules(mount.options, server),
    )
    return WsgiApp(making.engine, loaded.callable, settings)


def _asgi(block: _Block, mount: Mount, app: AsgiCallable) -> RouteHandler:
    making = block.making
    bodies = body_rules(mount.options, block.server)
    handler = AsgiApp(making.engine, app, making.app_log.app_failed, bodies=bodies)
    making.lifespans.add(app, handler, block.where(mount))
    return handler


_MAKERS: dict[type, tuple[RouteKind, Callable[[_Block, Mount], RouteHandler]]] = {
    StaticTarget: (RouteKind.STATIC, _static),
    ProxyTarget: (RouteKind.PROXY, _proxy),
    AppTarget: (RouteKind.APP, _app),
}
