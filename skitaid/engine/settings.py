"""What the engine of a worker is told by whoever makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from skitaid.engine.quota import QuotaSettings
from skitaid.engine.spool import SpoolSettings
from skitaid.engine.timeouts import Timeouts
from skitaid.protocols.http2.limits import Http2Limits

__all__ = ["EngineSettings"]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine is told when it is made. `threads` 0: apps run on the loop. `queue_limit`: requests that may wait
    for a thread before 503 is said. `trusted`: the peers that are believed about whom they pass on, see engine.trust.
    `spool` None: bodies wait nowhere but in memory. `slow_client_threads`: so many threads may wait for slow clients,
    beside those that run. `is_unlogged`: whether requests for a target stay out of the log; it is asked before their
    record is made. `http2` None: it is not spoken."""

    threads: int = 4
    queue_limit: int = 1000
    timeouts: Timeouts = field(default_factory=Timeouts)
    trusted: tuple[str, ...] = ()
    spool: SpoolSettings | None = None
    quota: QuotaSettings = field(default_factory=QuotaSettings)
    slow_client_threads: int = 128
    is_unlogged: Callable[[str], bool] | None = None
    http2: Http2Limits | None = field(default_factory=Http2Limits)
