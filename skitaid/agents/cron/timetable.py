"""Which jobs are due. Pure: it is told the time, and remembers what it has seen of it.

A clock that moves must neither make jobs run in a burst nor be forgotten (cron(8) of Debian, and a machine that slept):

* a job runs once at a look, however many of its times have come since the last one;
* forward by less than three hours: a job that means a time of the day and whose time was skipped runs at once; one
  that means "every so often" goes on by the new time, and runs at once only if it is less than five minutes late;
* back by less than three hours: a job that means a time of the day does not run again in the hours that come twice;
  nor does any job when it is less than five minutes;
* by more: somebody corrected the clock, and the new time counts at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from skitaid.agents.cron.schedule import next_time
from skitaid.config.cronexpression import CronExpression

__all__ = ["LATE", "Plan", "Timetable", "look"]

LATE: Final = timedelta(minutes=5)
CORRECTION: Final = timedelta(hours=3)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """When a job runs."""

    expression: CronExpression
    zone: ZoneInfo


def look(plan: Plan, seen: datetime, now: datetime) -> tuple[datetime | None, datetime]:
    """The time of the job that has come since `seen`, if any, and what is seen then: no time up to it comes again."""
    moved = now - seen
    is_corrected = abs(moved) >= CORRECTION or (plan.expression.is_by_clock and abs(moved) >= LATE)
    since = now.replace(second=0, microsecond=0) - _SECOND if is_corrected else seen
    found = next_time(plan.expression, plan.zone, since)
    return (found if found is not None and found <= now else None), max(since, now)


class Timetable:
    """The jobs by key. `now` is seconds since the epoch, everywhere."""

    def __init__(self, now: float) -> None:
        self._plans: dict[str, Plan] = {}
        self._seen: dict[str, float] = {}
        """Only of those for which it is not the last look."""
        self._looked = now
        self._next: dict[str, float] = {}

    def replace(self, plans: Mapping[str, Plan], seen: Mapping[str, float]) -> None:
        """Other jobs from now on. One that is there already, with the same times, goes on; a new one begins at `seen`,
        or with the last look."""
        for key in self._plans.keys() - plans.keys():
            self._forget(key)
        for key, plan in plans.items():
            if self._plans.get(key) != plan:
                self._forget(key)
                if key in seen:
                    self._seen[key] = seen[key]
        self._plans = dict(plans)
        for key in plans.keys() - self._next.keys():
            self._plan_next(key)

    def tick(self, now: float) -> list[tuple[str, float]]:
        """The jobs that are due, with the time at which they were to run."""
        due = []
        is_set_back = now < self._looked
        for key in [key for key, at in self._next.items() if at <= now or is_set_back]:
            found, seen = look(self._plans[key], _moment(self._seen_by(key)), _moment(now))
            if found is not None:
                due.append((key, found.timestamp()))
            self._seen[key] = seen.timestamp()
        for key in [key for key, seen in self._seen.items() if seen <= now]:
            del self._seen[key]
        self._looked = now
        for key in [key for key, at in self._next.items() if at <= now or is_set_back]:
            self._plan_next(key)
        return due

    def next_at(self, key: str) -> float | None:
        """When the job runs next; None: never."""
        at = self._next.get(key)
        return None if at in (None, float("inf")) else at

    @property
    def looked(self) -> float:
        """Up to then all that was due was told."""
        return self._looked

    @property
    def wake_at(self) -> float:
        """Nothing is due before; infinite without jobs."""
        return min(self._next.values(), default=float("inf"))

    def _plan_next(self, key: str) -> None:
        plan = self._plans[key]
        found = next_time(plan.expression, plan.zone, _moment(self._seen_by(key)))
        self._next[key] = found.timestamp() if found is not None else float("inf")

    def _seen_by(self, key: str) -> float:
        return self._seen.get(key, self._looked)

    def _forget(self, key: str) -> None:
        self._plans.pop(key, None)
        self._seen.pop(key, None)
        self._next.pop(key, None)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
