from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.instance.lastresort import LastResort
from skitaid.logs.lines import LogFile


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = logging.lastResort
    yield
    logging.getLogger("shop").propagate = True
    logging.lastResort = before


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def shop_logger(log: Path) -> logging.Logger:
    """A logger without any handler. Only made so within a test: pytest adds its own to what it finds at the start."""
    logger = logging.getLogger("shop")
    logger.propagate = False
    LastResort(LogFile(log)).take_over()
    return logger


def records(log: Path) -> list[str]:
    """Without date and time."""
    return [line if line.startswith("    ") else line[20:] for line in log.read_text().splitlines()]


def test_level_and_logger_are_said(log: Path) -> None:
    shop = shop_logger(log).getChild("cart")
    shop.info("not asked for")
    shop.warning("low on %s", "tea")
    shop.error("empty")
    shop.critical("closed")
    assert records(log) == ["[warn:shop.cart] low on tea", "[error:shop.cart] empty", "[fatal:shop.cart] closed"]


def test_a_traceback_stays_with_its_record(log: Path) -> None:
    try:
        raise KeyError("key")
    except KeyError:
        shop_logger(log).exception("it failed")
    found = records(log)
    assert found[0] == "[error:shop] it failed \\"
    assert found[1] == "    Traceback (most recent call last): \\"
    assert found[-1] == "    KeyError: 'key'"


def test_no_record_can_be_forged(log: Path) -> None:
    shop_logger(log).error("bad\n2026.01.01 00:00:00 [info] forged\x1b[31m")
    assert records(log) == ["[error:shop] bad \\", "    2026.01.01 00:00:00 [info] forged\\x1b[31m"]


def test_arguments_that_do_not_fit_are_told_as_logging_does(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop_logger(log).error("%d", "x")
    assert "--- Logging error ---" in capsys.readouterr().err
    assert not log.exists() or records(log) == []


def test_an_app_that_says_where_to_is_heard_there(log: Path, tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "own.log")
    shop = shop_logger(log).getChild("own")
    shop.addHandler(handler)
    shop.error("told")
    handler.close()
    shop.removeHandler(handler)
    assert (tmp_path / "own.log").read_text() == "told\n"
    assert not log.exists() or records(log) == []
