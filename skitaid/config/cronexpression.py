"""When a cron job runs: the five fields of a crontab line as sets of numbers (POSIX.1-2017, crontab; steps, names, 7
for Sunday and @daily and its like as in Debian's cron).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from skitaid.config.report import UnfitError, did_you_mean

__all__ = ["FIELD_COUNT", "MACROS", "REBOOT", "CronExpression", "parse_expression"]

REBOOT: Final = "@reboot"
MACROS: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
"""`@reboot` is none of them: it has no time."""

_STEP: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII).fullmatch
_NUMBER: Final = re.compile(r"[0-9]{1,2}", re.ASCII).fullmatch
_LONGEST_MONTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _Field("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
FIELD_COUNT: Final = len(_FIELDS)


@dataclass(frozen=True, slots=True)
class CronExpression:
    """The times at which a job runs. `weekdays`: 0 is Sunday.

    `is_any_day`: it runs on days that are in `days` and in `weekdays`, as one of the two fields begins with `*`;
    otherwise on those that are in one of them. `is_by_clock`: minute or hour begin with `*`, so that the job means
    "every so often" and not a time of the day; it matters when the clock is put forward or back.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_any_day: bool
    is_by_clock: bool

    def runs_on(self, month: int, day: int, weekday: int) -> bool:
        """Whether a day is one of the job's; `weekday` 0 is Sunday."""
        if month not in self.months:
            return False
        if self.is_any_day:
            return day in self.days and weekday in self.weekdays
        return day in self.days or weekday in self.weekdays


def parse_expression(text: str) -> CronExpression:
    """`minute hour day month weekday`, or a macro such as @daily. Raises UnfitError, also for times that never come."""
    words = MACROS.get(text, text).split()
    if text.startswith("@") and text not in MACROS:
        known = (*MACROS, REBOOT)
        raise UnfitError(f"{text} is unknown: expected {', '.join(known)}", did_you_mean(text, known))
    if len(words) != FIELD_COUNT:
        raise UnfitError(f"{text!r} has {len(words)} fields: expected minute hour day month weekday")
    minutes, hours, days, months, weekdays = (
        _parse_field(field, word) for field, word in zip(_FIELDS, words, strict=True)
    )
    expression = CronExpression(
        tuple(sorted(minutes)), tuple(sorted(hours)), days, months, frozenset(number % 7 for number in weekdays),
        is_any_day=words[2].startswith("*") or words[4].startswith("*"),
        is_by_clock=words[0].startswith("*") or words[1].startswith("*"),
    )  # fmt: skip
    if not _ever_comes(expression):
        raise UnfitError(f"{text!r}: no such day exists", "the months named have fewer days")
    return expression


def _ever_comes(expression: CronExpression) -> bool:
    if not expression.is_any_day:
        return True
    return any(min(expression.days) <= _LONGEST_MONTHS[month - 1] for month in expression.months)


def _parse_field(field: _Field, word: str) -> frozenset[int]:
    if word == "?":
        raise UnfitError(f"{field.name} '?': no number", "write * for every one of them")
    numbers: set[int] = set()
    for item in word.split(","):
        numbers.update(_parse_item(field, item, word))
    return frozenset(numbers)


def _parse_item(field: _Field, item: str, word: str) -> range:
    span, slash, step = item.partition("/")
    if slash and not (_STEP(step) and span):
        raise _unfit(field, word)
    stride = int(step) if slash else 1
    if span == "*":
        # The seventh day of the week is the first again.
        return range(field.low, min(field.high, 6 if field.high == 7 else field.high) + 1, stride)
    low, dash, high = span.partition("-")
    first = _number(field, low, word)
    if dash:
        return _span(field, first, _last(field, high, word, first), word, stride)
    # Without an end, a step goes on to the end of the field.
    return range(first, field.high + 1, stride) if slash else range(first, first + 1)


def _last(field: _Field, text: str, word: str, first: int) -> int:
    number = _number(field, text, word)
    # fri-sun: at the end of a span, Sunday is the seventh day.
    return 7 if field.high == 7 and number == 0 < first else number


def _span(field: _Field, first: int, last: int, word: str, stride: int) -> range:
    if last < first:
        raise _unfit(field, word)
    return range(first, last + 1, stride)


def _number(field: _Field, text: str, word: str) -> int:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.low
    if not _NUMBER(text) or not field.low <= int(text) <= field.high:
        raise _unfit(field, word)
    return int(text)


def _unfit(field: _Field, word: str) -> UnfitError:
    by_name = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
    expected = f"expected {field.low} to {field.high}{by_name}, also as *, 1-5, 1,3, */5"
    return UnfitError(f"{field.name} {word!r}: {expected}")
