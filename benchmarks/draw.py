"""Draws a run's figures: `python benchmarks/draw.py RUN.json docs/performance.svg`.

Bars of requests per second, one group a case. The picture carries its own colours for a light and a dark page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["Bar", "Group", "groups_of", "svg"]

WIDTH = 760
LABEL_WIDTH = 240
VALUE_WIDTH = 90
ROW = 22
BAR = 14
GROUP_GAP = 20
TITLE_HEIGHT = 26
MARGIN = 20
FOOT = 34

# Which cases, and what stands over them; a case that was not run is left out. Not those whose point is another than
# requests per second.
SHOWN = {
    "hello": "Hello, World (WSGI)",
    "cookie": "The same, another cookie in every request",
    "browser": "The same, 15 header fields",
    "json": "10 KB of JSON",
    "post": "64 KB POST",
    "sleepers": "While four of 8 threads sleep",
    "burners": "While two of 8 threads compute",
    "asgi": "Hello, World (ASGI)",
    "static-1k": "Static file, 1 KB",
    "https": "Hello, World (WSGI) by TLS",
    "h2": "Hello, World (WSGI) by HTTP/2",
    "h2-static-1k": "Static file, 1 KB, by HTTP/2",
    "proxy": "Through a reverse proxy",
}

STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 14px; }
.value { font-variant-numeric: tabular-nums; }
.quiet { fill: #57606a; font-size: 12px; }
.ours { fill: #1a7f64; }
.theirs { fill: #b8c0c8; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .quiet { fill: #9198a1; }
  .ours { fill: #3fb990; }
  .theirs { fill: #4a535d; }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One server's requests per second."""

    label: str
    rps: float
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Group:
    """One case; `bars` from the longest to the shortest."""

    title: str
    bars: tuple[Bar, ...]

    @property
    def height(self) -> int:
        return TITLE_HEIGHT + ROW * len(self.bars) + GROUP_GAP


def groups_of(run: Mapping[str, Any]) -> list[Group]:
    """The shown cases of a run's JSON, in the order of SHOWN."""
    found = []
    for key, title in SHOWN.items():
        bars = [
            Bar(figure["label"], figure["rps"], figure["server"].startswith("skitaid"))
            for figure in run["figures"]
            if figure["case"] == key
        ]
        if bars:
            found.append(Group(title, tuple(sorted(bars, key=lambda bar: -bar.rps))))
    return found


def svg(groups: Sequence[Group], foot: str) -> str:
    """The picture."""
    parts: list[str] = []
    top = MARGIN
    for group in groups:
        parts += _group(group, top)
        top += group.height
    height = top + FOOT - GROUP_GAP
    parts.append(_text(MARGIN, height - 12, foot, "quiet"))
    title = "Requests per second of skitaid and other servers"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label="{title}">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        *parts,
        "</svg>",
        "",
    ])  # fmt: skip


def _group(group: Group, top: int) -> list[str]:
    room = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH
    longest = group.bars[0].rps or 1.0
    parts = [_text(MARGIN, top + 14, group.title, "title")]
    for number, bar in enumerate(group.bars):
        y = top + TITLE_HEIGHT + ROW * number
        width = max(1.0, room * bar.rps / longest)
        kind = "ours" if bar.is_ours else "theirs"
        x = MARGIN + LABEL_WIDTH
        parts.append(_text(MARGIN, y + 11, bar.label, ""))
        parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>')
        parts.append(_text(round(x + width + 8), y + 11, f"{bar.rps:,.0f}", "value"))
    return parts


def _text(x: int, y: int, text: str, kind: str) -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text{attribute} x="{x}" y="{y}">{escape(text)}</text>'


def main() -> int:
    """2 when it is called otherwise than the module's text says."""
    if len(sys.argv) != 3:
        print("usage: python benchmarks/draw.py RUN.json PICTURE.svg", file=sys.stderr)
        return 2
    run = json.loads(Path(sys.argv[1]).read_text())
    machine = run["machine"]
    foot = f"Requests per second, one process on one core, {machine['cpu']}, {machine['python']}"
    Path(sys.argv[2]).write_text(svg(groups_of(run), foot))
    return 0


if __name__ == "__main__":
    sys.exit(main())
