"""From the conf of an instance to its response cache. Imported by workers that have one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from skitaid.config.model import Instance, ProxyCache
from skitaid.engine.server import Engine
from skitaid.upstream.cache.cache import CacheSettings, ResponseCache
from skitaid.upstream.cache.disk import DiskStore
from skitaid.upstream.cache.files import Folder
from skitaid.upstream.cache.upstreams import CachedUpstreams
from skitaid.upstream.upstreams import Upstreams

__all__ = ["cache_settings", "make_cached_upstreams"]


def make_cached_upstreams(
    engine: Engine, instance: Instance, upstreams: Upstreams, *, settings: CacheSettings, report: Callable[[str], None]
) -> CachedUpstreams:
    """The clusters of a worker, and the cache before them. `report` is told, a line each, what keeps responses from
    the disk."""
    cache = ResponseCache(settings, engine.portal.call, disk=_disk(engine, settings, report))
    cache.tick()
    engine.on_tick.append(cache.tick)
    return CachedUpstreams(upstreams, cache, instance.name)


def cache_settings(conf: ProxyCache, var_folder: Path | None) -> CacheSettings:
    """The cache's slice of the conf. `var_folder`: the instance's own; without it, and without cache_dir, there is no
    disk store."""
    folder = conf.cache_dir or (var_folder and var_folder / "cache")
    return CacheSettings(conf.cache_memory_bytes, conf.cache_disk_bytes, None if folder is None else str(folder))


def _disk(engine: Engine, settings: CacheSettings, report: Callable[[str], None]) -> DiskStore | None:
    if not settings.disk_bytes or settings.folder is None:
        return None
    folder = Folder(settings.folder, settings.disk_bytes)
    store = DiskStore(folder, engine.disk, entry_limit_bytes=settings.entry_limit_bytes)
    store.on_trouble = report
    return store
