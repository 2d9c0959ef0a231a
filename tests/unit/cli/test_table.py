from __future__ import annotations

import pytest

from skitaid.cli.style import PLAIN, Style, Tone
from skitaid.cli.table import Cell, Column, duration, number, render, size

COLUMNS = (Column("NAME"), number("PID"), Column("ADDRESS"))


def test_words_stand_left_and_numbers_right() -> None:
    rows = [[Cell("sample"), Cell("7"), Cell("0.0.0.0:5000")], [Cell("a"), Cell("12345"), Cell("-")]]
    assert render(COLUMNS, rows) == [
        "NAME      PID  ADDRESS",
        "sample      7  0.0.0.0:5000",
        "a       12345  -",
    ]


def test_colours_do_not_count_as_width() -> None:
    style = Style({Tone.GOOD: "<", Tone.STRONG: ""}, ">")
    rows = [[Cell("ab", Tone.GOOD), Cell("1"), Cell("x", Tone.GOOD)], [Cell("abcd"), Cell("2"), Cell("y")]]
    assert render(COLUMNS, rows, style)[1:] == ["<ab>      1  <x>", "abcd    2  y"]


def test_a_plain_style_changes_nothing() -> None:
    assert PLAIN.paint("text", Tone.BAD) == "text"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m 00s"),
        (3599, "59m 59s"),
        (3600, "1h 00m"),
        (86399, "23h 59m"),
        (86400, "1d 00h"),
        (1_000_000, "11d 13h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (812_400, "812 kB"),
        (999_600, "1.0 MB"),
        (29_400_000, "29.4 MB"),
        (1_234_000_000, "1.2 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text
