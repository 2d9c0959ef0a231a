"""Is a line of `[crontab:line]` one that cron can keep? (POSIX.1-2017, crontab; the common extensions: steps, names,
`7` for Sunday, `?`, @daily and its like.) The schedule itself is computed by the cron agent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from skitaid.config.report import UnfitError, did_you_mean

__all__ = ["check_cron_line"]

MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@reboot")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    takes_question_mark: bool = False


FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31, takes_question_mark=True),
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _Field("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"), takes_question_mark=True),
)


def check_cron_line(line: str) -> None:
    """Raises UnfitError for a line that is no `minute hour day month weekday command`."""
    if line.startswith("@"):
        _check_macro(line)
        return
    words = line.split(None, len(FIELDS))
    if len(words) <= len(FIELDS):
        expected = "expected minute hour day month weekday command"
        raise UnfitError(f"{line!r} is too short: {expected}", "such as */5 * * * * /path/command")
    for field, word in zip(FIELDS, words, strict=False):
        for item in word.split(","):
            _check_item(field, item, word)


def _check_macro(line: str) -> None:
    macro, _, command = line.partition(" ")
    if macro not in MACROS:
        raise UnfitError(f"{macro} is unknown: expected {', '.join(MACROS)}", did_you_mean(macro, MACROS))
    if not command.strip():
        raise UnfitError(f"{macro} has no command after it", f"{macro} /path/command")


def _check_item(field: _Field, item: str, word: str) -> None:
    if item == "?" and field.takes_question_mark:
        return
    span, slash, step = item.partition("/")
    low, dash, high = span.partition("-")
    if slash and not (re.fullmatch(r"[1-9][0-9]{0,3}", step, re.ASCII) and span):
        raise _unfit(field, word)
    if span == "*":
        return
    first = _number(field, low, word)
    if dash and _number(field, high, word) < first and not (field.high == 7 and high in ("0", "sun")):
        raise _unfit(field, word)


def _number(field: _Field, text: str, word: str) -> int:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.low
    if not re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) or not field.low <= int(text) <= field.high:
        raise _unfit(field, word)
    return int(text)


def _unfit(field: _Field, word: str) -> UnfitError:
    by_name = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
    expected = f"expected {field.low} to {field.high}{by_name}, also as *, 1-5, 1,3, */5"
    return UnfitError(f"{field.name} {word!r}: {expected}")
