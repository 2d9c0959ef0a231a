"""The worker process, as `was` sees it. Whatever builds the worker installs it; outside of workers there is none."""

from __future__ import annotations

import os
from _thread import get_ident
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from skitaid.was.errors import NoWorkerError

if TYPE_CHECKING:
    from skitaid.engine.disk import DiskThreads
    from skitaid.engine.portal import Portal
    from skitaid.engine.selector import EngineLoop
    from skitaid.engine.threads import AppThreads
    from skitaid.upstream.call import Call, Exchange, Receiver

__all__ = [
    "Cluster", "Controls", "HelperProcess", "Upstreams", "Worker", "WorkerEngine", "current_worker", "install",
    "install_helper", "worker_or_helper", "worker_or_none",
]  # fmt: skip


class Cluster(Protocol):
    """Servers that a call may go to: to any of them, or to the one with that index."""

    def request(self, call: Call, receiver: Receiver) -> Exchange: ...
    def request_member(self, index: int, call: Call, receiver: Receiver) -> Exchange: ...


class Upstreams(Protocol):
    """The worker's clusters: that of an alias, and that of `scheme://host:port`. On the loop thread."""

    def cluster(self, name: str) -> Cluster: ...
    def origin(self, scheme: str, host: str, port: int) -> Cluster: ...


class WorkerEngine(Protocol):
    """What is needed of the engine."""

    loop: EngineLoop
    portal: Portal
    disk: DiskThreads
    threads: AppThreads | None


@dataclass(frozen=True, slots=True)
class Controls:
    """What an app may ask of the process it runs in. From any thread. `log(kind, text, identifier)` writes a line to
    app.log, `log_error(text, error, identifier)` an exception with where it happened; `restart` and `shutdown` are for
    the whole instance."""

    log: Callable[[str, str, str], None]
    log_error: Callable[[str, BaseException | None, str], None]
    restart: Callable[[], None]
    shutdown: Callable[[], None]


@dataclass(slots=True)
class Worker:
    """This process, as a worker of an instance. `upstreams` makes the registry of clusters at the first call; on the
    loop thread. `aliases` tells how many members each alias has that speaks HTTP, `connect_s` how long connecting to
    them may take. `var_folder` is the instance's own. `states` is the memory shared between workers (a
    state_table.StateTable), None where there is none. `loop_ident`: the thread that must not wait. `child_command` runs
    the other end of child.Child, which is given `child_setup()` and the descriptors `child_fds`. `at_end`: to be called
    when the worker ends. `calls`: to other servers, that are under way; for the loop thread. `busy` tells whether other
    tasks are."""

    engine: WorkerEngine
    upstreams: Callable[[], Upstreams]
    var_folder: Path
    controls: Controls
    name: str = ""
    aliases: Mapping[str, int] = field(default_factory=dict)
    connect_s: Mapping[str, float] = field(default_factory=dict)
    result_cache_max: int = 1000
    states: Any = None
    figures: Callable[[], Mapping[str, Any]] = dict
    result_cache: Any = None
    watch: Any = None
    child_command: Sequence[str] = ()
    child_setup: Callable[[], Mapping[str, Any]] = dict
    child_fds: tuple[int, ...] = ()
    loop_ident: int = field(default_factory=get_ident)
    at_end: list[Callable[[], None]] = field(default_factory=list)
    busy: list[Callable[[], bool]] = field(default_factory=list)
    calls: int = 0

    @property
    def is_busy(self) -> bool:
        """Whether tasks are under way, be somebody waiting for them or not."""
        return self.calls > 0 or any(is_busy() for is_busy in self.busy)

    @property
    def is_loop_thread(self) -> bool:
        """Whether waiting here would stop the worker."""
        return get_ident() == self.loop_ident

    def end(self) -> None:
        """The worker ends: let go of everything that `was` made."""
        while self.at_end:
            self.at_end.pop()()


@dataclass(frozen=True, slots=True)
class HelperProcess:
    """A process that does something for a worker (was.Process): what it shares with it."""

    var_folder: Path
    states: Any = None


_worker: Worker | None = None
_helper: HelperProcess | None = None


def install(worker: Worker | None) -> None:
    """On the loop thread of a worker, before its apps are imported."""
    global _worker  # noqa: PLW0603  # there is one in a process
    _worker = worker


def install_helper(helper: HelperProcess) -> None:
    """In a process that is a helper."""
    global _helper  # noqa: PLW0603  # there is one in a process
    _helper = helper


def worker_or_helper() -> Worker | HelperProcess | None:
    """What this process is to its instance: a worker, or one that works for a worker; None: neither."""
    return _worker or _helper


def current_worker() -> Worker:
    """The worker that this process is. Raises NoWorkerError."""
    if _worker is None:
        raise NoWorkerError
    return _worker


def worker_or_none() -> Worker | None:
    """The worker that this process is; None: it is none."""
    return _worker


# A process that an app forks has none of the threads that would answer it.
os.register_at_fork(after_in_child=lambda: install(None))
