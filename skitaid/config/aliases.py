"""The sections `[@alias]`: servers behind one name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skitaid.config.document import Section
from skitaid.config.fields import each, identifier
from skitaid.config.members import DATABASE_TYPES, TLS_TYPES, parse_member
from skitaid.config.model import Alias, Member, Origin
from skitaid.config.paths import check_readable
from skitaid.config.report import UnfitError
from skitaid.config.schema import ALIAS, ALIAS_NAMES, ALIAS_OF_ANY_TYPE
from skitaid.config.take import Context, Given, collect, fill, report_unfit

__all__ = ["build_aliases"]

UNKNOWN_TYPE = ""
"""An alias whose type is wrong: nothing can be said about its members."""
WEBSOCKET_TYPES = frozenset({"ws", "wss"})


def build_aliases(context: Context) -> dict[str, Alias]:
    """Every alias that has a section, also one with mistakes: a route to it is no second mistake."""
    sections = [section for name, section in context.document.sections.items() if name.startswith("@")]
    return {section.name[1:]: _alias(context, section) for section in sections}


def _alias(context: Context, section: Section) -> Alias:
    name = section.name[1:].strip()
    try:
        identifier(name, "name of an alias")
    except UnfitError as error:
        context.report.error(section.line, f"[{section.name}]: {error.text}; expected [@name]", error.fix)
    given = collect(context, {section.name: ALIAS_NAMES})
    values = fill(context, given, ALIAS)
    kind = values.get("type", UNKNOWN_TYPE if "type" in given else Alias(name).type)
    if kind in TLS_TYPES:
        if values.get("ssl") is False:
            text = f"{given['ssl']} = no: type {kind} is with TLS; expected yes, or type {kind[:-1]}"
            context.report.error(given["ssl"].line, text, "remove the line")
        values["ssl"] = True
    values["members"] = _members(context, section, given, alias_type=kind, is_tls=bool(values.get("ssl")))
    found = Alias(name, **values, origin=Origin(context.place.path, section.line))
    if kind != UNKNOWN_TYPE:
        _check(context, found, given)
    return found


def _members(
    context: Context, section: Section, given: Mapping[str, Given], *, alias_type: str, is_tls: bool
) -> tuple[Member, ...]:
    written = given.get("members")
    if written is None or not written.entry.value.items:
        line = written.line if written else section.line
        text = f"[{section.name}] has no members: expected members = host:port, host:port"
        context.report.error(line, text, "name at least one")
        return ()
    if alias_type == UNKNOWN_TYPE:
        return ()
    try:
        return each(
            written.entry.value.items,
            lambda item: parse_member(item, context.place, alias_type=alias_type, is_tls=is_tls),
        )
    except UnfitError as error:
        report_unfit(context.report, written, ALIAS["members"], error)
    return ()


# ---------------------------------------------------------------- what fits each other


def _check(context: Context, alias: Alias, given: Mapping[str, Given]) -> None:
    if alias.type in DATABASE_TYPES:
        _check_database(context, alias, given)
        return
    _check_tls(context, alias, given)
    _check_twins(context, alias, given)
    if alias.protocol == "http2" and alias.type in WEBSOCKET_TYPES:
        text = f"{given['protocol']} = http2: websockets of type {alias.type} are opened by HTTP/1.1; expected http1"
        context.report.error(given["protocol"].line, text, "remove the line")
    if alias.eject_max_s < alias.eject_s:
        late = max((given[key] for key in ("eject", "eject_max") if key in given), key=lambda each: each.line)
        longest, first = _shown("eject_max", alias), _shown("eject", alias)
        text = f"{late}: eject_max = {longest} is shorter than eject = {first}; expected it as long at least"
        context.report.error(late.line, text, f"write eject_max = {first}")


def _shown(key: str, alias: Alias) -> Any:
    return ALIAS[key].kind.show(getattr(alias, ALIAS[key].field))


def _check_database(context: Context, alias: Alias, given: Mapping[str, Given]) -> None:
    for key, written in given.items():
        if key not in ALIAS_OF_ANY_TYPE:
            text = f"{written}: means nothing for type {alias.type}; expected an alias of type http, https, ws or wss"
            context.report.error(written.line, text, "remove the line")


def _check_tls(context: Context, alias: Alias, given: Mapping[str, Given]) -> None:
    if not alias.ssl:
        for key, is_said in (("verify", not alias.verify), ("ca", alias.ca is not None)):
            if is_said:
                context.report.warn(given[key].line, f"{given[key]}: counts with TLS alone", "write ssl = yes")
    elif not alias.verify:
        text = f"{given['verify']} = no: nobody checks who answers in the members' place"
        context.report.warn(given["verify"].line, text, "name the authority that signed their certificates: ca = FILE")
    if alias.ca is not None:
        _check_authorities(context, alias.ca, given["ca"])


def _check_authorities(context: Context, path: Path, given: Given) -> None:
    try:
        check_readable(path)
    except UnfitError as error:
        text = f"{given}: {error.text}; expected certificates of authorities, in PEM form"
        context.report.error(given.line, text, error.fix)


def _check_twins(context: Context, alias: Alias, given: Mapping[str, Given]) -> None:
    addresses = [(member.host, member.port, member.path) for member in alias.members]
    for index, (host, port, path) in enumerate(addresses):
        if (host, port, path) in addresses[:index]:
            name = f"unix:{path}" if path else f"{host}:{port}"
            text = f"{given['members']}: {name} stands there twice; expected each member once"
            context.report.error(given["members"].line, text, "give it a weight instead")
