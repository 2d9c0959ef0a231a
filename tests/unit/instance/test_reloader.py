from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from skitaid.instance.reloader import Reloader

SECOND = 1_000_000_000


def touch(path: Path, ago_s: float) -> None:
    """Let `path` be written so many seconds ago."""
    at = time.time_ns() - int(ago_s * SECOND)
    path.touch()
    os.utime(path, ns=(at, at))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    touch(path, 100)
    return path


def test_a_change_is_told_once(file: Path) -> None:
    reloader = Reloader(lambda: [str(file)])
    assert not reloader.has_changed()
    touch(file, 50)
    assert [reloader.has_changed(), reloader.has_changed()] == [True, False]


def test_an_older_file_put_in_its_place_is_a_change(file: Path) -> None:
    reloader = Reloader(lambda: [str(file)])
    touch(file, 5000)
    assert reloader.has_changed()


def test_a_file_that_is_gone_counts_when_it_is_back(file: Path) -> None:
    reloader = Reloader(lambda: [str(file)])
    file.unlink()
    assert not reloader.has_changed()
    touch(file, 100)
    os.utime(file, ns=(1, 1))
    assert reloader.has_changed()


def test_a_module_imported_later_is_watched_from_then_on(file: Path, tmp_path: Path) -> None:
    files = [str(file)]
    reloader = Reloader(lambda: files)
    late = tmp_path / "late.py"
    touch(late, 1)
    files.append(str(late))
    assert not reloader.has_changed()
    touch(late, 0)
    assert reloader.has_changed()


def test_what_was_written_while_it_was_loaded_is_a_change(file: Path) -> None:
    touch(file, 5)
    reloader = Reloader(lambda: [str(file)], since_ns=time.time_ns() - 10 * SECOND)
    assert [reloader.has_changed(), reloader.has_changed()] == [True, False]


@pytest.mark.parametrize("ago_s", [20, -1000])
def test_what_was_written_before_or_in_the_future_is_none(file: Path, ago_s: float) -> None:
    touch(file, ago_s)
    reloader = Reloader(lambda: [str(file)], since_ns=time.time_ns() - 10 * SECOND)
    assert not reloader.has_changed()
