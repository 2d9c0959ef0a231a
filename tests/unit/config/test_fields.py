from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skitaid.config.document import Value
from skitaid.config.fields import (
    Kind,
    Place,
    account,
    choice,
    convert,
    number,
    optional,
    seconds,
    size,
    text,
    truth,
    whole,
    whole_seconds,
)
from skitaid.config.quoting import split_items
from skitaid.config.report import UnfitError

PLACE = Place("x.conf", Path("/srv"), Path("/srv/cert"))


def meaning(kind: Kind, word: str) -> Any:
    return convert(kind, Value(word, split_items(word), 1), PLACE)


@pytest.mark.parametrize(
    ("word", "found"),
    [("yes", True), ("ON", True), ("True", True), ("1", True), ("no", False), ("off", False), ("0", False)],
)
def test_truth(word: str, found: bool) -> None:
    assert meaning(truth(), word) is found


@pytest.mark.parametrize(
    ("kind", "word", "found"),
    [
        (whole(0, 10), "0", 0),
        (whole(0, 10), "10", 10),
        (number(1, 100), "99.5", 99.5),
        (seconds(0, 1e6), "10", 10.0),
        (seconds(0, 1e6), "0.5", 0.5),
        (seconds(0, 1e6), "500ms", 0.5),
        (seconds(0, 1e6), "100ms", 0.1),
        (seconds(0, 1e6), "10 s", 10.0),
        (seconds(0, 1e6), "1.5m", 90.0),
        (seconds(0, 1e6), "2h", 7200.0),
        (seconds(0, 1e6), "1d", 86400.0),
        (whole_seconds(0, 10**6), "1m", 60),
        (size(1 << 40), "512", 512),
        (size(1 << 40), "1k", 1024),
        (size(1 << 40), "2 MB", 2 << 20),
        (size(1 << 40), "1gib", 1 << 30),
        (choice("http", "https"), "HTTPS", "https"),
        (text(), "", ""),
        (optional(whole(0, 10)), "", None),
        (optional(whole(0, 10)), "3", 3),
        (account("user"), "root", "root"),
        (account("user"), "0", "0"),
        (account("group"), "root", "root"),
    ],
)
def test_what_fits(kind: Kind, word: str, found: object) -> None:
    assert meaning(kind, word) == found
    assert type(meaning(kind, word)) is type(found)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (truth(), "ja"),
        (whole(0, 10), "11"),
        (whole(0, 10), "-1"),
        (whole(0, 10), "1.0"),
        (whole(0, 10), "\u0663"),  # an Arabic digit: int() would take it
        (whole(0, 10), "1_0"),
        (whole(0, 10), ""),
        (number(1, 100), "nan"),
        (number(1, 100), "1e1"),
        (seconds(0, 10), "11"),
        (seconds(0, 10), "1.2.3"),
        (seconds(0, 10), "s"),
        (whole_seconds(0, 10), "1500ms"),
        (size(1024), "2k"),
        (size(1024), "-1"),
        (size(1024), "1.5k"),
        (choice("http", "https"), "ftp"),
        (text(), "two\nlines"),
        (account("user"), "no-such-user-here"),
        (account("group"), "99999999999999999999"),
    ],
)
def test_what_does_not_fit(kind: Kind, word: str) -> None:
    with pytest.raises(UnfitError):
        meaning(kind, word)


def test_a_list_is_no_single_value() -> None:
    with pytest.raises(UnfitError, match="is a list"):
        convert(whole(0, 9), Value("1", ("1",), 1, is_list=True), PLACE)


@pytest.mark.parametrize(
    ("kind", "found"),
    [(truth(), True), (seconds(0, 99), 0.25), (seconds(0, 99), 10.0), (whole(0, 9), 5), (optional(truth()), None)],
)
def test_what_is_shown_is_read_back(kind: Kind, found: object) -> None:
    shown = kind.show(found)
    assert isinstance(shown, str)
    assert meaning(kind, shown) == found
