"""Waiting for tasks in async code: on the worker's loop, or on any other."""

from __future__ import annotations

import asyncio
import time
from _thread import get_ident
from collections.abc import Iterable
from contextlib import suppress

from skitaid.was.tasks.waiting import Waited, call_when_done, unfinished_of

__all__ = ["until_done"]


async def until_done(waited: Iterable[Waited], deadline: float | None) -> None:
    """Wait as `waiting.wait_for` does, in async code. To cancel the wait gives up the tasks."""
    unfinished = unfinished_of(waited)
    if not unfinished:
        return
    for task in unfinished:
        task.hurry()
    waiter = _Waiter()
    call_when_done(unfinished, waiter.wake)
    try:
        await waiter.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
    finally:
        for task in unfinished:
            task.give_up()


class _Waiter:
    """A future that any thread may set."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()
        self._ident = get_ident()

    def wake(self) -> None:
        if get_ident() == self._ident:
            self._set()
            return
        # A loop that was closed has nobody who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set)

    async def wait(self, seconds: float | None) -> None:
        timer = None if seconds is None else self._loop.call_later(seconds, self._set)
        try:
            await self._future
        finally:
            if timer is not None:
                timer.cancel()

    def _set(self) -> None:
        if not self._future.done():
            self._future.set_result(None)
