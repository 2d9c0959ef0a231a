"""What the commands about cron share: the jobs of the confs as they are now."""

from __future__ import annotations

from collections.abc import Mapping

from skitaid.agents.cron.records import Records
from skitaid.agents.cron.work import Work, collect
from skitaid.cli.options import UsageError
from skitaid.cli.session import Session, complain_problems
from skitaid.config.load import load_all
from skitaid.config.model import Main


def require_cron(session: Session) -> None:
    """Only `-f cron COMMAND` will do. Raises UsageError."""
    if session.options.name != "cron":
        raise UsageError(f"{session.options.typed} is a command of the cron agent: -f cron {session.options.typed}")


def jobs(session: Session) -> tuple[Main, Mapping[str, Work]]:
    """skitaid.conf and the jobs by key. Says what is wrong with confs; raises ConfError when skitaid.conf is."""
    loaded = load_all(session.etc)
    complain_problems(tuple(problem for error in loaded.failures.values() for problem in error.problems))
    return loaded.main, collect(loaded.main, loaded.instances.values())


def records(main: Main) -> Records:
    return Records(main.global_.var_path / "daemons" / "cron")
