"""Fixtures of the handlers' tests: an engine turned by hand."""

from collections.abc import Iterator

import pytest

from skitaid.engine.server import EngineSettings
from skitaid.engine.timeouts import Timeouts
from tests.unit.engine.rig import make_rig, rig
from tests.unit.engine.tls_rig import authority, client_context, server_context, server_files, site
from tests.unit.handlers.asgi_rig import AsgiRig
from tests.unit.handlers.proxy_rig import make_proxy_rig, proxied

__all__ = [
    "asgi", "authority", "client_context", "make_asgi", "make_proxy_rig", "make_rig", "proxied", "rig",
    "server_context", "server_files", "site",
]  # fmt: skip


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
