"""The help text, made from the tables of commands and options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from skitaid.cli.commands import COMMANDS, OPTIONS, Command, Option

EXITS = "Exit code: 0 fine; 1 refused (not running, already running, no such instance); 2 wrong arguments or bad conf."


def overview(program: str) -> str:
    """The text of `--help`."""
    lines = [
        f"usage: {program} [options] [command]",
        "",
        "Serves the Python web applications of this machine from conf files.",
        "",
        "Commands (with -f NAME they act on that instance alone):",
    ]
    lines += [
        _row(command.name + (f" {command.argument}" if command.argument else ""), command.summary)
        for command in COMMANDS
    ]
    lines += [
        "",
        "Older names: "
        + ", ".join(f"{alias} (= {command.name})" for command in COMMANDS for alias in command.aliases)
        + ".",
    ]
    lines += ["", "Options:"]
    lines += [_option_row(option) for option in OPTIONS]
    lines += ["", EXITS, f"More about one command: {program} COMMAND --help"]
    return "\n".join(lines)


def of_command(program: str, command: Command) -> str:
    """The text of `COMMAND --help`."""
    usage = f"usage: {program} [options] {command.name}" + (f" {command.argument}" if command.argument else "")
    lines = [usage, "", f"{command.name}: {command.summary}."]
    if command.one:
        lines.append(f"With -f NAME: {command.one}.")
    if command.aliases:
        lines.append(f"Older names: {', '.join(command.aliases)}.")
    if command.more:
        lines += ["", *(f"  {line}" for line in command.more)]
    lines += ["", "Options:"]
    lines += [_row(option.spelling, option.help, width=38) for option in _options(command)]
    lines += ["", EXITS]
    return "\n".join(lines)


def _options(command: Command) -> Iterator[Option]:
    """Its own, and those of all commands without the flags that its own have taken."""
    taken = {flag for option in OPTIONS if command.name in option.commands for flag in option.flags}
    for option in OPTIONS:
        if command.name in option.commands:
            yield option
        elif not option.commands:
            yield replace(option, flags=tuple(flag for flag in option.flags if flag not in taken))


def of_instance(program: str, options: Sequence[Option]) -> str:
    """`skitaid-instance --help`."""
    lines = [
        f"usage: {program} -f NAME [options]",
        "",
        "Runs one instance alone, in the foreground, without the daemon. Ctrl-C stops it.",
        "",
        "Options:",
    ]
    lines += [_row(option.spelling, option.help, width=38) for option in options]
    lines += ["", "Exit code: 0 fine; 1 refused (no such instance); 2 wrong arguments or bad conf."]
    return "\n".join(lines)


def of_agent(program: str, what: str, options: Sequence[Option]) -> str:
    """`skitaid-smtpda --help`, `skitaid-cron --help`."""
    lines = [
        f"usage: {program} [options]",
        "",
        f"Runs the {what} alone, in the foreground, without the daemon. Ctrl-C stops it.",
        "",
        "Options:",
    ]
    lines += [_row(option.spelling, option.help, width=38) for option in options]
    lines += ["", "Exit code: 0 fine; 1 refused (it runs already); 2 wrong arguments or bad conf."]
    return "\n".join(lines)


def _option_row(option: Option) -> str:
    owner = f"{', '.join(option.commands)}: " if option.commands else ""
    return _row(option.spelling, owner + option.help, width=38)


def _row(left: str, right: str, width: int = 14) -> str:
    if len(left) > width:
        return f"  {left}\n  {'':{width}}  {right}"
    return f"  {left:{width}}  {right}"
