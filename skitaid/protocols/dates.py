"""Dates as HTTP writes them (RFC 9110 section 5.6.7). By hand: strftime follows the locale, email.utils costs 3 MB."""

from __future__ import annotations

import re
import time
from calendar import timegm
from datetime import datetime
from typing import Final

__all__ = ["http_date", "parse_http_date"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DAY_NAME: Final = f"(?:{'|'.join(_DAYS)})"
_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK: Final = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DAY: Final = "(?P<day>[0-9]{2})"
_YEAR: Final = "(?P<year>[0-9]{4})"
_FIXED: Final = re.compile(f"{_DAY_NAME}, {_DAY} {_MONTH} {_YEAR} {_CLOCK} GMT").fullmatch
_LONG_DAY: Final = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_RFC850: Final = re.compile(f"{_LONG_DAY}, {_DAY}-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT").fullmatch
_ASCTIME: Final = re.compile(f"{_DAY_NAME} {_MONTH} (?P<day>[0-9 ][0-9]) {_CLOCK} {_YEAR}").fullmatch


def http_date(seconds: float) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT` for seconds since the epoch."""
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02d} {_MONTHS[month - 1]} {year:04d} {hour:02d}:{minute:02d}:{second:02d} GMT"


def parse_http_date(text: str) -> int | None:
    """Seconds since the epoch, from any of the three forms that recipients have to accept; None for anything else."""
    match = _FIXED(text) or _RFC850(text) or _ASCTIME(text)
    if match is None or match["second"] > "60":
        return None
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    year = int(match["year"])
    if len(match["year"]) == 2:
        # As POSIX divides the centuries; the RFC's rule ("not 50 years from now") would need a clock.
        year += 1900 if year >= 69 else 2000
    try:
        # 60, a leap second, is valid, and unknown to datetime.
        moment = datetime(year, _MONTHS.index(match["month"]) + 1, day, hour, minute, min(second, 59))
    except ValueError:
        return None
    return timegm(moment.timetuple())
