"""The daemon's own agents as the supervisor holds them: the mail queue and the crontab, a process each.

They are units like an instance's master: spawned, watched, started again and told to reload in the same way. What they
do is in the conf already, so nothing has to be enabled: an agent is there when a section asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from skitaid.config.load import AGENTS
from skitaid.config.model import Instance, Main
from skitaid.supervisor.process import Limits
from skitaid.supervisor.spawn import Command
from skitaid.supervisor.unit import Shared, Unit

__all__ = ["AGENTS", "SECTIONS", "AgentUnit", "make_spool", "wanted"]

BOOT = Path(__file__).resolve().parent.parent / "agents" / "boot.py"
"""The program of every agent; `-f NAME` tells it which."""
SECTIONS = {"smtpda": "[smtpda] in skitaid.conf", "cron": "[crontab:line] in skitaid.conf or in an instance's file"}
"""What asks for an agent."""
LIMITS = Limits(start_timeout_s=30.0, grace_s=15.0)


def wanted(main: Main, instances: Iterable[Instance]) -> frozenset[str]:
    """The agents that these confs ask for."""
    has_jobs = any(
        crontab is not None and crontab.lines
        for crontab in (main.crontab, *(instance.crontab for instance in instances))
    )
    asked = {"smtpda": main.smtpda is not None, "cron": has_jobs}
    return frozenset(name for name in AGENTS if asked[name])


def make_spool(main: Main) -> None:
    """What apps need of the mail spool (docs/spool.md): they may send before the agent has started for the first time,
    and most may not make a folder there. Raises OSError."""
    spool = main.global_.var_path / "daemons" / "smtpda"
    for folder, mode in ((spool, 0o755), (spool / "incoming", 0o1777)):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)


class AgentUnit(Unit):
    """Runs in skitaid's own interpreter, whatever the instances run in."""

    is_agent = True

    def __init__(self, name: str, shared: Shared) -> None:
        super().__init__(name, shared)
        self.process = replace(self.process, limits=LIMITS)

    def _command(self) -> Command:
        return Command(self._python(), BOOT, self.name, self._shared.main.etc, self._shared.verbose)

    def _python(self) -> str:
        return sys.executable

    def _log_folder(self) -> Path:
        return self._shared.main.global_.log_path / "daemons" / self.name
