"""What all clusters of a worker share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from skitaid.engine.portal import Portal
from skitaid.engine.selector import EngineSelector
from skitaid.upstream.deadlines import Deadlines
from skitaid.upstream.resolver import Resolver

__all__ = ["UpstreamContext", "UpstreamEngine"]


class UpstreamEngine(Protocol):
    """The engine, as upstream sees it. `now` is its time in seconds, taken once a batch; `on_tick` is called once a
    second."""

    now: float
    on_tick: list[Callable[[], None]]

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    @property
    def selector(self) -> EngineSelector: ...
    @property
    def portal(self) -> Portal: ...


def _tell_nobody(text: str) -> None:
    """Where nobody wants to know."""


@dataclass(slots=True)
class UpstreamContext:
    """What all clusters of a worker share. `report` is told, a line each, of members that go and come back."""

    engine: UpstreamEngine
    report: Callable[[str], None] = _tell_nobody
    deadlines: Deadlines = field(init=False)
    resolver: Resolver = field(init=False)

    def __post_init__(self) -> None:
        engine = self.engine
        self.deadlines = Deadlines(engine.loop, lambda: engine.now)
        self.resolver = Resolver(engine.portal, clock=lambda: engine.now)
