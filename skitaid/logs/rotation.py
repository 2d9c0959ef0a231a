"""Which files a rotation renames and removes, and the thin function that does it.

`server.log` becomes `server.log.2024-05-01`, or `.2024-05-01.1`, `.2` … when that name is taken. The date is the day
the lines were written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Outcome", "Plan", "day_of", "is_due", "perform", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rotation does. `target`: the new name of the file; `removals`: names that go, oldest first."""

    target: str
    removals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rotation has done. `target`: the path the file was renamed to, "" when it was not; `errors`: what failed,
    as sentences."""

    target: str
    errors: tuple[str, ...] = ()


def day_of(now: float | None = None) -> str:
    """The local day of `now` (seconds since the epoch, None for this moment) as `YYYY-MM-DD`."""
    return time.strftime("%Y-%m-%d", time.localtime(now))


def is_due(day: str, today: str) -> bool:
    """Whether a file with lines of `day` is to be rotated `today`. A clock set back rotates nothing."""
    return bool(day) and day < today


def plan(names: Iterable[str], base: str, *, day: str, keep: int) -> Plan:
    """Where `base` goes, and which of the folder's `names` are then more than the newest `keep`.

    Names of another form (compressed by somebody, of another log) are never touched.
    """
    rotated = sorted(filter(None, (_parse(name, base) for name in names)))
    numbers = [number for its_day, number, _ in rotated if its_day == day]
    number = max(numbers) + 1 if numbers else 0
    target = f"{base}.{day}.{number}" if number else f"{base}.{day}"
    rotated = sorted([*rotated, (day, number, target)])
    # The file just rotated stays whatever its day: a clock may have been set back.
    olds = [name for _, _, name in rotated if name != target]
    return Plan(target, tuple(olds[: max(0, len(rotated) - max(keep, 1))]))


def perform(path: str, *, day: str, keep: int) -> Outcome:
    """Rotate `path`. Raises nothing; nothing is removed when the renaming failed."""
    folder, base = os.path.split(path)
    folder = folder or "."
    try:
        decided = plan(os.listdir(folder), base, day=day, keep=keep)
        target = os.path.join(folder, decided.target)
        os.rename(path, target)
    except OSError as error:
        text = f"cannot rotate {path}: {error.strerror or error}; it goes on growing (look at the folder's rights)"
        return Outcome("", (text,))
    return Outcome(target, tuple(filter(None, (_remove(os.path.join(folder, name)) for name in decided.removals))))


def _remove(path: str) -> str:
    try:
        os.unlink(path)
    except OSError as error:
        return f"cannot remove the old log {path}: {error.strerror or error}"
    return ""


def _parse(name: str, base: str) -> tuple[str, int, str] | None:
    """(day, number, name) of a rotated file of `base`, else None."""
    if not name.startswith(base + "."):
        return None
    day, _, number = name[len(base) + 1 :].partition(".")
    if not _is_day(day) or (number and not _is_number(number)) or name.endswith("."):
        return None
    return day, int(number or 0), name


def _is_day(text: str) -> bool:
    return len(text) == len("YYYY-MM-DD") and text[4] == text[7] == "-" and _is_number(text.replace("-", ""))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
