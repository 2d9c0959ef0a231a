"""The next time at which a job runs.

When a clock is put forward or back, Debian's cron tells two kinds of jobs apart (cron(8), "Daylight saving time"), and
so do we. A job that means a time of the day runs once on every one of its days: when its time is skipped, right after
the gap; when its time comes twice, the first time. A job that means "every so often" (`*` in minute or hour) goes by
the clock on the wall as it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final
from zoneinfo import ZoneInfo

from skitaid.config.cronexpression import CronExpression

__all__ = ["next_time", "next_times"]

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_HORIZON: Final = timedelta(days=366 * 50)
"""February 29 on one weekday comes at least once in 40 years."""


def next_times(expression: CronExpression, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """All times after `after`, one by one, in `zone`."""
    found = next_time(expression, zone, after)
    while found is not None:
        yield found
        found = next_time(expression, zone, found)


def next_time(expression: CronExpression, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first time after `after` (aware), in `zone`; None: not within 50 years."""
    search = _by_clock if expression.is_by_clock else _by_time_of_day
    try:
        return search(expression, zone, after.astimezone(UTC))
    except OverflowError:
        # At the end of the calendar.
        return None


def _by_time_of_day(expression: CronExpression, zone: ZoneInfo, after: datetime) -> datetime | None:
    local = after.astimezone(zone).replace(tzinfo=None, fold=0)
    for midnight in _days(expression, local.replace(hour=0, minute=0, second=0, microsecond=0)):
        for hour, minute in product(expression.hours, expression.minutes):
            found = _existing(midnight.replace(hour=hour, minute=minute), zone)
            if found > after:
                return found.astimezone(zone)
    return None


def _days(expression: CronExpression, first: datetime) -> Iterator[datetime]:
    """The midnights with which the job's days begin, from `first` on."""
    midnight, end = first, first + _HORIZON
    while midnight <= end:
        if expression.runs_on(midnight.month, midnight.day, midnight.isoweekday() % 7):
            yield midnight
        midnight += _DAY


def _existing(wall: datetime, zone: ZoneInfo) -> datetime:
    """In UTC: when the clock shows `wall` for the first time, or, if it never does, the first moment after the gap."""
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    shown = found.astimezone(zone).replace(tzinfo=None, fold=0)
    while shown != wall:
        wall += _MINUTE
        found = wall.replace(tzinfo=zone).astimezone(UTC)
        shown = found.astimezone(zone).replace(tzinfo=None, fold=0)
    return found


def _by_clock(expression: CronExpression, zone: ZoneInfo, after: datetime) -> datetime | None:
    moment = after.replace(second=0, microsecond=0) + _MINUTE
    # Zones whose offset is no whole number of minutes are history: their minutes begin when their clocks say so.
    moment -= timedelta(seconds=moment.astimezone(zone).second)
    if moment <= after:
        moment += _MINUTE
    end = after + _HORIZON
    while moment <= end:
        wall = moment.astimezone(zone)
        if not expression.runs_on(wall.month, wall.day, wall.isoweekday() % 7):
            moment = _next_midnight(wall, moment, zone)
        elif wall.hour not in expression.hours:
            # The clock may change at any quarter of an hour.
            moment += timedelta(minutes=15 - wall.minute % 15)
        elif wall.minute in expression.minutes:
            return wall
        else:
            moment += _MINUTE
    return None


def _next_midnight(wall: datetime, moment: datetime, zone: ZoneInfo) -> datetime:
    midnight = wall.replace(hour=0, minute=0, second=0, tzinfo=None, fold=0) + _DAY
    found = midnight.replace(tzinfo=zone).astimezone(UTC)
    return found if found > moment else moment + _MINUTE
