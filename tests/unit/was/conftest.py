from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.was import context
from skitaid.was.worker import current_worker
from tests.unit.was.rig import FakeLoop, World
from tests.unit.was.rig import world as make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A worker that is installed, whose calls go to nobody but the test."""
    with make_world(tmp_path) as found:
        yield found


@pytest.fixture
def loop(world: World) -> FakeLoop:
    found = FakeLoop()
    current_worker().engine.loop = found  # type: ignore[assignment]
    return found


class FakeStream:
    gtxnid = "GTID-C1-R1"
    ltxnid = "1000"


@pytest.fixture
def environ() -> Iterator[dict[str, Any]]:
    """Of a request that is being answered."""
    bound = context.Bound(FakeStream())  # type: ignore[arg-type]
    bound.environ = {"REQUEST_METHOD": "GET", "QUERY_STRING": ""}
    cell = context.cell()
    cell.bound = bound
    yield bound.environ
    cell.bound = None
