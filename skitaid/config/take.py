"""Taking the keys of sections by the tables of `schema`: what is unknown, given twice or does not fit is reported, the
rest becomes the arguments of a dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skitaid.config.document import Document, Entry
from skitaid.config.fields import Place, convert
from skitaid.config.report import Report, UnfitError, did_you_mean
from skitaid.config.schema import Key, Keys, Names, names, section_of

__all__ = ["Context", "Given", "collect", "fill", "report_unfit", "take"]


@dataclass(frozen=True, slots=True)
class Context:
    """A file that is being understood."""

    document: Document
    place: Place
    report: Report


@dataclass(frozen=True, slots=True)
class Given:
    """A key that was written, and the section it was written in."""

    section: str
    entry: Entry

    @property
    def line(self) -> int:
        return self.entry.line

    def __str__(self) -> str:
        return f"[{self.section}] {self.entry.key}"


def take(context: Context, section: str, keys: Keys) -> dict[str, Any]:
    """The fields that one section gives."""
    return fill(context, collect(context, {section: names(keys)}), keys)


def collect(context: Context, sources: Mapping[str, Names]) -> dict[str, Given]:
    """The keys that are written in any of some sections, under the names of the table."""
    found: dict[str, Given] = {}
    for name, known in sources.items():
        section = context.document.get(name)
        for entry in section.entries if section else ():
            key = known.get(entry.key)
            if key is None:
                _report_unknown(context, Given(name, entry), sources)
            elif key in found:
                _report_twice(context.report, found[key], Given(name, entry))
            else:
                found[key] = Given(name, entry)
    return found


def _report_unknown(context: Context, given: Given, sources: Mapping[str, Names]) -> None:
    key = given.entry.key
    home = section_of(key)
    # the nearest key of this section first would send `secret_key` in [server] to `ssl_key`
    fix = f"it belongs in [{home}]" if home else did_you_mean(key, sources[given.section], at_most=60)
    context.report.error(given.line, f"{given}: unknown key", fix)


def _report_twice(report: Report, first: Given, second: Given) -> None:
    early, late = sorted((first, second), key=lambda given: given.line)
    report.error(late.line, f"{late}: is already set by {early} at line {early.line}", "keep one of the two")


def fill(context: Context, given: Mapping[str, Given], keys: Keys) -> dict[str, Any]:
    """Convert what was given, to arguments by field name. What does not fit is reported and left out."""
    values = {}
    for name, written in given.items():
        key = keys[name]
        try:
            values[key.field] = convert(key.kind, written.entry.value, context.place)
        except UnfitError as error:
            report_unfit(context.report, written, key, error)
    return values


def report_unfit(report: Report, given: Given, key: Key, error: UnfitError) -> None:
    """Say where a value stands that does not fit, what it is, what was expected and what to do."""
    text = given.entry.value.text
    shown = f"{given} is empty" if not text else f"{given}" if key.is_secret else f"{given} = {_short(text)}"
    what = f"{error.text}; " if error.text else ""
    report.error(given.line, f"{shown}: {what}expected {key.kind.expected}", error.fix)


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"
