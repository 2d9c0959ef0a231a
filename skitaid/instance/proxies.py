"""From a mounted alias to the settings of a reverse proxy. Imported by workers that have one."""

from __future__ import annotations

from skitaid.config.model import Alias, Balance, ProxyTarget
from skitaid.handlers.body_rules import BodyRules
from skitaid.handlers.proxy.reverse import ProxySettings
from skitaid.protocols.hosts import uri_host
from skitaid.upstream.affinity import Affinity
from skitaid.upstream.call import CallTimeouts

__all__ = ["origins_of", "proxy_settings"]


def proxy_settings(
    alias: Alias, target: ProxyTarget, *, where: str, bodies: BodyRules, tunnel_s: float
) -> ProxySettings:
    """The slice of the conf for one mount of an alias."""
    policy = ("member" if alias.ssl else "pass") if alias.host == "auto" else alias.host
    return ProxySettings(
        where,
        alias.name,
        remap=target.remap,
        origins=origins_of(alias),
        host=None if policy in ("pass", "member") else policy.encode("ascii"),
        passes_host=policy == "pass",
        source=alias.source,
        bodies=bodies,
        timeouts=CallTimeouts(alias.connect_timeout_s, alias.response_timeout_s, alias.total_timeout_s),
        affinity=_affinity(alias.balance),
        tunnel_s=tunnel_s,
    )


def origins_of(alias: Alias) -> tuple[bytes, ...]:
    """What the members may call themselves in a redirect: with their port, and without it where it goes without
    saying. Of a member that has no name of its own, nothing is known."""
    scheme, usual = ("https", 443) if alias.ssl else ("http", 80)
    found: list[str] = []
    for member in alias.members:
        if member.path is None:
            found += _origins(f"{scheme}://{uri_host(member.host)}", member.port or usual, usual)
    return tuple(origin.encode("ascii") for origin in dict.fromkeys(found))


def _origins(origin: str, port: int, usual: int) -> list[str]:
    return [f"{origin}:{port}", origin] if port == usual else [f"{origin}:{port}"]


def _affinity(balance: Balance) -> Affinity | None:
    name = balance.header or balance.cookie
    return None if name is None else Affinity(name.encode("utf-8"), is_cookie=balance.cookie is not None)
