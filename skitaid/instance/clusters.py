"""From the aliases of a conf to clusters. Imported by workers that have such an alias, or whose apps call others."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable
from typing import Final

from skitaid.config.members import DATABASE_TYPES
from skitaid.config.model import Alias, Instance, Member, Server
from skitaid.engine.server import Engine
from skitaid.upstream.call import CallTimeouts
from skitaid.upstream.health import HealthSettings
from skitaid.upstream.selection import Balance
from skitaid.upstream.settings import (
    CheckSettings,
    ClusterSettings,
    HttpVersion,
    MemberSettings,
    PoolSettings,
    TlsSettings,
)
from skitaid.upstream.upstreams import OriginSettings, Upstreams

__all__ = ["cluster_settings", "make_upstreams"]

_VERSIONS: Final = {"auto": HttpVersion.ANY, "http1": HttpVersion.HTTP1, "http2": HttpVersion.HTTP2}


def make_upstreams(engine: Engine, instance: Instance, report: Callable[[str], None]) -> Upstreams:
    """The clusters of a worker. `report` is told, a line each, of members that go and come back."""
    server = instance.server
    clusters = {
        alias.name: cluster_settings(alias, server)
        for alias in instance.aliases.values()
        if alias.type not in DATABASE_TYPES
    }
    origins = OriginSettings(pool=PoolSettings(max_connections=250, keep_alive_s=server.backend_keep_alive_s))
    return Upstreams(engine, clusters, origins=origins, report=report)


def cluster_settings(alias: Alias, server: Server) -> ClusterSettings:
    """An alias' slice of the conf."""
    keep_alive_s = server.backend_keep_alive_s if alias.keep_alive_s is None else alias.keep_alive_s
    return ClusterSettings(
        alias.name,
        tuple(_member(member, 443 if alias.ssl else 80) for member in alias.members),
        tls=TlsSettings(alias.verify, None if alias.ca is None else str(alias.ca)) if alias.ssl else None,
        balance=Balance(alias.balance.method),
        health=HealthSettings(alias.fails, alias.eject_s, alias.eject_max_s),
        pool=PoolSettings(
            max_connections=alias.max_connections, max_idle=alias.max_connections, keep_alive_s=keep_alive_s,
            max_age_s=alias.max_age_s,
        ),
        timeouts=CallTimeouts(alias.connect_timeout_s, alias.response_timeout_s, alias.total_timeout_s),
        version=_VERSIONS[alias.protocol],
        tries=len(alias.members) if alias.retries is None else alias.retries + 1,
        check=_check(alias),
    )  # fmt: skip


def _member(member: Member, port: int) -> MemberSettings:
    return MemberSettings(member.host, member.port or port, member.path, member.weight, _authorization(member))


def _authorization(member: Member) -> bytes | None:
    """Basic (RFC 7617)."""
    if member.user is None and member.password is None:
        return None
    credentials = f"{member.user or ''}:{member.password or ''}"
    return b"Basic " + b2a_base64(credentials.encode("utf-8"), newline=False)


def _check(alias: Alias) -> CheckSettings | None:
    if alias.check is None:
        return None
    host = None if alias.host in ("auto", "pass", "member") else alias.host.encode("ascii")
    return CheckSettings(alias.check.encode("ascii"), alias.check_interval_s, alias.check_timeout_s, host)
