"""The command line as typed → `Options`. Pure: nothing is looked up, nothing printed.

Options and words may come in any order (`-f sample start`, `start -f sample`); `--` ends the options.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skitaid.cli.commands import OPTIONS, Command, Option, command_words, find_command, options_of
from skitaid.cli.nearest import did_you_mean
from skitaid.exceptions import SkitaidError

MAX_REQUESTS = 1_000_000
MAX_CONCURRENCY = 500
MAX_COUNT = 10_000
LOG_SUFFIXES = ("server", "request", "app", "stderr")


class UsageError(SkitaidError):
    """The command line is wrong: whoever typed it must act. Exit code 2."""


@dataclass(frozen=True, slots=True)
class Options:
    """A command line, checked. `typed` is the command's word as typed, it may be an older name; `argument` the word
    after it, `objects` those after that."""

    command: Command
    typed: str
    argument: str | None = None
    objects: tuple[str, ...] = ()
    name: str | None = None
    log_suffix: str = "app"
    verbose: bool = False
    etc: str | None = None
    follow: bool = False
    json: bool = False
    yaml: bool = False
    port: int | None = None
    requests: int = 1000
    concurrency: int = 10
    after: str | None = None
    zone: str | None = None
    count: int = 5
    help: bool = False
    version: bool = False


Token = tuple[Option | None, str]
"""An option and its value ("" for a switch), or None and a word."""


def parse(arguments: Sequence[str]) -> Options:
    """Read a command line without the program's name. Raises UsageError."""
    _, words = _sorted(arguments, OPTIONS)
    # Which option a flag stands for depends on the command; which words there are does not.
    found, _ = _sorted(arguments, options_of(_command(words)[0]))
    command, typed, argument = _command(words)
    _must_belong(found, command, typed)
    switches = {option.name: option.name in found for option in OPTIONS if not option.metavar}
    return Options(
        command,
        typed,
        argument,
        tuple(words[2:]),
        found.get("name"),
        _log_suffix(found),
        etc=found.get("etc"),
        port=_port(found),
        requests=_amount(found, "requests", 1000, MAX_REQUESTS),
        concurrency=_amount(found, "concurrency", 10, MAX_CONCURRENCY),
        after=found.get("after"),
        zone=found.get("zone"),
        count=_amount(found, "count", 5, MAX_COUNT),
        **switches,
    )


def _sorted(arguments: Sequence[str], table: Sequence[Option]) -> tuple[dict[str, str], list[str]]:
    """Values by the names of options, and the words."""
    found: dict[str, str] = {}
    words: list[str] = []
    for option, text in tokens(arguments, table):
        if option is None:
            words.append(text)
        else:
            found[option.name] = text
    return found, words


def tokens(arguments: Sequence[str], table: Sequence[Option]) -> Iterator[Token]:
    """Options of `table` with their values, and the words between them, in order. Raises UsageError."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            yield from ((None, word) for word in rest)
        elif argument.startswith("--"):
            yield _long(argument, rest, table)
        elif argument.startswith("-") and argument != "-":
            yield from _short(argument, rest, table)
        else:
            yield None, argument


def _find(flag: str, table: Sequence[Option], context: str = "") -> Option:
    option = next((option for option in table if flag in option.flags), None)
    if option is None:
        known = [name for option in table for name in option.flags if name.startswith("--")]
        raise UsageError(f"unknown option {flag}{context}" + did_you_mean(flag, known))
    return option


def _long(argument: str, rest: Iterator[str], table: Sequence[Option]) -> Token:
    flag, has_value, value = argument.partition("=")
    option = _find(flag, table)
    if not option.metavar:
        if has_value:
            raise UsageError(f"option {flag} takes no value, found {value!r}")
        return option, ""
    return option, _value(option, flag, iter([value]) if has_value else rest)


def _short(argument: str, rest: Iterator[str], table: Sequence[Option]) -> Iterator[Token]:
    """`-v`, `-f sample`, `-fsample`, `-vf sample`."""
    for index, letter in enumerate(argument[1:], 2):
        flag = "-" + letter
        option = _find(flag, table, f" (in {argument})" if len(argument) > 2 else "")
        if option.metavar:
            yield option, argument[index:] or _value(option, flag, rest)
            return
        yield option, ""


def _value(option: Option, flag: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None or value == "":
        raise UsageError(f"option {flag} wants a value: {flag} {option.metavar}")
    return value


def _command(words: list[str]) -> tuple[Command, str, str | None]:
    typed = words[0] if words else "start"
    command = find_command(typed)
    if command is None:
        raise UsageError(f"unknown command {typed!r}" + did_you_mean(typed, command_words()))
    argument = words[1] if len(words) > 1 else None
    if argument is not None and not command.argument:
        raise UsageError(f"{typed} takes nothing after it, found {argument!r}" + _instance_hint(typed, argument))
    if command.words is not None and len(words) > command.words + 1:
        raise UsageError(f"{typed} takes one {command.argument.strip('[]')}, found also {words[-1]!r}")
    return command, typed, argument


def _instance_hint(typed: str, argument: str) -> str:
    return f"; an instance is named with -f: -f {argument} {typed}"


def _must_belong(found: dict[str, str], command: Command, typed: str) -> None:
    for option in OPTIONS:
        if option.name in found and option.commands and command.name not in option.commands:
            raise UsageError(f"option {option.flags[0]} belongs to {' and '.join(option.commands)}, not to {typed}")


def _log_suffix(found: dict[str, str]) -> str:
    suffix = found.get("log_suffix", "app")
    if suffix not in LOG_SUFFIXES:
        raise UsageError(f"-s {suffix}: expected one of {', '.join(LOG_SUFFIXES)}" + did_you_mean(suffix, LOG_SUFFIXES))
    return suffix


def _port(found: dict[str, str]) -> int | None:
    text = found.get("port")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise UsageError(f"--port {text}: expected a number from 0 to 65535")
    return int(text)


def _amount(found: dict[str, str], name: str, default: int, largest: int) -> int:
    text = found.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
        raise UsageError(f"--{name} {text}: expected a number from 1 to {largest:,}")
    return int(text)
