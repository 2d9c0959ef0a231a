"""`was.Thread`, `was.Process`, `was.Subprocess`: work of this machine, as tasks. Pools are made when they are first
used; each has as many threads, or processes, as the machine has processors.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from skitaid.was.context import identifier
from skitaid.was.local.command_work import COMMAND_S, CommandPool, CommandWork
from skitaid.was.local.process_work import ProcessPool, ProcessWork
from skitaid.was.local.task import LocalTask
from skitaid.was.local.thread_pool import ThreadPool
from skitaid.was.local.thread_work import ThreadWork
from skitaid.was.worker import current_worker, worker_or_none

__all__ = ["Process", "Subprocess", "Thread"]

_Pool = TypeVar("_Pool", ThreadPool, ProcessPool, CommandPool)
_pools: Final[dict[str, Any]] = {}
_making: Final = allocate_lock()


def Thread(target: Callable[..., Any], *args: Any, **named: Any) -> LocalTask:
    """`target(*args, **named)` in a thread. A wait for it lasts as long as it takes, if no time-out is given. Raises
    QueueFullError."""
    pool = _pool("Thread", lambda: ThreadPool("Thread", _processors()))
    return LocalTask(ThreadWork(pool, partial(target, *args, **named)), identifier=identifier())


def Process(target: Callable[..., Any], *args: Any, **named: Any) -> LocalTask:
    """`target(*args, **named)` in another process, which has imported nothing of the app but what the function needs.
    A wait for it lasts as long as it takes, if no time-out is given; a process that is waited for too long is killed.
    Raises TypeError for what can't be sent there, QueueFullError, NoWorkerError."""
    pool = _pool("Process", _make_process_pool)
    return LocalTask(ProcessWork(pool, target, args, named), identifier=identifier())


def Subprocess(command: str | Sequence[str], timeout: float = COMMAND_S) -> LocalTask:
    """A command; a text is for the shell. `timeout` in seconds from now on, then it is killed with all that it started.
    The data of the result is what it printed; an exit code that is not 0 is a failure (CalledProcessError). Raises
    QueueFullError."""
    work = CommandWork(_pool("Subprocess", _make_command_pool), command, timeout)
    return LocalTask(work, identifier=identifier(), timeout_s=timeout)


def _pool(name: str, make: Callable[[], _Pool]) -> _Pool:
    with _making:
        pool: _Pool | None = _pools.get(name)
        if pool is None:
            made = pool = _pools[name] = make()
            worker = worker_or_none()
            if worker is not None:
                worker.busy.append(lambda: made.is_busy)
                worker.at_end.append(partial(_pools.pop, name, None))
        return pool


def _make_process_pool() -> ProcessPool:
    worker = current_worker()
    pool = ProcessPool(worker, _processors())
    worker.at_end.append(pool.end)
    return pool


def _make_command_pool() -> CommandPool:
    pool = CommandPool(_processors())
    worker = worker_or_none()
    if worker is not None:
        worker.at_end.append(pool.end)
    return pool


def _processors() -> int:
    return os.cpu_count() or 1


os.register_at_fork(after_in_child=_pools.clear)
