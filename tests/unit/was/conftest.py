from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.was.rig import World
from tests.unit.was.rig import world as make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A worker that is installed, whose calls go to nobody but the test."""
    with make_world(tmp_path) as found:
        yield found
