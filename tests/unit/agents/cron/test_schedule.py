from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from skitaid.agents.cron.schedule import next_time, next_times
from skitaid.config.cronexpression import parse_expression
from skitaid.config.report import UnfitError

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"


def times(text: str, zone: str, after: str, count: int = 3) -> list[str]:
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    found = islice(next_times(parse_expression(text), ZoneInfo(zone), start), count)
    return [time.strftime("%Y-%m-%d %H:%M %z") for time in found]


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * *", "2024-02-28T23:58:30", ["2024-02-28 23:59", "2024-02-29 00:00", "2024-02-29 00:01"]),
        ("* * * * *", "2024-02-28T23:58:00", ["2024-02-28 23:59", "2024-02-29 00:00", "2024-02-29 00:01"]),
        ("59 23 31 12 *", "2024-12-31T23:59:00", ["2025-12-31 23:59", "2026-12-31 23:59", "2027-12-31 23:59"]),
        ("0 0 29 2 *", "2024-03-01T00:00:00", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("0 0 29 2 *", "2096-03-01T00:00:00", ["2104-02-29 00:00", "2108-02-29 00:00", "2112-02-29 00:00"]),
        ("0 0 1,15 * 3", "2025-04-30T12:00:00", ["2025-05-01 00:00", "2025-05-07 00:00", "2025-05-14 00:00"]),
        ("0 0 */2 * 1", "2025-04-30T12:00:00", ["2025-05-05 00:00", "2025-05-19 00:00", "2025-06-09 00:00"]),
        ("7/20 9-17/8 * * *", "2025-01-01T09:07:00", ["2025-01-01 09:27", "2025-01-01 09:47", "2025-01-01 17:07"]),
    ],
)
def test_in_utc(text: str, after: str, expected: list[str]) -> None:
    assert times(text, "UTC", after) == [f"{time} +0000" for time in expected]


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [
        # Skipped: once, right after the gap.
        ("30 2 * * *", BERLIN, "2025-03-29T12:00:00", ["2025-03-30 03:00 +0200", "2025-03-31 02:30 +0200"]),
        ("15,45 2 * * *", BERLIN, "2025-03-30T00:00:00", ["2025-03-30 03:00 +0200", "2025-03-31 02:15 +0200"]),
        ("*/30 2 * * *", BERLIN, "2025-03-29T12:00:00", ["2025-03-31 02:00 +0200", "2025-03-31 02:30 +0200"]),
        ("10 2 * * *", LORD_HOWE, "2025-10-04T12:00:00", ["2025-10-05 02:30 +1100", "2025-10-06 02:10 +1100"]),
        # Twice on the clock: the first time alone.
        ("30 2 * * *", BERLIN, "2025-10-25T12:00:00", ["2025-10-26 02:30 +0200", "2025-10-27 02:30 +0100"]),
        ("30 1 * * *", NEW_YORK, "2025-11-01T12:00:00", ["2025-11-02 01:30 -0400", "2025-11-03 01:30 -0500"]),
        # Every so often: as the clock shows it.
        ("30 * * * *", BERLIN, "2025-10-26T01:45:00", ["2025-10-26 02:30 +0200", "2025-10-26 02:30 +0100"]),
        ("0 * * * *", BERLIN, "2025-03-30T01:00:00", ["2025-03-30 03:00 +0200", "2025-03-30 04:00 +0200"]),
        ("0 */6 * * *", LORD_HOWE, "2025-04-06T00:00:00", ["2025-04-06 06:00 +1030", "2025-04-06 12:00 +1030"]),
    ],
)
def test_when_the_clock_is_changed(text: str, zone: str, after: str, expected: list[str]) -> None:
    assert times(text, zone, after, 2) == expected


def test_in_the_hour_that_comes_twice_nothing_runs_again() -> None:
    second = datetime(2025, 10, 26, 2, 15, tzinfo=ZoneInfo(BERLIN), fold=1)
    found = next_time(parse_expression("30 2 * * *"), ZoneInfo(BERLIN), second)
    assert found is not None
    assert found.isoformat() == "2025-10-27T02:30:00+01:00"


@pytest.mark.parametrize("text", ["30 2 * * *", "* 2 * * *"])
def test_the_end_of_the_calendar(text: str) -> None:
    late = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert next_time(parse_expression(text), ZoneInfo("UTC"), late) is None


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    return st.one_of(
        st.just("*"), number.map(str), st.integers(2, 9).map(lambda step: f"*/{step}"),
        st.tuples(number, number).map(lambda span: f"{min(span)}-{max(span)}"),
        st.lists(number, min_size=1, max_size=3).map(lambda numbers: ",".join(map(str, numbers))),
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    fields=st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2036, 1, 1)),
)
def test_as_an_independent_implementation_has_it(fields: tuple[str, ...], start: datetime) -> None:
    text = " ".join(fields)
    try:
        expression = parse_expression(text)
    except UnfitError:
        return
    after = start.replace(tzinfo=UTC)
    found = list(islice(next_times(expression, ZoneInfo("UTC"), after), 3))
    assert found == list(islice(CronSim(text, after), len(found)))
    assert all(time - after > timedelta(0) for time in found)
