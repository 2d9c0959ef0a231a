"""The machine's own time zone, with its rules: jobs that name none run by it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["LOCALTIME", "local_zone", "zone_of"]

LOCALTIME = Path("/etc/localtime")


def zone_of(name: str | None) -> ZoneInfo:
    """A zone by its name, which was checked; None: the machine's."""
    return _named(name) if name is not None else local_zone()


def local_zone(environ: Mapping[str, str] = os.environ, path: Path = LOCALTIME) -> ZoneInfo:
    """By TZ when it names a zone, else by /etc/localtime, else UTC. Read anew each time: it may be changed."""
    name = environ.get("TZ", "").removeprefix(":")
    if name:
        try:
            return _named(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return _utc()
    try:
        # Equal files make equal zones only when they are called by the same name, so that one is cached by it.
        return _read(str(path.resolve()), path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return _utc()


def _utc() -> ZoneInfo:
    return _named("UTC")


@cache
def _named(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def _read(path: str, changed_ns: int) -> ZoneInfo:
    with open(path, "rb") as file:
        return ZoneInfo.from_file(file, key=path.partition("zoneinfo/")[2] or None)
