"""Telling somebody what a job printed (MAILTO), by the daemon's own mail queue."""

from __future__ import annotations

from pathlib import Path

from skitaid.agents.cron.runner import Result, describe
from skitaid.agents.cron.work import Work
from skitaid.exceptions import RefusedError

__all__ = ["send_mail"]

NO_SPOOL = "MAILTO: the daemon has no mail queue; add [smtpda] to skitaid.conf"


def send_mail(work: Work, result: Result) -> str:
    """Queue it; the id of the mail. Raises RefusedError: the daemon has no queue; MailError; OSError."""
    if work.spool is None:
        raise RefusedError(NO_SPOOL)
    return _queue(work, result, work.spool)


def _queue(work: Work, result: Result, folder: Path) -> str:
    # Not resident: only the runner of such a job needs it.
    from skitaid.agents.smtpda.host import host_name
    from skitaid.agents.smtpda.message import Email
    from skitaid.agents.smtpda.spool import Spool

    host = host_name()
    recipients = [address if "@" in address else f"{address}@{host}" for address in work.job.mail_to]
    mail = Email(f"cron on {host}: {work.key} {describe(result)}", f"cron@{host}", recipients)
    mail.add_header("Auto-Submitted", "auto-generated")  # RFC 3834: nobody answers with "I am on holiday"
    mail.add_text(body(work, result))
    return mail.send(Spool(folder))


def body(work: Work, result: Result) -> str:
    """What it was and what it printed."""
    return f"{work.job.command}\n{describe(result)}\n\n{result.output}"
