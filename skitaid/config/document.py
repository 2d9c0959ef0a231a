"""A conf file as read, before anything in it has a meaning: sections, their keys and lines, and where each stands.

Both readers (conf and YAML) make this; everything after them knows only this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Document", "Entry", "Line", "Section", "Value"]


@dataclass(frozen=True, slots=True)
class Value:
    """What was written for a key: as one `text`, and as the `items` of a comma list. `is_list`: a YAML list, which
    is no single text."""

    text: str
    items: tuple[str, ...] = ()
    line: int = 0
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key = value`."""

    key: str
    value: Value

    @property
    def line(self) -> int:
        return self.value.line


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a `[section:line]`, its comment removed, quotes still in place."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a conf. `name` as between the brackets, without `:line`. Either `entries` or, if `has_lines`,
    `lines` are filled."""

    name: str
    line: int
    has_lines: bool = False
    entries: tuple[Entry, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """The sections of one file by name, in file order."""

    path: str
    sections: Mapping[str, Section] = field(default_factory=dict)

    def get(self, name: str) -> Section | None:
        return self.sections.get(name)
