"""Fixtures of the ASGI handlers' tests."""

from collections.abc import Iterator

import pytest

from skitaid.engine.settings import EngineSettings
from skitaid.engine.timeouts import Timeouts
from tests.unit.handlers.asgi.rig import AsgiRig


@pytest.fixture
def make_asgi() -> Iterator[object]:
    """Makes AsgiRigs: threads=0, and any time-out of `Timeouts`."""
    rigs: list[AsgiRig] = []

    def make(*, threads: int = 0, **timeouts: float) -> AsgiRig:
        made = AsgiRig(EngineSettings(threads, timeouts=Timeouts(**timeouts)))
        rigs.append(made)
        return made

    yield make
    for made in rigs:
        made.close()


@pytest.fixture
def asgi(make_asgi: object) -> AsgiRig:
    """A rig without app threads."""
    assert callable(make_asgi)
    made = make_asgi()
    assert isinstance(made, AsgiRig)
    return made
