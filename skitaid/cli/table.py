"""Rows of text → aligned lines, and figures as people read them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skitaid.cli.style import PLAIN, Style, Tone


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and how it is painted."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Column:
    """A title, and whether what stands below is numbers."""

    title: str
    is_number: bool = False


def number(title: str) -> Column:
    """A column of numbers, which stand to the right."""
    return Column(title, is_number=True)


def render(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], style: Style = PLAIN) -> list[str]:
    """One line for the titles and one per row. Numbers stand to the right, no line ends in blanks."""
    titles = [Cell(column.title, Tone.STRONG) for column in columns]
    table = [titles, *rows]
    widths = [max(len(row[index].text) for row in table) for index in range(len(columns))]
    return [_line(columns, widths, row, style) for row in table]


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Cell], style: Style) -> str:
    last = len(columns) - 1
    parts = []
    for index, (column, width, cell) in enumerate(zip(columns, widths, row, strict=True)):
        blanks = " " * (width - len(cell.text))
        text = style.paint(cell.text, cell.tone)
        if column.is_number:
            parts.append(blanks + text)
        else:
            parts.append(text if index == last else text + blanks)
    return "  ".join(parts).rstrip()


def duration(seconds: float) -> str:
    """`0s`, `59s`, `4m 05s`, `3h 12m`, `12d 04h`."""
    whole = max(0, int(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour:02d}h"
    if hours:
        return f"{hours}h {minute:02d}m"
    return f"{minutes}m {second:02d}s" if minutes else f"{second}s"


def size(count_bytes: float) -> str:
    """`0 B`, `812 kB`, `29.4 MB`, `1.2 GB`; powers of 1000."""
    if count_bytes < 1000:
        return f"{int(count_bytes)} B"
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if count_bytes < factor * 999.5:
            return f"{count_bytes / factor:.0f} {unit}" if unit == "kB" else f"{count_bytes / factor:.1f} {unit}"
    return f"{count_bytes / 1e9:.1f} GB"
