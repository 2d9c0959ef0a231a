"""`was.restart`, `was.shutdown`."""

from __future__ import annotations

import pytest

from skitaid import was
from skitaid.was.errors import NoWorkerError
from tests.unit.was.rig import World


def test_restart_and_shutdown(world: World) -> None:
    was.restart()
    was.shutdown()
    assert world.asked == ["restart", "shutdown"]


@pytest.mark.parametrize("name", ["restart", "shutdown"])
def test_without_a_worker(name: str) -> None:
    with pytest.raises(NoWorkerError):
        getattr(was, name)()
