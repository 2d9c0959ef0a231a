"""The lifespan of ASGI apps: told before the first request and after the last (ASGI lifespan spec 2.0)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from skitaid.exceptions import SkitaidError
from skitaid.handlers.asgi import AsgiApp, AsgiCallable, Message

__all__ = ["Lifespan", "LifespanError", "Lifespans"]


class LifespanError(SkitaidError):
    """An app said that it can't start or stop; the app's author must act."""


class Lifespan:
    """One app's. Most apps do not know the protocol and fail at once: that is how they say so, and no error."""

    def __init__(self, app: AsgiCallable, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._answer: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_spoken = False

    async def start(self) -> None:
        """Until the app is ready. Raises LifespanError when it says that it is not."""
        self._task = asyncio.ensure_future(self._run())
        await self._tell("lifespan.startup")

    async def stop(self) -> None:
        """Until the app is done. Raises LifespanError."""
        if self._task is not None and not self._task.done():
            await self._tell("lifespan.shutdown")
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _tell(self, kind: str) -> None:
        answer = self._answer = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait({"type": kind})
        await answer

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        error: BaseException | None = None
        try:
            await self._app(scope, self._inbox.get, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as raised:  # the root of a task: what it means is decided below
            error = raised
        answer = self._answer
        if answer is None or answer.done():
            return
        if error is not None and self._is_spoken:
            answer.set_exception(LifespanError(f"{type(error).__name__}: {error}"))
        else:
            answer.set_result(None)

    async def _send(self, message: Message) -> None:
        self._is_spoken = True
        answer = self._answer
        if answer is None or answer.done():
            return
        kind = message["type"]
        if kind.endswith(".complete"):
            answer.set_result(None)
        elif kind.endswith(".failed"):
            answer.set_exception(LifespanError(message.get("message") or kind))


class Lifespans:
    """Of all the ASGI apps of a worker. An app that is mounted twice lives once."""

    def __init__(self) -> None:
        self._apps: dict[int, _Mounted] = {}

    def add(self, app: AsgiCallable, handler: AsgiApp, where: str) -> None:
        """Note that `handler` serves `app`; `where` is for people."""
        mounted = self._apps.setdefault(id(app), _Mounted(app, where))
        mounted.handlers.append(handler)
        handler.state = mounted.state

    async def start(self, report: Callable[[str, str], None]) -> list[str]:
        """Start all; gives a line for each that failed, which from then on answers 500."""
        failed = []
        for mounted in self._apps.values():
            try:
                await mounted.lifespan.start()
            except LifespanError as error:
                text = f"{mounted.where}: the app failed to start: {error}"
                failed.append(text)
                report(text, "")
                for handler in mounted.handlers:
                    handler.is_broken = True
        return failed

    async def stop(self, patience_s: float) -> None:
        """Stop all, for at most `patience_s` each; cancel what still runs."""
        for mounted in self._apps.values():
            for handler in mounted.handlers:
                handler.cancel_all()
            try:
                await asyncio.wait_for(mounted.lifespan.stop(), patience_s)
            except (LifespanError, TimeoutError):
                # The process ends all the same.
                continue


class _Mounted:
    """One app and the handlers that serve it."""

    def __init__(self, app: AsgiCallable, where: str) -> None:
        self.where = where
        self.handlers: list[AsgiApp] = []
        self.state: dict[str, Any] = {}
        self.lifespan = Lifespan(app, self.state)
