"""list: the jobs of all crontabs, when they run next and how they ended last."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from skitaid.agents.cron.records import Last, Records
from skitaid.agents.cron.schedule import next_time
from skitaid.agents.cron.work import Work
from skitaid.agents.cron.zones import zone_of
from skitaid.cli.cron_jobs import jobs, records, require_cron
from skitaid.cli.session import Session, out, out_style
from skitaid.cli.style import Tone
from skitaid.cli.table import Cell, Column, render

COLUMNS = (Column("JOB"), Column("WHEN"), Column("NEXT"), Column("LAST"), Column("COMMAND"))
COMMAND_MOST = 60


def run(session: Session) -> int:
    require_cron(session)
    main, works = jobs(session)
    if not works:
        out(f"No job: write [crontab:line] into {session.etc}/skitaid.conf or into an instance's file.")
        return 0
    now = datetime.now(UTC)
    rows = [row(work, now, last_cell(work, records(main))) for work in works.values()]
    for line in render(COLUMNS, rows, out_style()):
        out(line)
    return 0


def row(work: Work, now: datetime, last: Cell) -> list[Cell]:
    job = work.job
    command = job.command if len(job.command) <= COMMAND_MOST else f"{job.command[: COMMAND_MOST - 3]}..."
    return [Cell(work.key, Tone.STRONG), Cell(job.when), Cell(next_text(work, now)), last, Cell(command)]


def next_text(work: Work, now: datetime) -> str:
    if work.job.expression is None:
        return "when the machine starts"
    found = next_time(work.job.expression, zone_of(work.job.zone), now)
    return "never" if found is None else found.strftime("%Y-%m-%d %H:%M %Z")


def last_cell(work: Work, found: Records) -> Cell:
    last = found.last(work.key)
    if last is None:
        return Cell("-", Tone.FAINT)
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(last.started))
    text, tone = outcome(last, runs=found.runs(work.key))
    return Cell(f"{began} {text}", tone)


def outcome(last: Last, *, runs: bool) -> tuple[str, Tone]:
    """How it ended, in a word or two."""
    if last.ended is None:
        return ("runs", Tone.WARNING) if runs else ("was cut off", Tone.BAD)
    if not last.exit:
        return "ended well", Tone.GOOD
    return (f"exit code {last.exit}" if (last.exit or 0) > 0 else f"signal {-(last.exit or 0)}"), Tone.BAD
