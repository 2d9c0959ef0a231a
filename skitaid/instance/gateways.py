"""From `[api-gateway]` to a gateway in front of the proxies. Imported by workers that have one."""

from __future__ import annotations

from collections.abc import Callable

from skitaid.config.model import Alias
from skitaid.config.model import Gateway as GatewayConf
from skitaid.engine.server import Engine
from skitaid.engine.trust import TrustedPeers
from skitaid.exceptions import SkitaidError
from skitaid.handlers.gateway.gateway import Access, Gated, Gateway, GatewaySettings
from skitaid.handlers.gateway.tokens import TokenSettings, TokenVerifier
from skitaid.handlers.router import RouteHandler
from skitaid.instance.applog import AppLog

__all__ = ["GatewayError", "gated", "make_gateway"]


class GatewayError(SkitaidError):
    """There can be no gateway as the conf has it; its author, or whoever installs packages, must act."""


def make_gateway(engine: Engine, conf: GatewayConf, app_log: AppLog, report: Callable[[str], None]) -> Gateway:
    """The gateway of a worker. `report` is told a line for each request that is refused. Raises GatewayError."""
    settings = GatewaySettings(conf.authenticate, conf.realm)
    return Gateway(engine, settings, _verifier(conf), write=report, on_failure=app_log.app_failed)


def gated(gateway: Gateway, inner: RouteHandler, alias: Alias) -> RouteHandler:
    """The proxy of an alias, behind the gateway."""
    return Gated(gateway, inner, Access(alias.name, alias.roles, TrustedPeers(alias.source) if alias.source else None))


def _verifier(conf: GatewayConf) -> TokenVerifier | None:
    """None without a key: then no JWT is believed."""
    key = _key(conf)
    if key is None:
        return None
    try:
        return TokenVerifier(TokenSettings(key, conf.algorithms, conf.leeway_s, conf.audience))
    except ImportError as error:
        advice = "install PyJWT for the interpreter that runs skitaid"
        raise GatewayError(f"[api-gateway] needs the package PyJWT: {error} ({advice})") from error
    except (ValueError, NotImplementedError) as error:
        advice = "give it a key of that kind; RS, PS, ES and EdDSA need the package cryptography too"
        raise GatewayError(f"[api-gateway]: {error} ({advice})") from error


def _key(conf: GatewayConf) -> bytes | None:
    if conf.public_key is None:
        return None if conf.secret_key is None else conf.secret_key.encode()
    try:
        return conf.public_key.read_bytes()
    except OSError as error:
        advice = "let the user of this instance read it"
        raise GatewayError(f"cannot read {conf.public_key}: {error.strerror} ({advice})") from error
