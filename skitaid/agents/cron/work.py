"""The jobs of all confs, each with what it runs in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from skitaid.config.crontab import CronJob, parse_crontab
from skitaid.config.identity import Identity, identity_of
from skitaid.config.model import Crontab, CrontabLine, Instance, Main, Server
from skitaid.config.report import UnfitError
from skitaid.supervisor.spawn import interpreter

__all__ = ["JOB_NAME", "PATH", "Work", "collect", "environ_of", "find"]

PATH = "/usr/local/bin:/usr/bin:/bin"
SHELL = "/bin/sh"
JOB_NAME = "SKITAID_JOB"
SPOOL_PATH = "SKITAID_SPOOL_PATH"
"""Where programs that use skitaid's e-mail find the daemon's queue."""


@dataclass(frozen=True, slots=True)
class Work:
    """A job. `owner` is the instance whose file it stands in, "" for skitaid.conf. `identity` None: as whom we are.
    `directory` None: its user's home. `python`: an interpreter whose folder comes first on PATH. `spool`: the
    daemon's mail queue, if it has one. `site`: what the apps of its instance are told of it, too."""

    job: CronJob
    owner: str = ""
    identity: Identity | None = None
    directory: Path | None = None
    python: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    spool: Path | None = None
    site: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """`JOB`, or `INSTANCE:JOB`: its name in the log, in records and on the command line."""
        return f"{self.owner}:{self.job.name}" if self.owner else self.job.name


def collect(main: Main, instances: Iterable[Instance]) -> dict[str, Work]:
    """All jobs by key, those of skitaid.conf first. The confs were checked."""
    # Who it is that [global] names is the same question as for an instance that names nobody.
    identity, spool = identity_of(Server(), main.global_), spool_of(main)
    found = [Work(job, identity=identity, spool=spool) for job in _jobs(main.crontab)]
    for instance in instances:
        found += of_instance(instance, main)
    return {work.key: work for work in found}


def of_instance(instance: Instance, main: Main) -> list[Work]:
    """They run as the instance's user, in its folder, with its environment and the programs of its Python's folder."""
    server = instance.server
    return [
        Work(
            job,
            instance.name,
            identity_of(server, main.global_),
            server.directory,
            server.python,
            instance.environment,
            spool_of(main),
            _site(instance, main),
        )
        for job in _jobs(instance.crontab)
    ]


def _site(instance: Instance, main: Main) -> tuple[tuple[str, str], ...]:
    """The variables of its workers: a project's settings that need them are the same in a job."""
    part = Path("instances") / instance.name
    return (
        ("SKITAID_INSTANCE", instance.name),
        ("SKITAID_ETC", str(main.etc)),
        ("SKITAID_LOG_PATH", str(main.global_.log_path / part)),
        ("SKITAID_VAR_PATH", str(main.global_.var_path / part)),
    )


def spool_of(main: Main) -> Path | None:
    return main.global_.var_path / "daemons" / "smtpda" if main.smtpda is not None else None


def find(works: Mapping[str, Work], name: str) -> list[Work]:
    """The job of that key; else those of that name, whoever they belong to."""
    return [works[name]] if name in works else [work for work in works.values() if work.job.name == name]


def _jobs(crontab: Crontab | None) -> tuple[CronJob, ...]:
    return parse_crontab(crontab.lines, _ignore) if crontab is not None else ()


def _ignore(line: CrontabLine, error: UnfitError) -> None:
    """Such a conf was refused when it was read."""


def environ_of(work: Work, ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the job finds in its environment: little, so that it does not depend on how the daemon was started."""
    user, home = _account(work.identity)
    made = {"PATH": _path(work), "SHELL": SHELL, "HOME": home, "LOGNAME": user, "USER": user}
    if "TZ" in ours:
        made["TZ"] = ours["TZ"]
    made |= dict(work.environment) | dict(work.job.environment) | dict(work.site)
    return made | {JOB_NAME: work.key} | ({SPOOL_PATH: str(work.spool)} if work.spool is not None else {})


def _path(work: Work) -> str:
    if work.python is None:
        return PATH
    return f"{os.path.dirname(interpreter(work.python, sys.executable))}:{PATH}"


def _account(identity: Identity | None) -> tuple[str, str]:
    """Name and home. A user that the system does not know (a container's number) lives in /."""
    import pwd

    try:
        entry = pwd.getpwuid(identity.uid if identity is not None else os.geteuid())
    except KeyError:
        return str(os.geteuid()), "/"
    return entry.pw_name, entry.pw_dir
