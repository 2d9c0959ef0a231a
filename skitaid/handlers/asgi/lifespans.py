"""The lifespans of all ASGI apps of a worker: started together, stopped together. An app that is mounted twice lives
once.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from skitaid.handlers.asgi.app import AsgiApp, AsgiCallable
from skitaid.handlers.asgi.lifespan import Lifespan, LifespanError, Report

__all__ = ["Lifespans", "end_tasks"]

_FAILED: Final = (500, "The app could not be started. What happened is in its log.")
_STARTING: Final = (503, "The app is not ready yet.")


class Lifespans:
    """The lifespans of a worker's apps. `report` is told what went wrong, in lines that begin with the app's place."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._apps: dict[int, _Mounted] = {}

    def add(self, app: AsgiCallable, handler: AsgiApp, where: str) -> None:
        """Note that `handler` serves `app`; `where` is for people."""
        mounted = self._apps.get(id(app))
        if mounted is None:
            mounted = self._apps[id(app)] = _Mounted(app, where, self._report)
        mounted.handlers.append(handler)
        handler.state = mounted.state

    async def start(self, patience_s: float) -> list[str]:
        """Start all, for at most `patience_s`; gives a line for each that failed or is not ready by then. Those answer
        500, or 503 until they are."""
        if not self._apps:
            return []
        starts = [asyncio.ensure_future(mounted.start()) for mounted in self._apps.values()]
        await asyncio.wait(starts, timeout=patience_s)
        for mounted, start in zip(self._apps.values(), starts, strict=True):
            if not start.done():
                mounted.is_late(patience_s)
        return [mounted.trouble for mounted in self._apps.values() if mounted.trouble]

    @property
    def is_busy(self) -> bool:
        """Whether an app still works for a request: what it does after a response (a background task of Starlette's) is
        no connection that is open."""
        return any(handler.is_busy for mounted in self._apps.values() for handler in mounted.handlers)

    async def stop(self, patience_s: float) -> None:
        """Cancel the requests that still run, then stop all; each step has `patience_s`."""
        handlers = [handler for mounted in self._apps.values() for handler in mounted.handlers]
        if handlers:
            await asyncio.gather(*(handler.cancel_all(patience_s) for handler in handlers))
            await asyncio.gather(*(mounted.stop(patience_s) for mounted in self._apps.values()))


class _Mounted:
    """One app and the handlers that serve it. `trouble`: why it can't be served, for people."""

    def __init__(self, app: AsgiCallable, where: str, report: Report) -> None:
        self._where = where
        self._report = report
        self.handlers: list[AsgiApp] = []
        self.state: dict[str, Any] = {}
        self.trouble = ""
        self._lifespan = Lifespan(app, self.state, self._tell)

    async def start(self) -> None:
        try:
            await self._lifespan.start()
        except LifespanError as error:
            self._refuse(f"the app failed to start: {error}", error.details, _FAILED)
            return
        if self.trouble:
            self._tell("the app is ready now", "")
        self._admit()

    def is_late(self, patience_s: float) -> None:
        text = f"the app did not answer lifespan.startup within {patience_s:.0f} s; it answers 503 until it does"
        self._refuse(text, "", _STARTING)

    async def stop(self, patience_s: float) -> None:
        try:
            await asyncio.wait_for(self._lifespan.stop(), patience_s)
        except TimeoutError:
            self._tell(f"the app did not answer lifespan.shutdown within {patience_s:g} s", "")
        except LifespanError as error:
            self._tell(f"the app failed to stop: {error}", error.details)

    def _refuse(self, text: str, details: str, refusal: tuple[int, str]) -> None:
        self.trouble = f"{self._where}: {text}"
        self._tell(text, details)
        for handler in self.handlers:
            handler.refusal = refusal

    def _admit(self) -> None:
        self.trouble = ""
        for handler in self.handlers:
            handler.refusal = None

    def _tell(self, text: str, details: str) -> None:
        self._report(f"{self._where}: {text}", details)


async def end_tasks(patience_s: float) -> None:
    """At the very end: cancel what apps left running, and give it `patience_s`."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=patience_s)
    await asyncio.get_running_loop().shutdown_asyncgens()
