from __future__ import annotations

import pytest

from skitaid.config.cronexpression import parse_expression
from skitaid.config.report import UnfitError


@pytest.mark.parametrize(
    ("minute", "numbers"),
    [
        ("5", (5,)), ("1,3,5", (1, 3, 5)), ("10-13", (10, 11, 12, 13)), ("*/20", (0, 20, 40)),
        ("50/3", (50, 53, 56, 59)), ("3-20/7", (3, 10, 17)), ("59,0", (0, 59)), ("7-7", (7,)), ("00,05", (0, 5)),
    ],
)  # fmt: skip
def test_minutes(minute: str, numbers: tuple[int, ...]) -> None:
    assert parse_expression(f"{minute} * * * *").minutes == numbers


def test_a_step_without_an_end_goes_on_to_the_end_of_the_field() -> None:
    assert parse_expression("0 2/12 * * *").hours == (2, 14)


@pytest.mark.parametrize(
    ("weekday", "numbers"),
    [
        ("7", {0}), ("sun", {0}), ("5-7", {5, 6, 0}), ("fri-sun", {5, 6, 0}), ("*/2", {0, 2, 4, 6}),
        ("*", set(range(7))), ("5/2", {5, 0}), ("0-0", {0}), ("sun-tue", {0, 1, 2}), ("0-6", set(range(7))),
    ],
)  # fmt: skip
def test_weekdays(weekday: str, numbers: set[int]) -> None:
    assert parse_expression(f"0 0 * * {weekday}").weekdays == numbers


def test_one_of_two_days_is_enough_when_both_are_named() -> None:
    expression = parse_expression("0 0 13 * 5")
    assert expression.runs_on(6, 13, 2)
    assert expression.runs_on(6, 14, 5)
    assert not expression.runs_on(6, 14, 2)


@pytest.mark.parametrize("text", ["0 0 * * 1", "0 0 */2 * 1"])
def test_a_field_that_begins_with_a_star_does_not_make_more_days(text: str) -> None:
    expression = parse_expression(text)
    assert expression.runs_on(6, 13, 1)
    assert not expression.runs_on(6, 13, 2)


def test_macros() -> None:
    assert parse_expression("@weekly") == parse_expression("0 0 * * 0")
    assert parse_expression("@hourly").is_by_clock


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0 0 31 4,6,9,11 *", "no such day"), ("0 0 30 2 *", "no such day"), ("@dayly", "@dayly is unknown"),
        ("@reboot", "@reboot is unknown"), ("* * * *", "has 4 fields"), ("0 0 ? * *", "day of month '?'"),
        ("61 * * * *", "minute '61'"), ("* * * foo *", "month 'foo'"), ("", "has 0 fields"),
    ],
)  # fmt: skip
def test_refused(text: str, told: str) -> None:
    with pytest.raises(UnfitError, match=told.replace("?", r"\?")):
        parse_expression(text)


def test_a_day_that_does_not_exist_does_no_harm_beside_a_weekday() -> None:
    assert parse_expression("0 0 31 4 1").runs_on(4, 6, 1)
