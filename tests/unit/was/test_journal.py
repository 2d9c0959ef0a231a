"""`was.log`, `was.traceback`."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid import was
from tests.unit.was.rig import World


def test_log(world: World, environ: dict[str, Any]) -> None:
    was.log("called index", "info")
    was.log(5)
    was.log("x", "error", at="here")
    assert world.logged == [
        ("info", "called index", "GTID-C1-R1/1000"), ("info", "5", "GTID-C1-R1/1000"), ("error", "x", "here"),
    ]  # fmt: skip


def test_log_outside_of_requests(world: World) -> None:
    was.log("x")
    assert world.logged == [("info", "x", "")]


def test_traceback(world: World, environ: dict[str, Any]) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        was.traceback()
        was.traceback("bp1")
        was.traceback(identifier="bp2")
    assert [(kind, identifier) for kind, _, identifier in world.logged] == [
        ("expt", "GTID-C1-R1/1000"), ("expt", "bp1"), ("expt", "bp2"),
    ]  # fmt: skip
    assert "ValueError('no')" in world.logged[0][1]


def test_logs_without_a_worker(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "skitaid.app")
    was.log("hello")
    was.traceback()
    try:
        raise ValueError("no")
    except ValueError:
        was.traceback("id")
    assert [record.getMessage() for record in caplog.records] == ["[info] hello", "id"]
