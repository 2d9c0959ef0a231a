from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.logs import rotation


def test_first_rotation_of_a_day_has_the_date_alone() -> None:
    assert rotation.plan(["a.log"], "a.log", day="2024-05-01", keep=3) == rotation.Plan("a.log.2024-05-01")


def test_second_rotation_of_a_day_is_numbered() -> None:
    names = ["a.log", "a.log.2024-05-01", "a.log.2024-05-01.1"]
    assert rotation.plan(names, "a.log", day="2024-05-01", keep=9).target == "a.log.2024-05-01.2"


def test_number_of_a_removed_one_is_not_used_again() -> None:
    names = ["a.log", "a.log.2024-05-01.9"]
    assert rotation.plan(names, "a.log", day="2024-05-01", keep=9).target == "a.log.2024-05-01.10"


def test_oldest_go_numbers_counted_as_numbers() -> None:
    names = ["a.log.2024-05-01.10", "a.log.2024-05-01.9", "a.log.2024-05-01", "a.log.2024-04-30"]
    decided = rotation.plan(names, "a.log", day="2024-05-02", keep=2)
    assert decided.removals == ("a.log.2024-04-30", "a.log.2024-05-01", "a.log.2024-05-01.9")


def test_file_just_rotated_stays_though_the_clock_was_set_back() -> None:
    decided = rotation.plan(["a.log.2030-01-01", "a.log.2030-01-02"], "a.log", day="2024-05-01", keep=2)
    assert decided == rotation.Plan("a.log.2024-05-01", ("a.log.2030-01-01",))


@pytest.mark.parametrize("keep", [0, -1])
def test_keep_nothing_still_keeps_the_newest(keep: int) -> None:
    decided = rotation.plan(["a.log.2024-05-01"], "a.log", day="2024-05-02", keep=keep)
    assert decided == rotation.Plan("a.log.2024-05-02", ("a.log.2024-05-01",))


@pytest.mark.parametrize(
    "name",
    ["a.log.2024-05-01.gz", "a.log.old",
     "a.log.2024-5-1", "a.log.2024-05-01.x", "a.log.2024-05-01.", "b.log.2024-05-01",
     "a.log.2024-05-0١", "a.log2024-05-01", "a.log"],
)  # fmt: skip
def test_names_of_another_form_are_left_alone(name: str) -> None:
    assert rotation.plan([name], "a.log", day="2024-05-02", keep=1).removals == ()


@pytest.mark.parametrize(
    ("day", "today", "due"),
    [
        ("2024-05-01", "2024-05-01", False),
        ("2024-05-01", "2024-05-02", True),
        ("2024-12-31", "2025-01-01", True),
        ("2024-05-02", "2024-05-01", False),
        ("", "2024-05-01", False),
    ],
)
def test_daily_decision(day: str, today: str, due: bool) -> None:
    assert rotation.is_due(day, today) is due


def test_perform_renames_and_removes(tmp_path: Path) -> None:
    for name in ("a.log", "a.log.2024-04-01", "a.log.2024-04-02", "other"):
        (tmp_path / name).write_text(name)
    outcome = rotation.perform(str(tmp_path / "a.log"), day="2024-05-01", keep=2)
    assert outcome == rotation.Outcome(str(tmp_path / "a.log.2024-05-01"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.log.2024-04-02", "a.log.2024-05-01", "other"]


def test_perform_says_what_failed(tmp_path: Path) -> None:
    outcome = rotation.perform(str(tmp_path / "none.log"), day="2024-05-01", keep=2)
    assert outcome.target == ""
    assert "none.log: No such file or directory" in outcome.errors[0]


def test_perform_goes_on_when_an_old_file_cannot_be_removed(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x")
    (tmp_path / "a.log.2024-04-01").mkdir()
    outcome = rotation.perform(str(tmp_path / "a.log"), day="2024-05-01", keep=1)
    assert outcome.target == str(tmp_path / "a.log.2024-05-01")
    assert "cannot remove the old log" in outcome.errors[0]
