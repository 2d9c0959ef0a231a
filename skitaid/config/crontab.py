"""The lines of `[crontab:line]` as jobs.

A line is a job (`minute hour day month weekday command`, or a macro such as @daily and a command), or a setting for the
jobs below it: `NAME=value` (POSIX.1-2017, crontab; crontab(5) of Debian's cron). Some names mean something to cron
itself, see `CronJob`; all others are set in the jobs' environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from skitaid.config.cronexpression import FIELD_COUNT, REBOOT, CronExpression, parse_expression
from skitaid.config.document import Value
from skitaid.config.fields import DAY_S, Kind, Place, convert, scalar, seconds, truth
from skitaid.config.model import CrontabLine, Origin
from skitaid.config.report import UnfitError

__all__ = ["SETTINGS", "CronJob", "parse_crontab"]

_SETTING: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.ASCII | re.DOTALL).fullmatch
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII).fullmatch
_ADDRESS: Final = re.compile(r"[^\s,<>@\"]+(@[^\s,<>@\"]+)?").fullmatch
_NOWHERE: Final = Place("", Path(), Path())


@dataclass(frozen=True, slots=True)
class CronJob:
    """A job. `expression` None: it runs once after the machine has started (@reboot). `when` as it was written.

    `command` is for the shell, `stdin` what it reads: in a line, the first `%` ends the command and the others are
    newlines, `\\%` is a percent sign (POSIX). The rest are settings above the line: `zone` (CRON_TZ) None is the
    machine's own; `may_overlap` (OVERLAP) lets it start while it still runs; `timeout_s` (TIMEOUT) ends it, 0 never;
    `jitter_s` (JITTER) is the most that it is put off by, at random; `mail_to` (MAILTO) who is sent what it prints;
    `on_one_machine` (ONE_MACHINE) runs it on one of those that share a Redis; `name` (JOB) is for the next line alone.
    """

    name: str
    when: str
    command: str
    expression: CronExpression | None
    stdin: str = ""
    zone: str | None = None
    may_overlap: bool = False
    timeout_s: float = DAY_S
    jitter_s: float = 0.0
    mail_to: tuple[str, ...] = ()
    on_one_machine: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    origin: Origin = field(default=Origin(), compare=False)


def parse_crontab(lines: Iterable[CrontabLine], tell: Callable[[CrontabLine, UnfitError], None]) -> tuple[CronJob, ...]:
    """The jobs of a section, in order. `tell` is called for each line that is neither a job nor a setting."""
    reader = _Reader()
    for line in lines:
        try:
            reader.read(line)
        except UnfitError as error:
            tell(line, error)
    return tuple(reader.jobs)


class _Reader:
    """Goes from line to line with the settings that hold there."""

    def __init__(self) -> None:
        self.jobs: list[CronJob] = []
        self._settings: dict[str, Any] = {}
        self._environment: Mapping[str, str] = MappingProxyType({})
        self._name: str | None = None

    def read(self, line: CrontabLine) -> None:
        """The next line: a job, or a setting for those below. Raises UnfitError."""
        setting = _SETTING(line.text)
        if setting is None:
            self._add(line)
        else:
            self._set(setting[1], _unquoted(setting[2]))

    def _set(self, name: str, value: str) -> None:
        if name == "JOB":
            self._name = self._free_name(value)
        elif name in SETTINGS:
            attribute, kind = SETTINGS[name]
            self._settings[attribute] = _converted(name, kind, value)
        elif "\0" in value:
            raise UnfitError(f"{name} holds a NUL")
        else:
            self._environment = MappingProxyType({**self._environment, name: value})

    def _free_name(self, name: str) -> str:
        if not _NAME(name):
            raise UnfitError(f"JOB {name!r} is not a name", "use letters, digits, _, - and .")
        if any(job.name == name for job in self.jobs):
            raise UnfitError(f"JOB {name} is the name of a job above", "give each job a name of its own")
        return name

    def _add(self, line: CrontabLine) -> None:
        when, expression, rest = _parse_job(line.text)
        command, stdin = _split_command(rest)
        name, self._name = self._name, None
        job = CronJob(name or self._make_name(command), when, command, expression, stdin, origin=line.origin)
        self.jobs.append(replace(job, environment=self._environment, **self._settings))

    def _make_name(self, command: str) -> str:
        """The program's name; with a number when it is taken."""
        words = [word for word in command.split() if "=" not in word]
        program = re.sub(r"[^A-Za-z0-9_.-]+", "", words[0].rpartition("/")[2])[:40] if words else ""
        name = base = program.lstrip(".-") or "job"
        taken = {job.name for job in self.jobs}
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        return name


def _parse_job(line: str) -> tuple[str, CronExpression | None, str]:
    """When as written, its meaning, and what follows it."""
    if line.startswith("@"):
        macro, *rest = line.split(None, 1)
        expression = None if macro == REBOOT else parse_expression(macro)
        if not rest:
            raise UnfitError(f"{macro} has no command after it", f"{macro} /path/command")
        return macro, expression, rest[0]
    words = line.split(None, FIELD_COUNT)
    if len(words) <= FIELD_COUNT:
        expected = "expected minute hour day month weekday command"
        raise UnfitError(f"{line!r} is too short: {expected}", "such as */5 * * * * /path/command")
    when = " ".join(words[:FIELD_COUNT])
    return when, parse_expression(when), words[FIELD_COUNT]


def _split_command(text: str) -> tuple[str, str]:
    """Command and standard input. Raises UnfitError."""
    if "\0" in text:
        raise UnfitError("the command holds a NUL")
    command, *rest = [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", text)]
    if not command.strip():
        raise UnfitError(f"{text!r}: no command stands before the %", "write \\% for a percent sign")
    stdin = "\n".join(rest)
    return command.strip(), f"{stdin}\n" if stdin and not stdin.endswith("\n") else stdin


def _unquoted(value: str) -> str:
    value = value.strip()
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted else value


# ---------------------------------------------------------------- settings


def _converted(name: str, kind: Kind, value: str) -> Any:
    try:
        return convert(kind, Value(value), _NOWHERE)
    except UnfitError as error:
        raise UnfitError(f"{name} {value!r}: {error.text or f'expected {kind.expected}'}", error.fix) from None


def _parse_zone(word: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # imported late: few crontabs name a zone

    try:
        ZoneInfo(word)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnfitError(fix="see timedatectl list-timezones") from None
    return word


def _parse_addresses(word: str) -> tuple[str, ...]:
    addresses = tuple(address.strip() for address in word.split(",") if address.strip())
    if not all(map(_ADDRESS, addresses)):
        raise UnfitError
    return addresses


def _anything(kind: Kind) -> Kind:
    return replace(kind, takes_empty=True)


SETTINGS: Final[Mapping[str, tuple[str, Kind]]] = {
    "CRON_TZ": ("zone", scalar("a time zone such as Europe/Berlin", _parse_zone)),
    "OVERLAP": ("may_overlap", truth()),
    "TIMEOUT": ("timeout_s", seconds(0, 366 * DAY_S)),
    "JITTER": ("jitter_s", seconds(0, DAY_S)),
    "MAILTO": ("mail_to", _anything(scalar("addresses, separated by commas", _parse_addresses))),
    "ONE_MACHINE": ("on_one_machine", truth()),
}
"""The names that mean something to cron, beside JOB: the attribute of CronJob, and the kind of its value."""
