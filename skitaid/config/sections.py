"""The sections of both kinds of file, each to its dataclass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from skitaid.config.aliases import build_aliases
from skitaid.config.crontab import parse_crontab
from skitaid.config.document import Section
from skitaid.config.fields import TRUE_WORDS
from skitaid.config.gateway import build_gateway, warn_of_roles
from skitaid.config.model import (
    CriticalPoint,
    Crontab,
    CrontabLine,
    ForwardProxy,
    Global,
    Host,
    Instance,
    Listen,
    Main,
    Origin,
    ProxyCache,
    Server,
    Smtpda,
    State,
)
from skitaid.config.paths import check_readable
from skitaid.config.report import UnfitError, nearest
from skitaid.config.routes import build_hosts, is_mount_section
from skitaid.config.schema import (
    CRITICAL_POINT,
    FORWARD_PROXY,
    GLOBAL,
    PROXY_CACHE,
    SERVER,
    SERVER_SOURCES,
    SMTPDA,
    STATE,
    names,
)
from skitaid.config.take import Context, Given, collect, fill, take
from skitaid.config.tls import TLS_KEYS, build_tls, forward_listens, named_hosts

__all__ = ["build_instance", "build_main"]

MAIN_SECTIONS = {"global": False, "smtpda": False, "crontab": True, "state": False}
INSTANCE_SECTIONS = {
    **dict.fromkeys(SERVER_SOURCES, False),
    "proxypass": False,
    "api-gateway": False,
    "environment": False,
    "critical point": False,
    "critical_point": False,
    "routes": True,
    "crontab": True,
}
"""The fixed section names, and whether they hold lines."""

_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\]):\d+", re.ASCII)

CLIENT_LIMITS = ("max_post_body_bytes", "max_multipart_body_bytes", "max_upload_file_bytes")
"""What max_client_body_size sets where the file does not say it."""


# ---------------------------------------------------------------- skitaid.conf


def build_main(context: Context, etc: Path, roots: Global) -> Main:
    """skitaid.conf; `roots` are the folders that apply where it names none."""
    _check_names(context, MAIN_SECTIONS)
    given = take(context, "global", GLOBAL)
    return Main(
        global_=Global(**{"log_path": roots.log_path, "var_path": roots.var_path, "run_path": roots.run_path, **given}),
        etc=etc,
        path=Path(context.place.path),
        smtpda=_smtpda(context),
        crontab=_crontab(context),
        state=State(**take(context, "state", STATE)),
    )


def _smtpda(context: Context) -> Smtpda | None:
    section = context.document.get("smtpda")
    if section is None:
        return None
    given = collect(context, {"smtpda": names(SMTPDA)})
    found = Smtpda(**fill(context, given, SMTPDA))
    if found.ssl and found.starttls in ("yes", "opportunistic"):
        text = "[smtpda] ssl and starttls are both on: expected one of them"
        context.report.error(section.line, text, "ssl for port 465, starttls for port 587 and 25")
    dkim = {"dkim_domain": found.dkim_domain, "dkim_selector": found.dkim_selector, "dkim_key": found.dkim_key}
    missing = [name for name, value in dkim.items() if not value]
    if 0 < len(missing) < len(dkim):
        context.report.error(section.line, f"[smtpda] to sign mail, {' and '.join(missing)} must be there too")
    if found.user and found.password and not found.ssl and not _LOOPBACK.match(found.smtpserver):
        _doubt_starttls(context, given, found)
    _doubt_files(context, given, found)
    return found


def _doubt_files(context: Context, given: Mapping[str, Given], found: Smtpda) -> None:
    """Not errors: sites are served without them."""
    for key, path in (("cafile", found.cafile), ("dkim_key", found.dkim_key)):
        if path is not None:
            try:
                check_readable(path)
            except UnfitError as error:
                text = f"[smtpda] {key} = {path}: {error.text}: no mail is delivered"
                context.report.warn(given[key].line, text, error.fix)


def _doubt_starttls(context: Context, given: Mapping[str, Given], found: Smtpda) -> None:
    if found.starttls == "opportunistic":
        text = (
            f"the password can be had by whoever is between here and {found.smtpserver}: it is sent without TLS "
            "when none is offered, and with TLS the certificate is not looked at"
        )
    elif found.starttls == "no":
        text = f"the password goes to {found.smtpserver} in the clear, unless that offers CRAM-MD5"
    else:
        return
    context.report.warn(given["starttls"].line, f"[smtpda] starttls = {found.starttls}: {text}", "starttls = yes")


# ---------------------------------------------------------------- servers-enabled/NAME.conf


def build_instance(context: Context, name: str, main: Main) -> Instance:
    """One instance. Errors are in the context's report; the result is worth something only without any."""
    _check_names(context, INSTANCE_SECTIONS)
    aliases = build_aliases(context)
    # [proxy] has a key of the server's beside its own
    given = collect(context, {**SERVER_SOURCES, "proxy": {**SERVER_SOURCES["proxy"], **names(FORWARD_PROXY)}})
    hosts = build_hosts(
        context, {name: alias.type for name, alias in aliases.items()}, is_tls=_is_true(given.get("ssl"))
    )
    gateway = build_gateway(context)
    warn_of_roles(context, gateway, aliases, hosts)
    return Instance(
        name=name,
        path=Path(context.place.path),
        server=_server(context, main, {name: written for name, written in given.items() if name in SERVER}, hosts),
        environment=_environment(context),
        hosts=hosts,
        aliases=aliases,
        proxy_cache=ProxyCache(**take(context, "proxypass", PROXY_CACHE)),
        forward_proxy=_forward_proxy(context, given),
        gateway=gateway,
        critical_point=_critical_point(context),
        crontab=_crontab(context),
    )


def _is_true(given: Given | None) -> bool:
    return given is not None and given.entry.value.text.lower() in TRUE_WORDS


def _server(context: Context, main: Main, given: Mapping[str, Given], hosts: tuple[Host, ...]) -> Server:
    values = fill(context, given, SERVER)
    listens = _listen(context, given, values)
    tls = build_tls(context, given, values, in_hosts=any(host.certificate is not None for host in hosts))
    if tls is not None and all(listen.path is not None for listen in listens):
        text = f"{given['ssl']}: TLS is spoken on TCP addresses, and there is none; expected one in listen"
        context.report.error(given["ssl"].line, text, "listen = 0.0.0.0:443")
    if tls is not None and tls.forward:
        listens += forward_listens(context, given["forward"], tls.forward, listens)
    values["listen"], values["tls"] = listens, tls
    if any(name.endswith("/0") for name in values.get("trusted", ())):
        text = f"{given['trusted']}: anybody can claim to be anybody else; expected the addresses of your proxies"
        context.report.warn(given["trusted"].line, text)
    for key in ("ip", "port", *TLS_KEYS):
        values.pop(SERVER[key].field, None)
    if values.get("user") is None:
        values["user"] = main.global_.user
        values["group"] = values.get("group") or main.global_.group
    values["python"] = values.get("python") or main.global_.python
    if values.get("max_client_body_bytes") is not None:
        for name in CLIENT_LIMITS:
            values.setdefault(name, values["max_client_body_bytes"])
    return Server(**values)


def _forward_proxy(context: Context, given: Mapping[str, Given]) -> ForwardProxy:
    own = {name: written for name, written in given.items() if name in FORWARD_PROXY}
    found = ForwardProxy(**fill(context, own, FORWARD_PROXY))
    if not found.users and any(name.endswith("/0") for name in found.allow):
        text = f"{own['allow']}: everybody can use the proxy; expected the addresses of your clients"
        context.report.warn(own["allow"].line, text, "or ask for a name and a password: users = name:password")
    return found


def _listen(context: Context, given: Mapping[str, Given], values: Mapping[str, Any]) -> tuple[Listen, ...]:
    for key in ("ip", "port"):
        if "listen" in given and key in given:
            text = f"{given[key]}: listen at line {given['listen'].line} says it already; expected one of the two"
            context.report.error(given[key].line, text, f"remove {key}")
    if "listen" in given:
        found: tuple[Listen, ...] = values.get("listen", ())
        return found
    origin = Origin(context.place.path, max((given[key].line for key in ("ip", "port") if key in given), default=0))
    default = Listen()
    return (Listen(values.get("ip", default.host), values.get("port", default.port), origin=origin),)


def _environment(context: Context) -> tuple[tuple[str, str], ...]:
    section = context.document.get("environment")
    found = []
    for entry in section.entries if section else ():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", entry.key, re.ASCII):
            text = f"[environment] {entry.key}: expected a name of letters, digits and _"
            context.report.error(entry.line, text, "rename it")
        elif entry.value.is_list:
            context.report.error(entry.line, f"[environment] {entry.key} is a list: expected text", "write one value")
        else:
            found.append((entry.key, entry.value.text))
    return tuple(found)


def _critical_point(context: Context) -> CriticalPoint | None:
    names = ("critical point", "critical_point")
    both = [section for name in names if (section := context.document.get(name)) is not None]
    if not both:
        return None
    if len(both) > 1:
        first, second = sorted(both, key=lambda section: section.line)
        text = f"section [{second.name}] says the same as [{first.name}] at line {first.line}"
        context.report.error(second.line, text, "keep one of the two")
    found = CriticalPoint(**take(context, both[0].name, CRITICAL_POINT))
    return found if found.interval_s else None


def _crontab(context: Context) -> Crontab | None:
    section = context.document.get("crontab")
    if section is None:
        return None
    crontab = Crontab(tuple(CrontabLine(line.text, Origin(context.place.path, line.line)) for line in section.lines))
    parse_crontab(
        crontab.lines, lambda line, error: context.report.error(line.origin.line, f"[crontab] {error.text}", error.fix)
    )
    return crontab


# ---------------------------------------------------------------- names of sections


def _check_names(context: Context, fixed: Mapping[str, bool]) -> None:
    hosts = named_hosts(context.document) if fixed is INSTANCE_SECTIONS else None
    for name, section in context.document.sections.items():
        is_free = hosts is not None and (name.startswith("@") or is_mount_section(name) or name.lower() in hosts)
        if name not in fixed and not is_free:
            _report_unknown(context, section, fixed)
        elif section.has_lines != fixed.get(name, False):
            suffix = ":line" if fixed.get(name) else ""
            context.report.error(section.line, f"[{name}:line] holds keys, not lines", f"write [{name}{suffix}]")


def _report_unknown(context: Context, section: Section, fixed: Mapping[str, bool]) -> None:
    other, where = (
        (MAIN_SECTIONS, "skitaid.conf")
        if fixed is INSTANCE_SECTIONS
        else (INSTANCE_SECTIONS, "a file in servers-enabled")
    )
    text = f"unknown section [{section.name}{':line' if section.has_lines else ''}]"
    if section.name in other:
        context.report.error(section.line, text, f"it belongs in {where}")
        return
    found = nearest(section.name, _candidates(context, fixed))
    known = ", ".join(_header(name, fixed) for name in fixed)
    fix = f"did you mean {_header(found, fixed)}?" if found else f"known here: {known}"
    context.report.error(section.line, text, fix)


def _header(name: str, fixed: Mapping[str, bool]) -> str:
    return f"[{name}:line]" if fixed.get(name) else f"[{name}]"


def _candidates(context: Context, fixed: Iterable[str]) -> Iterable[str]:
    """Known names, for `[search]` also the alias @search that a route names, and the hosts."""
    routes = context.document.get("routes")
    targets = (line.text.partition("=")[2].strip() for line in (routes.lines if routes else ()))
    aliases = (target.partition("/")[0] for target in targets if target.startswith("@"))
    return [*fixed, *aliases, *sorted(named_hosts(context.document))]
