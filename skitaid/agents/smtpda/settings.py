"""What the mail agent needs of the conf: `[smtpda]` of skitaid.conf in the agent's own words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skitaid.agents.arguments import Arguments
from skitaid.agents.smtpda.couriers import Limits
from skitaid.agents.smtpda.envelope import Route, Starttls, parse_server
from skitaid.agents.smtpda.host import host_name
from skitaid.agents.smtpda.retry import Policy
from skitaid.agents.smtpda.session import Terms
from skitaid.agents.smtpda.signing import Signer, read_signer
from skitaid.config.model import Main, Smtpda

__all__ = ["Settings"]

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the mail agent is told by the conf. `route`: the smart host. `keep_s`: how long what was given up is
    kept."""

    spool: Path
    route: Route
    terms: Terms
    limits: Limits
    policy: Policy
    keep_s: float
    dkim: tuple[str, str, Path] | None = None

    @classmethod
    def of(cls, main: Main, arguments: Arguments) -> Settings:
        """A conf without the section has all its defaults."""
        conf = main.smtpda or Smtpda()
        host, port = parse_server(conf.smtpserver)
        starttls = Starttls(conf.starttls) if conf.starttls else Starttls.DEFAULT
        route = Route(host, port, conf.user, conf.password, conf.ssl, starttls)
        dkim = (conf.dkim_domain, conf.dkim_selector, conf.dkim_key)
        return cls(
            spool=arguments.var_path(main.global_),
            route=route,
            terms=Terms(conf.hostname or host_name(), conf.timeout_s, conf.cafile),
            limits=Limits(conf.concurrency, conf.concurrency_per_host or conf.concurrency, route),
            policy=Policy(conf.max_retry, conf.retry_after_s),
            keep_s=conf.undelivers_keep_max_days * DAY_S,
            dkim=(dkim[0], dkim[1], dkim[2]) if dkim[0] and dkim[1] and dkim[2] else None,
        )

    def signer(self) -> Signer | None:
        """What signs outgoing mail; None when the conf names no DKIM key. Raises SigningError when the key cannot be
        read."""
        return read_signer(*self.dkim) if self.dkim else None
