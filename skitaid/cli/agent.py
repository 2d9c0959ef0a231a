"""`skitaid-smtpda` and `skitaid-cron`: an agent alone, in the foreground, without the daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from skitaid.cli import help as help_text
from skitaid.cli.commands import Option
from skitaid.cli.main import FINE, guarded, program_name
from skitaid.cli.options import UsageError, tokens
from skitaid.cli.session import AGENTS, out

OPTIONS = (
    Option("verbose", ("-v", "--verbose"), "log to the console as well"),
    Option("log", ("-l", "--log"), "folder for its log (default: log_path/daemons/NAME)", metavar="LOG"),
    Option("etc", ("--etc",), "folder of the conf files (default: $SKITAID_ETC, else /etc/skitaid)", metavar="DIR"),
    Option("help", ("-h", "--help"), "show this text"),
    Option("version", ("--version",), "show the version"),
)


def cron(arguments: Sequence[str] | None = None) -> int:
    """Entry of the console script. Returns the exit code; does not return when the agent runs."""
    return _main("cron", arguments)


def smtpda(arguments: Sequence[str] | None = None) -> int:
    """Entry of the console script. Returns the exit code; does not return when the agent runs."""
    return _main("smtpda", arguments)


def _main(name: str, arguments: Sequence[str] | None) -> int:
    program = program_name(sys.argv[0])
    return guarded(lambda: _carry_out(name, program, sys.argv[1:] if arguments is None else arguments), program)


def _carry_out(name: str, program: str, arguments: Sequence[str]) -> int:
    found: dict[str, str] = {}
    for option, text in tokens(arguments, OPTIONS):
        if option is None:
            raise UsageError(f"expected options only, found {text!r}")
        found[option.name] = text
    if "help" in found:
        out(help_text.of_agent(program, AGENTS[name], OPTIONS))
        return FINE
    if "version" in found:
        from skitaid import __version__

        out(f"skitaid {__version__}")
        return FINE
    return _become(name, found)


def _become(name: str, found: dict[str, str]) -> int:
    """Replace this process by the agent."""
    from skitaid.agents.arguments import RUN_LOG
    from skitaid.config.load import etc_root, load_main
    from skitaid.supervisor.agents import BOOT
    from skitaid.supervisor.spawn import Command

    etc = etc_root(found.get("etc"), os.environ)
    load_main(etc)  # what is wrong with it is said here, where somebody reads it
    command = Command(sys.executable, BOOT, name, etc, verbose="verbose" in found)
    environ = command.environ(os.environ)
    if "log" in found:
        environ[RUN_LOG] = str(Path(found["log"]).absolute())
    os.execve(sys.executable, command.argv, environ)
