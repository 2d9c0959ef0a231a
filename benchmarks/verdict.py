"""From samples to figures, from figures to ratios, and all of it as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.alone import Measured
from benchmarks.cases import TARGETS, Case, Quantity, Target
from benchmarks.rounds import Figure
from benchmarks.servers import SERVERS

__all__ = ["Ratio", "case_table", "measured_table", "mark", "ratio_of", "ratio_table", "ratios"]

Figures = Mapping[tuple[str, str], Figure]
"""By case and server."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A target and what was measured of it. `is_clean`: from undisturbed samples on both sides. `by_cost`: the same
    two servers by processor time per request, which others on the machine disturb less."""

    target: Target
    value: float
    is_clean: bool
    by_cost: float | None = None


def ratios(figures: Figures) -> list[Ratio]:
    """Of every target whose two sides were measured."""
    found = []
    for target in TARGETS:
        ours = figures.get((target.case, target.server))
        if target.quantity is Quantity.P99 and ours is not None and ours.p99_ms is not None:
            found.append(Ratio(target, ours.p99_ms, ours.is_clean))
            continue
        theirs = figures.get((target.other_case or target.case, target.other))
        if ours is not None and theirs is not None:
            value = ratio_of(target.quantity, ours, theirs)
            if value is not None:
                by_cost = ratio_of(Quantity.COST, ours, theirs) if target.quantity is Quantity.RPS else None
                found.append(Ratio(target, value, ours.is_clean and theirs.is_clean, by_cost))
    return found


def ratio_of(quantity: Quantity, ours: Figure, theirs: Figure) -> float | None:
    """None where nothing can be divided."""
    if quantity is Quantity.ADDED:
        return ours.p50_ms - theirs.p50_ms if ours.p50_ms is not None and theirs.p50_ms is not None else None
    if quantity is Quantity.RPS:
        return ours.rps / theirs.rps if theirs.rps else None
    if not ours.cost_us or not theirs.cost_us:
        return None
    return ours.cost_us / theirs.cost_us if quantity is Quantity.GROWTH else theirs.cost_us / ours.cost_us


def mark(value: float, bound: float | None, goal: float | None, *, is_limit: bool) -> str:
    """One word on a figure: `goal` reached, `held`, `MISSED` what is held, `not yet` at the goal, or nothing."""

    def meets(line: float) -> bool:
        return value <= line if is_limit else value >= line

    if goal is not None and meets(goal):
        return "goal"
    if bound is not None:
        return "held" if meets(bound) else "MISSED"
    return "not yet" if goal is not None else ""


def case_table(case: Case, figures: Figures) -> str:
    """One line a server."""
    lines = [f"{case.title:58s} {'req/s':>9s} {'µs/req':>7s} {'p50 ms':>7s} {'p99 ms':>7s}  spread"]
    for key in case.servers:
        figure = figures.get((case.key, key))
        if figure is not None:
            lines.append(f"  {SERVERS[key].label:56s} {_figure_text(figure)}")
    return "\n".join(lines)


def _figure_text(figure: Figure) -> str:
    cost = f"{figure.cost_us:7.1f}" if figure.cost_us is not None else "      -"
    # The files of 100 MB come a few in a second.
    rate = f"{figure.rps:9,.0f}" if figure.rps >= 100 else f"{figure.rps:9.2f}"
    text = f"{rate} {cost} {_ms(figure.p50_ms)} {_ms(figure.p99_ms)}  ±{figure.spread * 50:.0f} %"
    if figure.refused:
        text += f"  {figure.refused} REFUSED"
    if figure.broken:
        text += f"  {figure.broken} BROKEN"
    if figure.load_share > 0.95:
        text += "  (the load generator was at its limit)"
    return text if figure.is_clean else text + "  ~"


def _ms(value: float | None) -> str:
    return f"{value:7.2f}" if value is not None else "      -"


def ratio_table(found: Iterable[Ratio]) -> str:
    """One line a target."""
    lines = [f"{'':78s} {'measured':>8s} {'by CPU':>6s} {'held':>6s} {'goal':>6s}"]
    for ratio in found:
        target = ratio.target
        word = mark(ratio.value, target.bound, target.goal, is_limit=target.quantity.is_limit)
        noise = "" if ratio.is_clean else " ~"
        numbers = f"{ratio.value:8.2f} {_line(ratio.by_cost)} {_line(target.bound)} {_line(target.goal)}"
        lines.append(f"{_title(target):78s} {numbers}  {word}{noise}".rstrip())
    return "\n".join(lines)


def measured_table(found: Iterable[Measured]) -> str:
    """One line a figure of skitaid alone."""
    lines = [f"{'':64s} {'measured':>11s}  at most"]
    for one in found:
        limit = f"{one.limit:.4g} {one.unit}" if one.limit is not None else ""
        word = mark(one.value, one.bound, one.goal, is_limit=True)
        lines.append(f"{one.text:64s} {one.value:8.2f} {one.unit:2s}  {limit:8s} {word}")
    return "\n".join(lines)


def _title(target: Target) -> str:
    ours = SERVERS[target.server].label
    if target.quantity is Quantity.P99:
        return f"{target.case}: {ours}, {target.quantity.value} (at most)"
    theirs = SERVERS[target.other].label
    if target.other_case:
        theirs += f" in {target.other_case}"
    how = "" if target.quantity is Quantity.RPS else f", {target.quantity.value}"
    return f"{target.case}: {ours} / {theirs}{how}" + (" (at most)" if target.quantity.is_limit else "")


def _line(value: float | None) -> str:
    return f"{value:6.2f}" if value is not None else "     -"
