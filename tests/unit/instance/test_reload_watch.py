from __future__ import annotations

import os
from pathlib import Path

import pytest

from skitaid.config.model import Global, Instance, Main
from skitaid.instance.arguments import Conf
from skitaid.instance.reload_watch import ReloadWatch


@pytest.fixture
def conf(tmp_path: Path) -> Conf:
    main = Main(Global(tmp_path, tmp_path, tmp_path), tmp_path)
    return Conf(main, Instance("a", tmp_path / "a.conf"), tmp_path, tmp_path)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    write(path, 1)
    return path


def write(path: Path, second: int) -> None:
    path.touch()
    os.utime(path, (second, second))


def no_words(kind: str, text: str) -> None:
    raise AssertionError(text)


def test_an_app_that_is_corrected_is_a_reason(app: Path) -> None:
    watch = ReloadWatch(no_words)
    watch.await_correction((str(app),))
    watch.tick()
    assert not watch.is_due
    write(app, 2)
    watch.tick()
    assert watch.is_due


def test_an_app_that_is_loaded_anew_is_not_waited_for(app: Path, conf: Conf) -> None:
    watch = ReloadWatch(no_words)
    watch.await_correction((str(app),))
    watch.follow(conf)
    write(app, 2)
    watch.tick()
    assert not watch.is_due


def test_a_worker_without_failures_ends_no_waiting(app: Path) -> None:
    watch = ReloadWatch(no_words)
    watch.await_correction((str(app),))
    watch.await_correction(())
    write(app, 2)
    watch.tick()
    assert watch.is_due
