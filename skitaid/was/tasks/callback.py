"""`callback=` of a call: a function of the app's that is called when the result is there."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from skitaid.was.context import carried, identifier
from skitaid.was.tasks.waiting import Waited, call_when_done, unfinished_of
from skitaid.was.tasks.work import name_of
from skitaid.was.worker import current_worker

__all__ = ["call_later", "run_in_app_thread"]


class Finished(Waited, Protocol):
    """A task, or something made of tasks, that has a result when it is done."""

    def result(self) -> Any: ...


def call_later(task: Finished, callback: Callable[[Any], Any]) -> None:
    """Have `callback(result)` called in an app thread when there is a result, on behalf of the request that is being
    answered now. What it raises is written to app.log."""
    context, at = carried(), identifier()

    def run() -> None:
        try:
            context.run(callback, task.result())
        except Exception as error:  # noqa: BLE001  # nobody else would hear of it
            current_worker().controls.log_error(f"callback={name_of(callback)} failed", error, at)

    unfinished = unfinished_of([task])
    if unfinished:
        call_when_done(unfinished, partial(run_in_app_thread, run))
    else:
        run_in_app_thread(run)


def run_in_app_thread(function: Callable[[], None]) -> None:
    """Where an app may block; on the loop if apps run there. From any thread."""
    current_worker().engine.portal.call(partial(_submit, _Job(function)))


def _submit(job: _Job) -> None:
    threads = current_worker().engine.threads
    if threads is None or not threads.submit(job):
        job.run()


class _Job:
    """An engine.threads.Job."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function

    def run(self) -> None:
        """A root."""
        try:
            self._function()
        except Exception:  # noqa: BLE001
            traceback.print_exc(file=sys.stderr)
