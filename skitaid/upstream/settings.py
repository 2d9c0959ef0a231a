"""What a cluster is told about itself: frozen, and made by whoever composes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from skitaid.protocols.hosts import uri_host
from skitaid.upstream.call import CallTimeouts
from skitaid.upstream.health import HealthSettings
from skitaid.upstream.selection import Balance

__all__ = ["CheckSettings", "ClusterSettings", "HttpVersion", "MemberSettings", "PoolSettings", "TlsSettings"]


class HttpVersion(Enum):
    """What is spoken with the members."""

    HTTP1 = "http/1.1"
    HTTP2 = "h2"  # over TLS by ALPN; in cleartext by prior knowledge
    ANY = "any"  # over TLS what the member prefers; in cleartext HTTP/1.1


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """Where a member is. `path` for a unix socket; then `host` and `port` do not count. `authorization`: the field that
    every call there has, whatever it says itself."""

    host: str
    port: int = 80
    path: str | None = None
    weight: int = 1
    authorization: bytes | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """For logs; the same in every worker."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"{uri_host(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How members' certificates are verified. `verify` False takes any certificate. `ca`: a file of the authorities to
    be believed, None: those of the system. `server_name`: whom the certificate is for, None: the member's host.
    `certfile`: what we show to a member that asks; `keyfile` None: the key sits inside it."""

    verify: bool = True
    ca: str | None = None
    server_name: str | None = None
    certfile: str | None = None
    keyfile: str | None = None


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """For each member, in each worker. `max_connections` at a time, of which `max_idle` stay open for `keep_alive_s`
    when nothing is in flight, and none for longer than `max_age_s`. `max_waiting` calls may wait for a connection, and
    no longer than `wait_s`."""

    max_connections: int = 100
    max_idle: int = 100
    keep_alive_s: float = 10.0
    max_age_s: float = 300.0
    max_waiting: int = 1000
    wait_s: float = 10.0


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """How members are checked beside their calls. `target` is asked for; 2xx and 3xx are well. `host`: the Host field,
    None: that of the member."""

    target: bytes
    interval_s: float = 5.0
    timeout_s: float = 2.0
    host: bytes | None = None


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """A cluster: its members and how they are dealt with. `timeouts` are for callers that have none of their own.
    `tries`: so many members at most hear of one call. `check` None: members are not checked beside their calls."""

    name: str
    members: tuple[MemberSettings, ...]
    tls: TlsSettings | None = None
    balance: Balance = Balance.ROUND_ROBIN
    health: HealthSettings = field(default_factory=HealthSettings)
    pool: PoolSettings = PoolSettings()
    timeouts: CallTimeouts = field(default_factory=CallTimeouts)
    version: HttpVersion = HttpVersion.HTTP1
    tries: int = 3
    check: CheckSettings | None = None
