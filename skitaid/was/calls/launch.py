"""From an order to a task that is under way: kept results, calls that are shared, transaction ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from skitaid.was.calls.http_work import HttpWork, members_of
from skitaid.was.calls.order import without_end
from skitaid.was.context import outgoing_ids
from skitaid.was.tasks.callback import call_later
from skitaid.was.tasks.flight import Seat
from skitaid.was.tasks.group import Tasks
from skitaid.was.tasks.result_cache import KeyMemo, ResultCache
from skitaid.was.tasks.task import Task
from skitaid.was.tasks.watch import watch
from skitaid.was.worker import Worker, current_worker

if TYPE_CHECKING:
    from skitaid.was.calls.order import Order
    from skitaid.was.tasks.result import Result
    from skitaid.was.tasks.work import Work

__all__ = ["launch", "launch_map", "result_cache"]

Callback = Callable[["Result"], Any]


def launch(order: Order, callback: Callback | None = None) -> Task:
    """A task for one call, under way. `callback(result)` is called in an app thread when it is done. Raises CallError
    for an alias that there is none of, NoWorkerError."""
    task = _launch(current_worker(), order, None)
    if callback is not None:
        call_later(task, callback)
    return task


def launch_map(order: Order, callback: Callback | None = None) -> Tasks:
    """A call to each member of the order's alias; the results are in the members' order. `callback(results)`."""
    worker = current_worker()
    count = members_of(worker, order)
    members: Sequence[int | None] = [None] if order.target.alias is None else range(count)
    tasks = Tasks([_launch(worker, order, member) for member in members], timeout=order.timeout_s)
    if callback is not None:
        call_later(tasks, callback)
    return tasks


def result_cache(worker: Worker) -> ResultCache:
    """The worker's, made at the first call."""
    if worker.result_cache is None:
        worker.result_cache = ResultCache(worker.result_cache_max)
    found = worker.result_cache
    assert isinstance(found, ResultCache)
    return found


def _launch(worker: Worker, order: Order, member: int | None) -> Task:
    # A wrong alias is told where it is written, and not in the result.
    members_of(worker, order)
    if order.key is None or not worker.result_cache_max:
        return Task(_work(worker, order, member), timeout_s=order.timeout_s)
    return _launch_kept(worker, order, member, (order.key, member))


def _launch_kept(worker: Worker, order: Order, member: int | None, key: Hashable) -> Task:
    cache = result_cache(worker)
    found = cache.find(key, order.use_cache)
    if found is not None:
        return Task.of_result(found.result.copy(), memo=KeyMemo(cache, key, found))
    timeout_s = order.timeout_s
    if timeout_s is not None:
        # Others who may share the call have more time perhaps.
        order = without_end(order)
    make = partial(_work, worker, order, member)
    flight = cache.flight(key, make, use_cache=order.use_cache, is_asked=order.is_cache_asked)
    task = Task(Seat(flight, make), timeout_s=timeout_s, memo=KeyMemo(cache, key, flight))
    if timeout_s is not None:
        watch(worker, time.monotonic() + timeout_s, [task])
    return task


def _work(worker: Worker, order: Order, member: int | None) -> Work:
    return HttpWork(worker, order, ids=outgoing_ids(), member=member)
