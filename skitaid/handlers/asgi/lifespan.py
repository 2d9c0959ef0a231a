"""The lifespan of ASGI apps: told before the first request and after the last (ASGI lifespan spec 2.0).

Many apps do not know the protocol and fail at once; that is how they say so, and no error.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from skitaid.exceptions import SkitaidError
from skitaid.handlers.asgi.app import AsgiCallable
from skitaid.handlers.asgi.cycle import Message

__all__ = ["Lifespan", "LifespanError", "Report"]

Report = Callable[[str, str], None]
"""Told of what went wrong: a line, and a traceback or ""."""


class LifespanError(SkitaidError):
    """An app can't start or stop, or does not keep to the protocol; the app's author must act. `details`: what it said
    besides, a traceback mostly."""

    def __init__(self, text: str, details: str = "") -> None:
        self.details = details
        super().__init__(text)


class Stage(Enum):
    """Where an app is in its life."""

    NEW = "not begun"
    STARTING = "told lifespan.startup"
    RUNNING = "started"
    STOPPING = "told lifespan.shutdown"
    OVER = "done, refused, or without interest"


_ANSWERS: Final = {
    (Stage.STARTING, "lifespan.startup.complete"): Stage.RUNNING,
    (Stage.STARTING, "lifespan.startup.failed"): Stage.OVER,
    (Stage.STOPPING, "lifespan.shutdown.complete"): Stage.OVER,
    (Stage.STOPPING, "lifespan.shutdown.failed"): Stage.OVER,
}


class Lifespan:
    """One app's. `state` is what its requests get copies of; `report` is told of failures that nobody waits for."""

    def __init__(self, app: AsgiCallable, state: dict[str, Any], report: Report) -> None:
        self._app = app
        self._state = state
        self._report = report
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._stage = Stage.NEW
        self._is_heard = False
        self._answer: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Until the app is ready, or turns out not to care. Raises LifespanError when it says that it can't."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="lifespan")
        await self._tell(Stage.STARTING, "lifespan.startup")

    async def stop(self) -> None:
        """Until the app is done. Raises LifespanError. An app that is not running is not told."""
        if self._stage is Stage.RUNNING:
            await self._tell(Stage.STOPPING, "lifespan.shutdown")

    async def _tell(self, stage: Stage, kind: str) -> None:
        self._stage = stage
        self._answer = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait({"type": kind})
        await self._answer

    async def _run(self) -> None:
        """The root of the app's task."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  # the root of a task: what it means depends on when it comes
            self._failed(error)
        self._stage = Stage.OVER
        self._settle(None)

    async def _receive(self) -> Message:
        message = await self._inbox.get()
        self._is_heard = True
        return message

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        stage = _ANSWERS.get((self._stage, kind))
        if stage is None:
            raise LifespanError(f"the app sent {kind!r} when it was {self._stage.value}")
        self._stage = stage
        said = str(message.get("message", "")).strip() if kind.endswith(".failed") else ""
        self._settle(LifespanError(_last_line(said) or kind, said) if kind.endswith(".failed") else None)

    def _failed(self, error: BaseException) -> None:
        """The app raised. Before it answered the start-up this is how it says that it knows no lifespan (and the spec
        has us go on); but an error that came after it had heard of the start-up is worth being seen."""
        text, details = f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
        if self._stage is Stage.STOPPING:
            self._settle(LifespanError(text, details))
        elif self._stage is Stage.RUNNING:
            self._report(f"its lifespan ended before it was told to: {text}", details)
        elif self._stage is Stage.STARTING and self._is_heard:
            self._report(f"it raised {text} at lifespan.startup; served all the same, without a lifespan", details)

    def _settle(self, error: LifespanError | None) -> None:
        """Answer whoever waits in `start` or `stop`."""
        answer = self._answer
        if answer is None or answer.done():
            return
        if error is None:
            answer.set_result(None)
        else:
            answer.set_exception(error)


def _last_line(text: str) -> str:
    """Of a traceback the line that says what happened."""
    return text.rpartition("\n")[2]
