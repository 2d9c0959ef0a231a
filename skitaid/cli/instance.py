"""`skitaid-instance`: runs one instance alone, in the foreground, without the daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from skitaid.cli import help as help_text
from skitaid.cli.commands import Option
from skitaid.cli.main import FINE, guarded, program_name
from skitaid.cli.nearest import did_you_mean
from skitaid.cli.options import UsageError, tokens
from skitaid.cli.session import complain_problems, out
from skitaid.config.model import Instance, Main
from skitaid.exceptions import RefusedError

OPTIONS = (
    Option("name", ("-f", "--config", "--conf", "-n", "--name"), "the instance (its conf file's stem)", metavar="NAME"),
    Option("verbose", ("-v", "--verbose"), "log to the console as well"),
    Option("test", ("-t", "--test"), "validate the conf and end; exit code 2 when something is wrong"),
    Option("print", ("-p", "--print"), "print the effective configuration and end"),
    Option("log", ("-l", "--log"), "folder for this instance's logs (default: log_path/instances/NAME)", metavar="LOG"),
    Option("etc", ("--etc",), "folder of the conf files (default: $SKITAID_ETC, else /etc/skitaid)", metavar="DIR"),
    Option("help", ("-h", "--help"), "show this text"),
    Option("version", ("--version",), "show the version"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the console script. Returns the exit code; does not return when the instance runs."""
    program = program_name(sys.argv[0])
    return guarded(lambda: _carry_out(program, sys.argv[1:] if arguments is None else arguments), program)


def parse(arguments: Sequence[str]) -> dict[str, str]:
    """Options given → their values, "" for a switch. Raises UsageError."""
    found: dict[str, str] = {}
    for option, text in tokens(arguments, OPTIONS):
        if option is None:
            raise UsageError(f"expected options only, found {text!r}; an instance is named with -f {text}")
        found[option.name] = text
    if not {"name", "help", "version"} & found.keys():
        raise UsageError("which instance? -f NAME is missing")
    return found


def _carry_out(program: str, arguments: Sequence[str]) -> int:
    found = parse(arguments)
    if "help" in found:
        out(help_text.of_instance(program, OPTIONS))
        return FINE
    if "version" in found:
        from skitaid import __version__

        out(f"skitaid {__version__}")
        return FINE
    main_conf, instance = load(found)
    complain_problems((*main_conf.warnings, *instance.warnings))
    if "print" in found:
        from skitaid.config.dump import dump_conf

        out(dump_conf(instance).rstrip("\n"))
        return FINE
    if "test" in found:
        out(f"{instance.path}: in order")
        return FINE
    return become_master(main_conf, instance, found)


def load(found: Mapping[str, str]) -> tuple[Main, Instance]:
    """skitaid.conf, and the instance that the words of the command line name. Raises ConfError, or RefusedError for a
    name that no conf has."""
    from skitaid.config.load import etc_root, instance_files, load_instance, load_main

    etc = etc_root(found.get("etc"), os.environ)
    main_conf = load_main(etc)
    files = instance_files(etc)
    name = found["name"]
    if name not in files:
        raise RefusedError(
            f"no instance {name!r}: {etc}/servers-enabled/{name}.conf does not exist" + did_you_mean(name, files)
        )
    return main_conf, load_instance(files[name], main_conf)


def refuse_second(main_conf: Main, name: str) -> None:
    """Its master would say so in a log only. Raises RefusedError."""
    from skitaid.instance.lock import is_held

    if is_held(main_conf.global_.run_path, name):
        raise RefusedError(f"{name} is running already; stop it first: skitaid -f {name} stop")


def become_master(main_conf: Main, instance: Instance, found: Mapping[str, str]) -> int:
    """Replace this process by the instance's master, in the instance's own interpreter."""
    from skitaid.instance.arguments import RUN_LOG
    from skitaid.supervisor.spawn import BOOT, Command, interpreter

    refuse_second(main_conf, instance.name)
    places = main_conf.global_
    logs = Path(found["log"]).absolute() if "log" in found else places.log_path / "instances" / instance.name
    if "verbose" not in found:
        out(f"{instance.name} logs to {logs}/server.log, with -v to the console as well; Ctrl-C ends it")
    python = interpreter(instance.server.python or main_conf.global_.python, sys.executable)
    command = Command(
        python, BOOT, instance.name, main_conf.etc, verbose="verbose" in found, environment=instance.environment
    )
    environ = command.environ(os.environ)
    if "log" in found:
        environ[RUN_LOG] = str(logs)
    os.execve(python, command.argv, environ)


if __name__ == "__main__":
    sys.exit(main())
