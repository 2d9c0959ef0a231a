from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.cli.log import Follower, last_complaint, tail


def test_a_short_file_is_shown_whole(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\ntwo")
    assert tail(path) == b"one\ntwo"


def test_a_long_file_is_cut_at_a_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"first line\nsecond\nthird\n")
    assert tail(path, 15) == b"second\nthird\n"
    assert tail(path, 13) == b"second\nthird\n"
    assert tail(path, 12) == b"third\n"


def test_a_line_longer_than_the_limit_is_shown_by_its_end(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"x" * 100 + b"END\n")
    assert tail(path, 5) == b"xEND\n"


def test_the_usual_limit_is_16_kib(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"0123456\n" * 4096)
    assert tail(path) == b"0123456\n" * 2048


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(b"old\n")
    return path


@pytest.fixture
def follower(path: Path) -> Iterator[Follower]:
    with Follower(path) as follower:
        assert follower.tail() == b"old\n"
        yield follower


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_following_gives_what_is_added(path: Path, follower: Follower) -> None:
    assert follower.read() == b""
    append(path, b"new\n")
    assert follower.read() == b"new\n"


def test_following_survives_a_rotation(path: Path, follower: Follower) -> None:
    path.rename(path.with_suffix(".1"))
    assert follower.read() == b""
    append(path.with_suffix(".1"), b"last of the old\n")
    append(path, b"first of the new\n")
    assert follower.read() + follower.read() == b"last of the old\nfirst of the new\n"
    append(path, b"more\n")
    assert follower.read() == b"more\n"


def test_following_survives_a_truncation(path: Path, follower: Follower) -> None:
    path.write_bytes(b"a\n")
    assert follower.read() == b"a\n"


def test_the_last_complaint_is_what_was_said_last(tmp_path: Path) -> None:
    assert last_complaint(tmp_path) == ""
    said, printed = tmp_path / "server.log", tmp_path / "stderr.log"
    said.write_text("1 [info] serving\n2 [error] first\n3 [fatal] cannot listen\n4 [info] stopped\n")
    printed.write_text("Traceback\nImportError: no app\n\n")
    os.utime(printed, (1, 1))
    assert last_complaint(tmp_path) == "3 [fatal] cannot listen"
    os.utime(said, (0, 0))
    assert last_complaint(tmp_path) == "ImportError: no app"
