"""An agent's command line, written by the supervisor (`spawn.Command`) and by `skitaid-smtpda` and `skitaid-cron`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from skitaid.config.load import AGENTS
from skitaid.config.model import Global

__all__ = ["RUN_LOG", "Arguments", "parse"]

RUN_LOG = "SKITAID_RUN_LOG"
"""Environment: the folder for the log of a run in the foreground."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What an agent's command line and environment say. `log_folder` stands for the conf's."""

    name: str
    etc: Path
    is_verbose: bool = False
    log_folder: Path | None = None

    def log_path(self, global_: Global) -> Path:
        """The agent's log file."""
        folder = self.log_folder or global_.log_path / "daemons" / self.name
        return folder / f"{self.name}.log"

    def var_path(self, global_: Global) -> Path:
        """The folder of the agent's own data."""
        return global_.var_path / "daemons" / self.name


def parse(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> Arguments:
    """The command line and the environment of an agent. Raises ValueError."""
    values = dict(pairwise(words))
    if not {"-f", "--etc"} <= values.keys() or values["-f"] not in AGENTS:
        raise ValueError(f"expected -f NAME --etc DIR, NAME one of: {', '.join(AGENTS)}")
    folder = environ.get(RUN_LOG)
    return Arguments(values["-f"], Path(values["--etc"]), "-v" in words, Path(folder) if folder else None)
