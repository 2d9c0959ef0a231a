"""From a conf to a forward proxy. Imported by workers that have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skitaid.config.model import ForwardProxy as ForwardConf
from skitaid.config.model import Instance
from skitaid.engine.server import Engine
from skitaid.handlers.forward.policy import ForwardSettings
from skitaid.handlers.forward.proxy import ForwardProxy, Origins
from skitaid.handlers.site import Site
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.guarded import GuardedResolver
from skitaid.upstream.settings import PoolSettings
from skitaid.upstream.upstreams import OriginSettings, Upstreams

if TYPE_CHECKING:
    from skitaid.upstream.cache.upstreams import CachedUpstreams

__all__ = ["forward_settings", "make_forward_proxy"]


def make_forward_proxy(
    engine: Engine, site: Site, instance: Instance, cached: CachedUpstreams | None = None
) -> tuple[ForwardProxy, Upstreams]:
    """The proxy, and what has to be closed with it. Its connections are its own, and so is what it keeps in the cache
    of `cached`: nothing that an app asked for leads a client where the proxy would not."""
    settings = forward_settings(instance.forward_proxy)
    context = UpstreamContext(engine)
    origins = OriginSettings(pool=PoolSettings(keep_alive_s=instance.server.backend_keep_alive_s))
    upstreams = Upstreams(engine, {}, origins=origins, context=context)
    origins_or_cache: Origins = upstreams
    if cached is not None:
        origins_or_cache = cached.beside(upstreams, "proxy")
    proxy = ForwardProxy(engine, site, settings, origins=origins_or_cache, context=context)
    context.resolver = GuardedResolver(engine.portal, clock=lambda: engine.now, admits=proxy.policy.may_reach)
    return proxy, upstreams


def forward_settings(conf: ForwardConf) -> ForwardSettings:
    """The slice of the conf."""
    return ForwardSettings(
        conf.allow, conf.deny, conf.allow_targets, conf.deny_targets, conf.connect_ports, conf.users,
        channel_s=conf.channel_s, tunnel_s=conf.tunnel_s,
    )  # fmt: skip
