from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
