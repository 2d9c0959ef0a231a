"""status: what runs, as a table people read or, with --json, as an object programs read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from skitaid import __version__
from skitaid.cli.ask import ask, complain_refusal
from skitaid.cli.log import last_complaint
from skitaid.cli.session import Session, out, out_style
from skitaid.cli.style import Style, Tone
from skitaid.cli.table import Cell, Column, duration, number, render, size

Figures = Mapping[str, Any]

TONES = {
    "running": Tone.GOOD,
    "starting": Tone.WARNING,
    "stopping": Tone.WARNING,
    "backoff": Tone.BAD,
    "fatal": Tone.BAD,
    "exited": Tone.FAINT,
    "stopped": Tone.FAINT,
}

INSTANCE_COLUMNS = (
    Column("NAME"),
    Column("STATE"),
    number("PID"),
    number("WORKERS"),
    number("UPTIME"),
    number("RESTARTS"),
    number("REQ/S"),
    number("MEMORY"),
    Column("ADDRESS"),
)
AGENT_COLUMNS = (
    Column("AGENT"),
    Column("STATE"),
    number("PID"),
    number("UPTIME"),
    number("RESTARTS"),
    number("MEMORY"),
    Column("NOTE"),
)
WORKER_COLUMNS = (
    Column("WORKER"),
    number("PID"),
    Column("STATE"),
    number("UPTIME"),
    number("REQUESTS"),
    number("CONNECTIONS"),
    number("MEMORY"),
)


def run(session: Session) -> int:
    answer = ask(session, "status")
    if not answer.get("ok", True):
        complain_refusal(session, answer)
        return int(answer.get("exit", 1))
    instances, agents = chosen(session, answer["instances"], answer.get("agents", ()))
    if session.options.json:
        out(json.dumps({"daemon": answer["daemon"], "instances": instances, "agents": agents}, indent=2))
        return 0
    for line in _text(session, answer["daemon"], instances, agents):
        out(line)
    return 0


def chosen(
    session: Session, instances: Sequence[Figures], agents: Sequence[Figures] = ()
) -> tuple[list[Figures], list[Figures]]:
    """The instance or the agent of -f, or all. Raises RefusedError when there is none of that name."""
    name = session.options.name
    if name is None:
        return list(instances), list(agents)
    one = [figures for figures in instances if figures["name"] == name]
    agent = [figures for figures in agents if figures["name"] == name]
    if not one and not agent:
        raise session.no_such_instance(
            name, session.instance_files() | {item["name"]: session.etc for item in instances}
        )
    return one, agent


def _text(session: Session, daemon: Figures, instances: list[Figures], agents: list[Figures]) -> list[str]:
    style = out_style()
    if session.options.name is None:
        return [*overview(session, daemon, instances, style), *agents_table(session, agents, style)]
    return detail(session, instances[0], style) if instances else agents_table(session, agents, style)[1:]


def agents_table(session: Session, agents: list[Figures], style: Style) -> list[str]:
    """An empty line and a row for each; nothing when there is none."""
    if not agents:
        return []
    lines = ["", *render(AGENT_COLUMNS, [agent_row(figures) for figures in agents], style)]
    for figures in agents:
        lines += trouble(session, figures, style)
    return lines


def agent_row(figures: Figures) -> list[Cell]:
    state = str(figures["state"])
    return [
        Cell(figures["name"], Tone.STRONG),
        Cell(state, TONES.get(state, Tone.PLAIN)),
        _or_dash(figures.get("pid")),
        _or_dash(figures["uptime_s"] and duration(figures["uptime_s"])),
        Cell(str(figures["restarts"])),
        _or_dash(figures["rss_bytes"] and size(figures["rss_bytes"])),
        _or_dash(figures.get("note")),
    ]


def overview(session: Session, daemon: Figures, instances: list[Figures], style: Style) -> list[str]:
    lines = [daemon_line(daemon, style), ""]
    if not instances:
        return [*lines, f"No instance: put a conf file into {session.etc}/servers-enabled/, it starts by itself."]
    lines += render(INSTANCE_COLUMNS, [instance_row(figures) for figures in instances], style)
    for figures in instances:
        lines += leaving(figures) + trouble(session, figures, style)
    return lines


def detail(session: Session, figures: Figures, style: Style) -> list[str]:
    """One instance, its workers a row each."""
    lines = render(INSTANCE_COLUMNS, [instance_row(figures)], style)
    if figures.get("workers"):
        lines += ["", *render(WORKER_COLUMNS, [worker_row(worker) for worker in figures["workers"]], style)]
    lines += leaving(figures) + trouble(session, figures, style)
    return [*lines, "", f"logs: {session.log_folder(figures['name'])}/"]


def daemon_line(daemon: Figures, style: Style) -> str:
    line = style.paint(f"skitaid {daemon['version']}", Tone.STRONG)
    line += f"  pid {daemon['pid']}, up {duration(daemon['uptime_s'])}"
    if daemon["version"] == __version__:
        return line
    # What was installed since is taken by a new master at once, by the supervisor when it starts.
    return f"{line}; {__version__} is installed: restart gives it to the instances, stop and start to the daemon too"


def instance_row(figures: Figures) -> list[Cell]:
    state = str(figures["state"])
    workers = figures.get("workers") or []
    rate = figures.get("requests_per_s")
    memory = figures.get("rss_bytes", 0) + sum(worker["rss_bytes"] for worker in workers)
    return [
        Cell(figures["name"], Tone.STRONG),
        Cell(state, TONES.get(state, Tone.PLAIN)),
        _or_dash(figures.get("pid")),
        _or_dash(len(workers)),
        _or_dash(figures["uptime_s"] and duration(figures["uptime_s"])),
        Cell(str(figures["restarts"])),
        Cell("-" if rate is None or not workers else f"{rate:.1f}"),
        _or_dash(memory and size(memory)),
        _or_dash(figures.get("address")),
    ]


def worker_row(worker: Figures) -> list[Cell]:
    uptime = worker.get("uptime_s")
    return [
        Cell(f"#{worker['id']}", Tone.STRONG),
        Cell(str(worker["pid"])),
        _or_dash(worker.get("state")),
        Cell("-" if uptime is None else duration(uptime)),
        Cell(str(worker["requests"])),
        Cell(str(worker.get("connections", "-"))),
        _or_dash(worker["rss_bytes"] and size(worker["rss_bytes"])),
    ]


def leaving(figures: Figures) -> list[str]:
    """The masters that another has replaced, and that finish what they have in flight."""
    found = figures.get("leaving") or []
    lines = [
        f"{figures['name']}: a master on its way out, pid {each['pid']}, finishes what it has in flight: "
        f"connections {each['connections']}, memory {size(each['rss_bytes'])}, {duration(each['left_s'])} at most"
        for each in found
    ]
    return ["", *lines] if lines else []


def trouble(session: Session, figures: Figures, style: Style) -> list[str]:
    """What is wrong with an instance and what to do about it; nothing when all is well."""
    name, state = figures["name"], figures["state"]
    problems = figures.get("problems") or []
    lines = unserved(session, figures, style)
    if state not in ("fatal", "backoff") and not problems:
        return lines
    lines += ["", style.paint(f"{name}: {state}{_reason(figures)}", TONES.get(state, Tone.PLAIN))]
    lines += [f"  {problem}" for problem in problems]
    if complaint := "" if problems else last_complaint(session.log_folder(name)):
        lines.append(f"  {complaint}")
    fix = figures.get("fix") or (
        f"correct the file, then: {session.hint(f'-f {name} reload')}" if problems
        else f"look at {session.hint(f'-f {name} log -s stderr')}"
    )  # fmt: skip
    return [*lines, f"  {style.paint('fix:', Tone.STRONG)} {fix}"]


def unserved(session: Session, figures: Figures, style: Style) -> list[str]:
    """The apps that answer 500, because they could not be loaded."""
    found = figures.get("unserved") or []
    if not found:
        return []
    name = figures["name"]
    fix = f"mend it, then: {session.hint(f'-f {name} reload')}; its traceback: {session.hint(f'-f {name} log')}"
    head = f"{name}: {figures['state']}, but an app of it could not be loaded and answers 500"
    apps = [f"  {text}" for text in found]
    return ["", style.paint(head, Tone.BAD), *apps, f"  {style.paint('fix:', Tone.STRONG)} {fix}"]


def _reason(figures: Figures) -> str:
    """Why it is in its state, without the problems of its conf file, which are listed below."""
    reason, problems = str(figures.get("reason") or ""), figures.get("problems") or []
    if problems and figures["state"] not in ("fatal", "backoff"):
        return ", but its conf file is wrong: it goes on with the one it has"
    for problem in problems:
        reason = reason.replace(f", first {problem}", "")
    return f": {reason}" if reason else ""


def _or_dash(value: object) -> Cell:
    return Cell(str(value)) if value else Cell("-", Tone.FAINT)
