"""Dates in a header (RFC 5322, section 3.3): in English, whatever the locale. Pure."""

from __future__ import annotations

import time

__all__ = ["format_date"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date(at: float, offset_s: int = 0) -> str:
    """`at`: seconds since the epoch. `offset_s`: of the zone, east of UTC."""
    there = time.gmtime(at + offset_s)
    hours, minutes = divmod(abs(offset_s) // 60, 60)
    zone = f"{'-' if offset_s < 0 else '+'}{hours:02}{minutes:02}"
    return (
        f"{_DAYS[there.tm_wday]}, {there.tm_mday} {_MONTHS[there.tm_mon - 1]} {there.tm_year} "
        f"{there.tm_hour:02}:{there.tm_min:02}:{there.tm_sec:02} {zone}"
    )
