"""What doctor looks at for cron's jobs: what their settings need."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from shlex import quote

from skitaid.agents.cron.work import collect
from skitaid.cli.finding import Finding, warning, wrong
from skitaid.config.model import Instance, Main

__all__ = ["check_cron"]


def check_cron(main: Main, instances: Iterable[Instance]) -> Iterator[Finding]:
    """Of the jobs of all confs."""
    works = collect(main, instances).values()
    yield from _mail(main, [work.key for work in works if work.job.mail_to])
    yield from _redis(main, [work.key for work in works if work.job.on_one_machine and work.job.expression is not None])


def _mail(main: Main, jobs: Sequence[str]) -> Iterator[Finding]:
    if jobs and main.smtpda is None:
        yield warning(
            "cron",
            f"MAILTO of {_some(jobs)}: the daemon has no mail queue, so nothing is mailed",
            f"add [smtpda] to {main.etc / 'skitaid.conf'}, or take MAILTO out",
        )


def _redis(main: Main, jobs: Sequence[str]) -> Iterator[Finding]:
    """The agent runs in skitaid's own interpreter, so that is where the package must be."""
    if not jobs:
        return
    if not main.state.backend.startswith("redis"):
        yield warning(
            "cron",
            f"ONE_MACHINE of {_some(jobs)}: without Redis each machine runs it",
            f"[state] backend = redis://HOST:6379/0 in {main.etc / 'skitaid.conf'} of every machine",
        )
    elif find_spec("redis") is None:
        yield wrong(
            "cron",
            f"ONE_MACHINE of {_some(jobs)}: the package redis is not installed, so it never runs",
            f"{quote(sys.executable)} -m pip install redis",
        )


def _some(jobs: Sequence[str]) -> str:
    return jobs[0] if len(jobs) == 1 else f"{jobs[0]} and {len(jobs) - 1} more"
