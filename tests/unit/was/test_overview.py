"""`was.status`."""

from __future__ import annotations

from typing import Any

import pytest

from skitaid import was
from skitaid.was.errors import NoWorkerError
from skitaid.was.state_table import StateTable
from skitaid.was.worker import current_worker
from tests.unit.was.rig import World


def test_status(world: World, environ: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hush")
    monkeypatch.setenv("PLAIN", "<b>")
    environ["HTTP_AUTHORIZATION"] = "Basic aHVzaA=="
    environ["headers"] = [(b"x", b"hush")]
    worker = current_worker()
    worker.states = StateTable.create()
    worker.states.set_value("nodes", 7)
    worker.figures = lambda: {"requests": 5}
    page = was.status()
    assert page.startswith("<!doctype html>")
    for text in (
        "<th>requests</th><td>5</td>",
        "<th>nodes</th><td>7</td>",
        "&lt;b&gt;",
        "@three (3)",
        "REQUEST_METHOD",
    ):
        assert text in page
    for secret in ("hush", "aHVzaA=="):
        assert secret not in page


def test_without_a_worker() -> None:
    with pytest.raises(NoWorkerError):
        was.status()
