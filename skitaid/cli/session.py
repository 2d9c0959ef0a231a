"""What every command is given: the options, the conf folder, and how to say things to the person at the terminal."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from skitaid.cli.nearest import did_you_mean
from skitaid.cli.options import Options
from skitaid.cli.style import Style, Tone, style_for
from skitaid.config.model import Main
from skitaid.exceptions import ConfError, Problem, RefusedError

AGENTS = {"smtpda": "mail agent", "cron": "cron agent"}
"""Names that -f gives to the daemon's own agents, not to instances."""


@dataclass(frozen=True, slots=True)
class Session:
    """One run of a command. `program` is the program as it was typed, for hints that can be copied."""

    options: Options
    etc: Path
    program: str = "skitaid"

    def hint(self, words: str) -> str:
        """A command line to type next, with the same program and the same --etc."""
        if not self.options.etc:
            return f"{self.program} {words}"
        from shlex import quote

        return f"{self.program} --etc {quote(self.options.etc)} {words}"

    def load_main(self) -> Main:
        """skitaid.conf. Raises ConfError, also when there is no such folder."""
        from skitaid.config.load import load_main

        return load_main(self.etc)

    def find_main(self) -> Main:
        """skitaid.conf, for a command to a daemon that runs already: is the file wrong by now, then that is said, and
        the daemon is looked for where it is by default. Raises ConfError when it is not there either."""
        return _find_main(self.etc)

    def instance_files(self) -> dict[str, Path]:
        """Conf file of each enabled instance."""
        from skitaid.config.load import instance_files

        return instance_files(self.etc)

    def require_instance(self) -> str:
        """The name given with -f, known to be enabled. Raises RefusedError, naming the nearest; and for an agent."""
        name = self.options.name or ""
        self.refuse_agents()
        files = self.instance_files()
        if name not in files:
            raise self.no_such_instance(name, files)
        return name

    def refuse_agents(self) -> None:
        """Say that this command is for instances only. Raises RefusedError when -f names an agent."""
        agent = AGENTS.get(self.options.name or "")
        if agent:
            raise RefusedError(
                f"{self.options.typed} is for instances, and {self.options.name} is the {agent}; "
                f"without -f it looks at skitaid.conf too, where the agents' sections are"
            )

    @property
    def is_of_agent(self) -> bool:
        return self.options.name in AGENTS

    def require_unit(self) -> str:
        """The name given with -f, an instance's or an agent's that some conf asks for. Raises RefusedError."""
        name = self.options.name or ""
        if name not in AGENTS:
            return self.require_instance()
        from skitaid.config.load import load_all
        from skitaid.supervisor.agents import SECTIONS, wanted

        loaded = load_all(self.etc)
        if name not in wanted(loaded.main, loaded.instances.values()):
            raise RefusedError(f"there is no {SECTIONS[name]}, so {name} has nothing to do")
        return name

    def log_folder(self, name: str) -> Path:
        """Where an instance's or an agent's logs are."""
        return self.find_main().global_.log_path / ("daemons" if name in AGENTS else "instances") / name

    def no_such_instance(self, name: str, known: dict[str, Path]) -> RefusedError:
        where = self.etc / "servers-enabled"
        fix = self.switched_off(name) or did_you_mean(name, known)
        if not fix:
            fix = f"; there are: {', '.join(sorted(known))}" if known else "; that folder holds no conf file"
        return RefusedError(f"no instance {name!r}: {where}/{name}.conf does not exist{fix}")

    def switched_off(self, name: str) -> str:
        """How to switch on an instance whose conf is in servers-available; "" when there is none."""
        if not (self.etc / "servers-available" / f"{name}.conf").is_file():
            return ""
        return f"; it is switched off: ln -s ../servers-available/{name}.conf {self.etc}/servers-enabled/"


@cache  # asked for several times by one command, and a complaint once is enough
def _find_main(etc: Path) -> Main:
    from skitaid.config.load import default_main, load_main
    from skitaid.supervisor import lock

    try:
        return load_main(etc)
    except ConfError as error:
        main = default_main(etc)
        if not lock.is_held(main.global_.run_path):
            raise
        complain_problems(error.problems)
        return main


def short(path: Path) -> str:
    """A path for people: relative to the working folder when it lies below, but for the root, which all lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) and here != Path("/") else str(path)


def out(text: str = "") -> None:
    """A line on standard output, there at once also when it is a pipe."""
    print(text, flush=True)


def complain(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


def out_style() -> Style:
    return style_for(sys.stdout, os.environ)


def err_style() -> Style:
    return style_for(sys.stderr, os.environ)


def complain_error(text: str) -> None:
    """An error on standard error: what happened and what to do."""
    style = err_style()
    complain(f"{style.paint('skitaid:', Tone.BAD)} {text}")


def complain_problems(problems: tuple[Problem, ...]) -> None:
    """Every problem of the confs, a line each, errors and warnings apart by colour."""
    style = err_style()
    for problem in problems:
        complain(style.paint(str(problem), Tone.WARNING if problem.is_warning else Tone.BAD))
