"""next: when an expression, or every job of the crontabs, runs next. An ISO time with its offset a line."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from skitaid.agents.cron.schedule import next_times
from skitaid.agents.cron.zones import local_zone
from skitaid.cli.cron_jobs import jobs, require_cron
from skitaid.cli.options import UsageError
from skitaid.cli.session import Session, out
from skitaid.config.cronexpression import REBOOT, CronExpression, parse_expression
from skitaid.config.report import UnfitError


def run(session: Session) -> int:
    require_cron(session)
    zone = find_zone(session.options.zone)
    after = find_time(session.options.after, zone or local_zone())
    text = session.options.argument
    if text is not None:
        print_expression(parse(text), zone or local_zone(), after, session.options.count)
    else:
        print_jobs(session, zone, after)
    return 0


def parse(text: str) -> CronExpression:
    """The expression that somebody typed. Raises UsageError, with the reason."""
    if text == REBOOT:
        raise UsageError(f"{REBOOT} has no times: such a job runs once after each start of the machine")
    try:
        return parse_expression(text)
    except UnfitError as error:
        raise UsageError(str(error)) from None


def find_zone(name: str | None) -> ZoneInfo | None:
    """The zone of `--tz`; None: it was not given. Raises UsageError."""
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"--tz {name}: no such time zone; see timedatectl list-timezones") from None


def find_time(text: str | None, zone: ZoneInfo) -> datetime:
    """The time of `--after`, now if it was not given; in `zone` when it names no offset. Raises UsageError."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--after {text}: expected a time in ISO form, such as 2024-05-01T12:00") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def print_expression(expression: CronExpression, zone: ZoneInfo, after: datetime, count: int) -> None:
    for time in islice(next_times(expression, zone, after), count):
        out(time.isoformat())


def print_jobs(session: Session, zone: ZoneInfo | None, after: datetime) -> None:
    """The next of all jobs together, each with its name."""
    _, works = jobs(session)
    found = []
    for work in works.values():
        if work.job.expression is not None:
            own = ZoneInfo(work.job.zone) if work.job.zone else zone or local_zone()
            found += [
                (time, work.key) for time in islice(next_times(work.job.expression, own, after), session.options.count)
            ]
    for time, key in sorted(found)[: session.options.count]:
        out(f"{(time.astimezone(zone) if zone else time).isoformat()} {key}")
