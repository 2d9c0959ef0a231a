"""The keys about TLS: of the server, and of a host that has a certificate of its own (`[www.example.com]`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from skitaid.config.addresses import host_name
from skitaid.config.document import Document
from skitaid.config.model import Certificate, Listen, Origin, Tls
from skitaid.config.paths import check_readable
from skitaid.config.report import UnfitError
from skitaid.config.schema import HOST, SERVER, Key, Keys, names
from skitaid.config.take import Context, Given, collect, fill, report_unfit

__all__ = ["TLS_KEYS", "build_tls", "forward_listens", "host_certificate", "named_hosts"]

TLS_KEYS = (
    "ssl", "certfile", "keyfile", "passphrase", "client_ca", "client_cert", "forward", "hsts", "hsts_subdomains",
)  # fmt: skip
_WITH_TLS_ALONE = ("forward", "hsts", "hsts_subdomains")


def named_hosts(document: Document) -> frozenset[str]:
    """The names on host lines: a section may be called by one of them."""
    section = document.get("routes")
    words = [
        word
        for line in (section.lines if section else ())
        if line.text[:1] == ":" or (line.text[:1] == "@" and "=" not in line.text)
        for word in re.split(r"[\s,]+", line.text[1:].strip())
    ]
    found = set()
    for word in words:
        try:
            found.add(host_name(word))
        except UnfitError:
            # The host line's own mistake.
            continue
    return frozenset(found)


def build_tls(context: Context, given: Mapping[str, Given], values: Mapping[str, Any], *, in_hosts: bool) -> Tls | None:
    """The server's; None: it serves in the clear. `in_hosts`: some host has a certificate of its own."""
    if not values.get("ssl"):
        _complain_of_rest(context, given, values)
        return None
    certificate = _certificate(context, given, values, SERVER)
    if certificate is None and not in_hosts and ("certfile" not in given or not given["certfile"].entry.value.text):
        text = f"{given['ssl']}: certfile is missing; expected the certificate's file, in PEM form"
        fix = f"certfile = NAME.pem, in {context.place.cert}; {_how_to_try(context)}"
        context.report.error(given["ssl"].line, text, fix)
    if "client_ca" in given and values.get("client_ca") is not None:
        _check_readable(context, given["client_ca"], SERVER["client_ca"], values["client_ca"])
    default = Tls()
    return Tls(
        certificate,
        client_ca=values.get("client_ca"),
        client_cert=values.get("client_cert", default.client_cert),
        forward=values.get("forward", default.forward),
        hsts_s=values.get("hsts_s", default.hsts_s),
        hsts_subdomains=values.get("hsts_subdomains", default.hsts_subdomains),
    )


def _complain_of_rest(context: Context, given: Mapping[str, Given], values: Mapping[str, Any]) -> None:
    if values.get("client_ca") is not None:
        text = f"{given['client_ca']}: without ssl = yes nobody is asked for a certificate; expected ssl = yes"
        context.report.error(given["client_ca"].line, text, "add ssl = yes, or remove client_ca")
    for key in _WITH_TLS_ALONE:
        if key in given and values.get(SERVER[key].field):
            context.report.warn(given[key].line, f"{given[key]}: counts with ssl = yes alone", "add ssl = yes")


def forward_listens(context: Context, given: Given, port: int, listens: Iterable[Listen]) -> tuple[Listen, ...]:
    """The addresses where requests without TLS are sent on: `port` beside each of `listens`."""
    origin = Origin(context.place.path, given.line)
    hosts = dict.fromkeys(listen.host for listen in listens if listen.path is None)
    return tuple(Listen(host, port, origin=origin, is_forward=True) for host in hosts)


def host_certificate(context: Context, name: str, *, is_tls: bool) -> Certificate | None:
    """What the section of a host says. Without `is_tls` its files are not looked at."""
    section = context.document.get(name)
    if section is None:
        return None
    given = collect(context, {name: names(HOST)})
    values = fill(context, given, HOST)
    if "certfile" not in given:
        text = f"[{name}] certfile is missing; expected the certificate's file, in PEM form"
        context.report.error(section.line, text, f"certfile = NAME.pem, in {context.place.cert}")
        return None
    if not is_tls:
        return _made(context, given, values)
    return _certificate(context, given, values, HOST)


def _certificate(
    context: Context, given: Mapping[str, Given], values: Mapping[str, Any], keys: Keys
) -> Certificate | None:
    for key in ("certfile", "keyfile"):
        if values.get(key) is not None:
            _check_readable(context, given[key], keys[key], values[key], hint=_how_to_try(context))
    return _made(context, given, values)


def _made(context: Context, given: Mapping[str, Given], values: Mapping[str, Any]) -> Certificate | None:
    if values.get("certfile") is None:
        return None
    origin = Origin(context.place.path, given["certfile"].line)
    return Certificate(values["certfile"], values.get("keyfile"), values.get("passphrase"), origin)


def _check_readable(context: Context, given: Given, key: Key, path: Path, *, hint: str = "") -> None:
    """`hint`: how else to come by a file that has to be made."""
    try:
        check_readable(path)
    except UnfitError as error:
        is_to_be_made = hint and error.fix.startswith("create it")
        told = UnfitError(error.text, f"{error.fix}; {hint}") if is_to_be_made else error
        report_unfit(context.report, given, key, told)


def _how_to_try(context: Context) -> str:
    return f"one to try things out: skitaid -f {Path(context.place.path).stem} cert"
