"""Telling somebody what a job printed (MAILTO), by the daemon's own mail queue."""

from __future__ import annotations

from skitaid.agents.cron.runner import Result
from skitaid.agents.cron.work import Work
from skitaid.config.model import Main

__all__ = ["send_mail"]


def send_mail(work: Work, result: Result, main: Main) -> None:
    raise NotImplementedError
