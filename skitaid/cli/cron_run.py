"""run JOB: a job now, in the foreground, as cron would run it; its output goes to the terminal and to cron.log."""

from __future__ import annotations

import os
from collections.abc import Mapping

from skitaid.agents.cron.mail import send_mail
from skitaid.agents.cron.runner import Occasion, Runner, Surroundings, describe
from skitaid.agents.cron.work import Work, find
from skitaid.cli.cron_jobs import jobs, records
from skitaid.cli.nearest import did_you_mean
from skitaid.cli.options import UsageError
from skitaid.cli.session import Session, complain_error, out
from skitaid.config.model import Main
from skitaid.exceptions import RefusedError
from skitaid.logs.lines import LogFile


def run(session: Session) -> int:
    if session.options.argument is None:
        raise UsageError("which job? -f cron run JOB; -f cron list shows them")
    main, works = jobs(session)
    return run_job(choose(works, session.options.argument), main)


def choose(works: Mapping[str, Work], name: str) -> Work:
    """The job that `name` means. Raises RefusedError, naming the nearest."""
    found = find(works, name)
    if len(found) > 1:
        raise RefusedError(f"{name} is the name of several jobs: {', '.join(work.key for work in found)}")
    if not found:
        raise RefusedError(f"there is no job {name!r}" + (did_you_mean(name, works) or "; -f cron list shows them"))
    return found[0]


def run_job(work: Work, main: Main) -> int:
    """Run it here and now; the exit code: 0 when it ended well, else 1. Raises RefusedError if it runs already;
    OSError."""
    kept = records(main)
    kept.make()
    lock_fd = kept.take(work.key, shared=work.job.may_overlap)
    if lock_fd is None:
        raise RefusedError(f"{work.key} runs already (OVERLAP=yes above its line would let it run twice)")
    log = LogFile(main.global_.log_path / "daemons" / "cron" / "cron.log")
    around = Surroundings(kept, log, show=out, send_mail=send_mail)
    result = Runner(work, around).run(Occasion())
    os.close(lock_fd)
    if not result.is_well:
        complain_error(f"{work.key}: {describe(result)}")
    return 0 if result.is_well else 1
