"""Dates as HTTP writes them (RFC 9110 section 5.6.7). By hand: strftime follows the locale, `email.utils` costs 3 MB."""

from __future__ import annotations

import time
from calendar import timegm
from typing import Final

__all__ = ["http_date", "parse_http_date"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(seconds: float) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT` for seconds since the epoch."""
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02d} {_MONTHS[month - 1]} {year:04d} {hour:02d}:{minute:02d}:{second:02d} GMT"


def parse_http_date(text: str) -> int | None:
    """Seconds since the epoch; None for anything but the preferred form, which RFC 9110 section 13.1.3 has
    recipients ignore."""
    parts = text.split()
    if len(parts) != 6 or parts[5] != "GMT" or parts[2] not in _MONTHS:
        return None
    clock = parts[4].split(":")
    if len(clock) != 3 or not all(part.isascii() and part.isdigit() for part in (parts[1], parts[3], *clock)):
        return None
    hour, minute, second = map(int, clock)
    try:
        return timegm((int(parts[3]), _MONTHS.index(parts[2]) + 1, int(parts[1]), hour, minute, second, 0, 0, 0))
    except (ValueError, OverflowError):
        return None
