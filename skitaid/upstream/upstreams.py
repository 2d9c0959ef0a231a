"""The clusters of a worker: one for each alias that speaks HTTP, and one for each origin that is called by its URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from skitaid.exceptions import SkitaidError
from skitaid.upstream.cluster import Cluster
from skitaid.upstream.context import UpstreamContext, UpstreamEngine
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.health import HealthSettings
from skitaid.upstream.settings import ClusterSettings, HttpVersion, MemberSettings, PoolSettings, TlsSettings

__all__ = ["NoClusterError", "OriginSettings", "Upstreams"]

MAX_ORIGINS: Final = 1024
ORIGIN_IDLE_S: Final = 60.0


class NoClusterError(SkitaidError, KeyError):
    """An app or a conf names an alias that there is none of; its author must act."""

    def __str__(self) -> str:
        return str(self.args[0])


def _origin_pool() -> PoolSettings:
    return PoolSettings(max_connections=100, max_idle=16)


@dataclass(frozen=True, slots=True)
class OriginSettings:
    """For servers that are called by their URL. With one member each there is nobody to turn to, so none is left
    alone: each call finds out for itself."""

    tls: TlsSettings = field(default_factory=TlsSettings)
    pool: PoolSettings = field(default_factory=_origin_pool)
    version: HttpVersion = HttpVersion.ANY
    health: HealthSettings = field(default_factory=lambda: HealthSettings(fails=0))


class Upstreams:
    """For the loop thread. Clusters are made when they are first asked for. `report` is told, a line each, of members
    that go and come back. `context`: given by those who resolve names in another way; it has a report of its own."""

    def __init__(
        self,
        engine: UpstreamEngine,
        settings: Mapping[str, ClusterSettings],
        *,
        origins: OriginSettings | None = None,
        report: Callable[[str], None] | None = None,
        context: UpstreamContext | None = None,
    ) -> None:
        made = UpstreamContext(engine) if report is None else UpstreamContext(engine, report)
        self._context = made if context is None else context
        self._settings = settings
        self._origin_settings = OriginSettings() if origins is None else origins
        self._clusters: dict[str, Cluster] = {}
        self._origins: dict[tuple[str, str, int], Cluster] = {}
        self._used_at: dict[tuple[str, str, int], float] = {}
        engine.on_tick.append(self.tick)

    def cluster(self, name: str) -> Cluster:
        """That of alias `name`, which is written without its @. Raises NoClusterError."""
        cluster = self._clusters.get(name)
        if cluster is None:
            try:
                settings = self._settings[name]
            except KeyError:
                known = ", ".join(f"@{each}" for each in sorted(self._settings)) or "none"
                raise NoClusterError(f"there is no alias @{name} that speaks HTTP (there are: {known})") from None
            cluster = self._clusters[name] = Cluster(settings, self._context)
        return cluster

    def origin(self, scheme: str, host: str, port: int) -> Cluster:
        """That of a server by itself; `scheme` is http, https, or h2c for one that is known to speak HTTP/2 in
        cleartext. Raises UpstreamError when calls to too many different ones are under way."""
        key = (scheme, host, port)
        cluster = self._origins.get(key)
        if cluster is None:
            if len(self._origins) >= MAX_ORIGINS:
                self._drop_one()
            cluster = self._origins[key] = self._make_origin(scheme, host, port)
        self._used_at[key] = self._context.engine.now
        return cluster

    def _make_origin(self, scheme: str, host: str, port: int) -> Cluster:
        kind = self._origin_settings
        member = MemberSettings(host, port)
        settings = ClusterSettings(
            f"{scheme}://{member.name}", (member,), tls=kind.tls if scheme == "https" else None, pool=kind.pool,
            version=HttpVersion.HTTP2 if scheme == "h2c" else kind.version, health=kind.health,
        )  # fmt: skip
        return Cluster(settings, self._context)

    def _drop_one(self) -> None:
        """Make room: the one that nobody has asked for the longest."""
        idle = [key for key, cluster in self._origins.items() if not cluster.in_flight]
        if not idle:
            raise UpstreamError(Failure.SATURATED, f"calls to {MAX_ORIGINS} servers are under way", is_unsent=True)
        self._drop(min(idle, key=self._used_at.__getitem__))

    def _drop(self, key: tuple[str, str, int]) -> None:
        self._used_at.pop(key, None)
        self._origins.pop(key).close()

    def tick(self) -> None:
        """Once a second: close what has been idle for long."""
        for cluster in self._clusters.values():
            cluster.tick()
        limit = self._context.engine.now - ORIGIN_IDLE_S
        for key, cluster in list(self._origins.items()):
            cluster.tick()
            if self._used_at[key] < limit and not cluster.in_flight:
                self._drop(key)

    def close(self) -> None:
        """The worker ends."""
        for cluster in (*self._clusters.values(), *self._origins.values()):
            cluster.close()
        self._context.resolver.close()
        self._context.deadlines.close()
