"""Clocks that stand, jump and are set back; agents that were away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from skitaid.agents.cron.timetable import Plan, Timetable
from skitaid.config.cronexpression import parse_expression

NOON = datetime(2025, 5, 5, 12, 0, tzinfo=UTC)


def at(text: str) -> float:
    """`12:00` or `12:00:30` of the day, or `+1 03:00` of the next."""
    days, _, clock = text.rpartition(" ")
    hours, minutes, seconds = (int(part) for part in f"{clock}:00".split(":")[:3])
    midnight = NOON.replace(hour=0) + timedelta(days=int(days or 0))
    return (midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)).timestamp()


def plan(text: str, zone: str = "UTC") -> Plan:
    return Plan(parse_expression(text), ZoneInfo(zone))


def runs(text: str, *looks: str) -> list[str]:
    """The looks at which the job runs, the first being the beginning."""
    table = Timetable(at(looks[0]))
    table.replace({"job": plan(text)}, {})
    return [look for look in looks[1:] if table.tick(at(look))]


@pytest.mark.parametrize(
    ("text", "looks", "expected"),
    [
        # As time goes by.
        ("* * * * *", ("12:00", "12:00:59", "12:01", "12:01:01", "12:02"), ["12:01", "12:02"]),
        ("30 12 * * *", ("12:29:59", "12:30", "12:30:01", "+1 12:29:59", "+1 12:30"), ["12:30", "+1 12:30"]),
        # Late by a little: once, however many minutes were missed.
        ("* * * * *", ("12:00", "12:04:30", "12:04:31", "12:05"), ["12:04:30", "12:05"]),
        # Forward by less than three hours: times of the day at once, every so often by the new time.
        ("30 12 * * *", ("12:00", "13:45:10", "13:45:11"), ["13:45:10"]),
        ("10,30 12,13 * * *", ("12:00", "13:45:10", "13:45:11", "+1 12:10"), ["13:45:10", "+1 12:10"]),
        ("*/10 * * * *", ("12:00", "13:45:10", "13:50"), ["13:50"]),
        ("*/15 * * * *", ("12:00", "13:45:10", "13:45:20"), ["13:45:10"]),
        # By more: the new time alone.
        ("30 12 * * *", ("12:00", "16:00:10", "+1 12:30"), ["+1 12:30"]),
        ("0 16 * * *", ("12:00", "16:00:10"), ["16:00:10"]),
        # Back by less than three hours: times of the day do not come again, every so often does.
        ("30 12 * * *", ("12:29", "12:30", "11:40", "12:30", "12:31", "+1 12:30"), ["12:30", "+1 12:30"]),
        ("*/30 * * * *", ("12:29", "12:30", "11:40", "12:00", "12:30"), ["12:30", "12:00", "12:30"]),
        # By a little: nobody runs again.
        ("* * * * *", ("12:00", "12:01", "12:00:59", "12:01:00", "12:01:30", "12:02"), ["12:01", "12:02"]),
        ("* * * * *", ("12:00", "12:04", "12:02:10", "12:03", "12:04", "12:05"), ["12:04", "12:05"]),
        # By more: the new time alone.
        ("30 12 * * *", ("12:29", "12:30", "08:00", "12:30"), ["12:30", "12:30"]),
    ],
)
def test_clocks(text: str, looks: tuple[str, ...], expected: list[str]) -> None:
    assert runs(text, *looks) == expected


def test_a_job_that_is_due_names_its_time() -> None:
    table = Timetable(at("12:00"))
    table.replace({"a": plan("1 * * * *"), "b": plan("2 * * * *")}, {})
    assert table.wake_at == table.next_at("a") == at("12:01")
    assert table.tick(at("12:01:07")) == [("a", at("12:01"))]
    assert (table.next_at("a"), table.wake_at) == (at("13:01"), at("12:02"))


def test_nothing_to_do() -> None:
    table = Timetable(at("12:00"))
    assert (table.tick(at("12:05")), table.wake_at, table.next_at("a")) == ([], float("inf"), None)


def test_a_job_begins_where_it_was_left() -> None:
    """12:01 came while the agent was away; b was begun for it already, c is new."""
    table = Timetable(at("12:01:20"))
    every = plan("* * * * *")
    table.replace({"a": every, "b": every, "c": every}, {"a": at("12:00:40"), "b": at("12:01")})
    assert table.tick(at("12:01:20")) == [("a", at("12:01"))]
    assert {key for key, _ in table.tick(at("12:02"))} == {"a", "b", "c"}


def test_a_crontab_that_is_read_again_neither_loses_nor_repeats() -> None:
    table = Timetable(at("12:00"))
    table.replace({"a": plan("1 * * * *"), "gone": plan("* * * * *")}, {})
    table.replace({"a": plan("1 * * * *"), "b": plan("* * * * *")}, {})
    assert {key for key, _ in table.tick(at("12:01"))} == {"a", "b"}
    table.replace({"a": plan("1 * * * *"), "b": plan("1,2 * * * *")}, {})
    assert table.tick(at("12:01:30")) == []
    assert table.tick(at("12:02")) == [("b", at("12:02"))]


def test_what_was_set_back_is_known_after_reading_again() -> None:
    table = Timetable(at("12:29"))
    table.replace({"a": plan("30 12 * * *")}, {})
    assert table.tick(at("12:30"))
    assert not table.tick(at("11:40"))
    table.replace({"a": plan("30 12 * * *"), "b": plan("0 0 1 1 *")}, {})
    assert not table.tick(at("12:30"))
