"""The effective configuration as text, with every default: conf or YAML. Loading it gives an equal Instance or Main.

Passwords are in it as in the file itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from skitaid.config.members import DATABASE_TYPES, show_member
from skitaid.config.model import Alias, Crontab, Host, Instance, Main, Mount, Server, Tls
from skitaid.config.quoting import quote
from skitaid.config.routes import DEFAULT_HOST
from skitaid.config.schema import (
    ALIAS,
    ALIAS_OF_ANY_TYPE,
    CRITICAL_POINT,
    FORWARD_PROXY,
    GATEWAY,
    GLOBAL,
    HOST,
    MOUNT,
    PROXY_CACHE,
    SERVER,
    SMTPDA,
    STATE,
    Keys,
)
from skitaid.config.targets import show_target
from skitaid.config.tls import TLS_KEYS

__all__ = ["dump_conf", "dump_yaml"]

Shown = str | tuple[str, ...]
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_/.-]*|0|[1-9][0-9]*(\.[0-9]+)?", re.ASCII)


def dump_conf(config: Instance | Main) -> str:
    """The configuration in the conf language."""
    return "\n".join(f"{_conf_sheet(sheet)}\n" for sheet in _sheets(config))


def dump_yaml(config: Instance | Main) -> str:
    """The configuration as YAML."""
    return "\n".join(f"{_yaml_sheet(sheet)}\n" for sheet in _sheets(config))


# ---------------------------------------------------------------- what is to be written


@dataclass(frozen=True, slots=True)
class _Entries:
    """A section of keys."""

    name: str
    entries: tuple[tuple[str, Shown], ...]


@dataclass(frozen=True, slots=True)
class _Lines:
    """A section of plain lines."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Routes:
    hosts: tuple[Host, ...]


_Sheet = _Entries | _Lines | _Routes


def _sheets(config: Instance | Main) -> Iterator[_Sheet]:
    return _instance_sheets(config) if isinstance(config, Instance) else _main_sheets(config)


def _main_sheets(main: Main) -> Iterator[_Sheet]:
    yield _entries("global", main.global_, GLOBAL)
    if main.smtpda is not None:
        yield _entries("smtpda", main.smtpda, SMTPDA)
    yield from _crontab(main.crontab)
    yield _entries("state", main.state, STATE)


def _instance_sheets(instance: Instance) -> Iterator[_Sheet]:
    yield _Entries("server", tuple(_server_entries(instance.server)))
    if instance.environment:
        yield _Entries("environment", instance.environment)
    for alias in instance.aliases.values():
        yield _alias(alias)
    if instance.hosts:
        yield _Routes(instance.hosts)
    yield from _host_certificates(instance.hosts)
    yield from _mount_options(instance.hosts)
    yield _entries("proxypass", instance.proxy_cache, PROXY_CACHE)
    yield _entries("proxy", instance.forward_proxy, FORWARD_PROXY)
    yield _entries("api-gateway", instance.gateway, GATEWAY)
    if instance.critical_point is not None:
        yield _entries("critical_point", instance.critical_point, CRITICAL_POINT)
    yield from _crontab(instance.crontab)


def _entries(name: str, config: object, keys: Keys) -> _Entries:
    return _Entries(name, tuple((key, each.kind.show(getattr(config, each.field))) for key, each in keys.items()))


def _server_entries(server: Server) -> Iterator[tuple[str, Shown]]:
    elsewhere = {**_tls_values(server), "listen": tuple(each for each in server.listen if not each.is_forward)}
    for name, key in SERVER.items():
        if name not in ("ip", "port"):  # `listen` says it
            value = elsewhere[name] if name in elsewhere else getattr(server, key.field)
            yield name, key.kind.show(value)


def _tls_values(server: Server) -> dict[str, Any]:
    tls = server.tls or Tls()
    own = tls.certificate
    return {
        "ssl": server.tls is not None,
        "certfile": own and own.certfile,
        "keyfile": own and own.keyfile,
        "passphrase": own and own.passphrase,
        **{name: getattr(tls, SERVER[name].field) for name in TLS_KEYS if name not in ("ssl", *HOST)},
    }


def _host_certificates(hosts: Iterable[Host]) -> Iterator[_Entries]:
    for host in hosts:
        if host.certificate is not None:
            yield _entries(host.names[0], host.certificate, HOST)


def _alias(alias: Alias) -> _Entries:
    members = tuple(show_member(member, alias.type) for member in alias.members)
    names = ALIAS_OF_ANY_TYPE if alias.type in DATABASE_TYPES else tuple(ALIAS)
    shown = ((name, ALIAS[name].kind.show(getattr(alias, ALIAS[name].field))) for name in names if name != "members")
    return _Entries(f"@{alias.name}", (*shown, ("members", members)))


def _mount_options(hosts: Iterable[Host]) -> Iterator[_Entries]:
    for host in hosts:
        seen: dict[str, Mount] = {}
        for mount in host.mounts:
            if seen.setdefault(mount.path, mount) is mount:
                yield _options((host.names or ("",))[0], mount)


def _options(host: str, mount: Mount) -> _Entries:
    plain = _entries(f"{host}{mount.path}", mount.options, MOUNT)
    config = tuple((f"config.{name}", value) for name, value in mount.options.config.items())
    return _Entries(plain.name, plain.entries + config)


def _crontab(crontab: Crontab | None) -> Iterator[_Lines]:
    if crontab is not None:
        yield _Lines("crontab", tuple(line.text for line in crontab.lines))


# ---------------------------------------------------------------- conf


def _conf_sheet(sheet: _Sheet) -> str:
    if isinstance(sheet, _Entries):
        lines = (f"{key} = {_conf_value(value)}".rstrip() for key, value in sheet.entries)
        return "\n".join((f"[{sheet.name}]", *lines))
    if isinstance(sheet, _Lines):
        return "\n".join((f"[{sheet.name}:line]", *sheet.lines))
    return "\n".join(("[routes:line]", *_conf_routes(sheet.hosts)))


def _conf_value(value: Shown) -> str:
    if isinstance(value, str):
        return quote(value)
    return ", ".join(quote(item, in_list=True) for item in value)


def _conf_routes(hosts: Iterable[Host]) -> Iterator[str]:
    for host in hosts:
        yield f": {' '.join(host.names) or DEFAULT_HOST}"
        for mount in host.mounts:
            yield f"{mount.path} = {quote(show_target(mount.target))}"


# ---------------------------------------------------------------- YAML


def _yaml_sheet(sheet: _Sheet) -> str:
    if isinstance(sheet, _Entries):
        lines = (f"  {_yaml_scalar(key)}: {_yaml_value(value)}" for key, value in sheet.entries)
        return "\n".join((f"{_yaml_scalar(sheet.name)}:", *lines))
    if isinstance(sheet, _Lines):
        return "\n".join((f"{sheet.name}:", *(f"  - {_yaml_scalar(line)}" for line in sheet.lines)))
    return "\n".join(("routes:", *_yaml_routes(sheet.hosts)))


def _yaml_value(value: Shown) -> str:
    if isinstance(value, str):
        return _yaml_scalar(value)
    return f"[{', '.join(_yaml_scalar(item) for item in value)}]"


def _yaml_routes(hosts: Iterable[Host]) -> Iterator[str]:
    for host in hosts:
        if host.is_default:
            yield from _yaml_mounts(host.mounts, "  ")
        else:
            yield f"  - host: {_yaml_value(host.names)}"
            yield "    routes:" if host.mounts else "    routes: []"
            yield from _yaml_mounts(host.mounts, "      ")


def _yaml_mounts(mounts: Iterable[Mount], indent: str) -> Iterator[str]:
    for mount in mounts:
        yield f"{indent}- {_yaml_scalar(mount.path)}: {_yaml_scalar(show_target(mount.target))}"


def _yaml_scalar(text: str) -> str:
    """Plain for words, paths and numbers; in quotes whatever another YAML reader could take for something else."""
    if _PLAIN.fullmatch(text) and text.lower() != "null":
        return text
    return '"' + "".join(_yaml_escaped(char) for char in text) + '"'


def _yaml_escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return f"\\U{ord(char):08x}"
