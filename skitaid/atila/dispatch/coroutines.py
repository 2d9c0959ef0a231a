"""Functions of an app that are coroutines: they run on the worker's loop and hold no thread meanwhile. Under another
server each runs in the thread that answers, on a loop of its own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from skitaid.was.context import carried
from skitaid.was.later import Later
from skitaid.was.worker import worker_or_none

__all__ = ["CoroutineLater"]


class CoroutineLater(Later):
    """What a coroutine gives, when it is through."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._task: Any = None

    def when_ready(self, function: Callable[[], None]) -> None:
        """See Later: the coroutine starts now."""
        worker = worker_or_none()
        if worker is None:
            function()
            return
        context = carried()
        loop = worker.engine.loop

        def start() -> None:
            self._task = loop.create_task(self._coroutine, context=context)
            self._task.add_done_callback(lambda task: function())

        worker.engine.portal.call(start)

    def make(self) -> Any:
        """See Later. Raises what the coroutine raised."""
        task, self._task = self._task, None
        if task is None:
            import asyncio

            return asyncio.run(self._coroutine)
        try:
            return task.result()
        finally:
            # What it raised has this frame in its traceback, which would have it in turn.
            del task
