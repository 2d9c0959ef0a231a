"""`[api-gateway]`: its keys, and whether they hold what the rest of the file relies on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from skitaid.config.model import Alias, Gateway, Host, ProxyTarget
from skitaid.config.paths import check_readable
from skitaid.config.report import UnfitError
from skitaid.config.schema import GATEWAY, names
from skitaid.config.take import Context, Given, collect, fill, report_unfit
from skitaid.config.words import KEY_ALGORITHMS, SECRET_ALGORITHMS

__all__ = ["build_gateway", "warn_of_roles"]

SECTION = "api-gateway"


def build_gateway(context: Context) -> Gateway:
    """The section. What is wrong with it is in the report."""
    given = collect(context, {SECTION: names(GATEWAY)})
    values = fill(context, given, GATEWAY)
    found = Gateway(**values)
    if not found.algorithms:
        _error(context, given, "algorithms", "is empty: expected at least one", "write algorithms = HS256")
    by_secret = [name for name in found.algorithms if name in SECRET_ALGORITHMS]
    by_key = [name for name in found.algorithms if name in KEY_ALGORITHMS]
    if by_secret and by_key:
        text = f"{by_secret[0]} signs with a secret, {by_key[0]} with a pair of keys; expected one kind"
        _error(context, given, "algorithms", text, "whoever has the public key could sign with it as the secret")
    else:
        _check_key(context, given, values, found)
    if found.enable_gateway:
        _warn(context, given, found)
    return found


def _check_key(context: Context, given: Mapping[str, Given], values: Mapping[str, Any], found: Gateway) -> None:
    """Each kind of algorithm has its own kind of key."""
    is_secret = set(found.algorithms) <= set(SECRET_ALGORITHMS)
    path = values.get("public_key")
    if path is not None:
        if is_secret:
            text = f"{', '.join(found.algorithms)} signs with secret_key; expected no public_key"
            _error(context, given, "public_key", text, "name an algorithm such as RS256, or remove the line")
        else:
            _check_file(context, given["public_key"], path)
    elif found.algorithms and not is_secret:
        text = f"{found.algorithms[0]} needs the public key of whoever signs; expected public_key = FILE.pem"
        _error(context, given, "algorithms", text, f"put it into {context.place.cert}")


def _check_file(context: Context, given: Given, path: Path) -> None:
    try:
        check_readable(path)
    except UnfitError as error:
        report_unfit(context.report, given, GATEWAY["public_key"], error)


def _warn(context: Context, given: Mapping[str, Given], found: Gateway) -> None:
    line = given["enable_gateway"].line
    if found.secret_key is None and found.public_key is None:
        if found.authenticate:
            text = f"[{SECTION}] has no secret_key: expected one; without it no token is believed"
            context.report.warn(line, text, "unless an app sets a handler for tokens of its own")
    elif found.secret_key is not None and len(found.secret_key.encode()) < _secret_bytes(found.algorithms):
        count = _secret_bytes(found.algorithms)
        text = f"[{SECTION}] secret_key is shorter than {count} bytes: it can be found by trying"
        context.report.warn(given["secret_key"].line, text, 'make one: python3 -c "import secrets; '
                            'print(secrets.token_urlsafe(64))"')  # fmt: skip


def _secret_bytes(algorithms: Iterable[str]) -> int:
    """RFC 7518 section 3.2: as many as the digest has."""
    return max((int(name[2:]) // 8 for name in algorithms if name in SECRET_ALGORITHMS), default=0)


def warn_of_roles(context: Context, gateway: Gateway, aliases: Mapping[str, Alias], hosts: Iterable[Host]) -> None:
    """Roles of a mounted alias that nobody looks at."""
    if gateway.enable_gateway:
        return
    for mount in (mount for host in hosts for mount in host.mounts):
        alias = aliases.get(mount.target.alias) if isinstance(mount.target, ProxyTarget) else None
        if alias is not None and alias.roles:
            text = f"{mount.path} = @{alias.name}: its roles are looked at by the gateway alone, which is off"
            context.report.warn(mount.origin.line, text, f"[{SECTION}] enable_gateway = yes")


def _error(context: Context, given: Mapping[str, Given], key: str, text: str, fix: str) -> None:
    written = given.get(key)
    section = context.document.get(SECTION)
    line = written.line if written is not None else section.line if section is not None else 0
    context.report.error(line, f"[{SECTION}] {key}: {text}", fix)
