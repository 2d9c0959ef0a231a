"""ASGI 3 apps, on the event loop (https://asgi.readthedocs.io, HTTP spec version 2.4).

The first step of an app's coroutine runs at once, inside the poll; only an app that suspends costs asyncio a turn.
What the app is told and how it answers is in `scope` and `cycle`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from skitaid.engine.errors import ClientGoneError
from skitaid.engine.server import Engine
from skitaid.engine.stream import Stream
from skitaid.handlers.app_failure import ErrorReporter, answer_to
from skitaid.handlers.asgi.cycle import Cycle, Message
from skitaid.handlers.asgi.scope import Scope, ScopeMaker
from skitaid.handlers.body_rules import NO_RULES, BodyRules
from skitaid.handlers.router import Route
from skitaid.protocols.errors import ResponseError
from skitaid.was.context import bind

__all__ = ["AsgiApp", "AsgiCallable"]

AsgiCallable = Callable[[Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class AsgiApp:
    """A router.RouteHandler for one app at one mount point. `state` is the app's of its lifespan, copied for each
    request; `refusal`: status and text of the answer while the app can't be asked."""

    def __init__(
        self, engine: Engine, app: AsgiCallable, report: ErrorReporter, *, bodies: BodyRules = NO_RULES
    ) -> None:
        self._engine = engine
        self._start_task = engine.loop.start_task
        self._app = app
        self._report = report
        self._bodies = bodies
        self._may_code = bodies.may_code
        self._scopes = ScopeMaker()
        self.state: dict[str, Any] = {}
        self.refusal: tuple[int, str] | None = None
        self._is_ending = False
        # asyncio itself holds tasks weakly.
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, stream: Stream, route: Route) -> bool:
        if self.refusal is not None:
            code, text = self.refusal
            self._engine.respond_error(stream, code, text, retry=code == 503)
            return True
        stream.may_code = self._may_code
        if stream.head.content_length == 0:
            self._begin(Cycle(stream), route)
            return True
        limit = self._bodies.limit(stream.head)
        refusal = self._bodies.refusal(stream.head, limit)
        if refusal is not None:
            self._engine.respond_error(stream, 413, refusal)
            return True
        cycle = Cycle(stream)
        cycle.expect_body(limit, partial(self._begin, cycle, route))
        return True

    @property
    def is_busy(self) -> bool:
        """Whether the app still works for a request, be its response done or not."""
        return bool(self._tasks)

    async def cancel_all(self, patience_s: float) -> None:
        """At the end of the worker: whatever still runs is cancelled, and has `patience_s` to clean up."""
        self._is_ending = True
        if self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=patience_s)

    def _begin(self, cycle: Cycle, route: Route) -> None:
        stream = cycle.stream
        stream.is_dispatched = True
        task = self._start_task(self._run(cycle, self._scopes.make(stream, route, self.state)))
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, cycle: Cycle, scope: Scope) -> None:
        cycle.environ = scope
        bind(cycle)
        try:
            await self._app(scope, cycle.receive, cycle.send)
            if not cycle.is_over:
                self._left(cycle)
        except BaseException as error:  # the root of a request: an app may even call sys.exit
            if self._is_ending and isinstance(error, asyncio.CancelledError):
                cycle.abandon()
                raise
            self._failed(cycle, error)
        finally:
            cycle.let_go()

    def _left(self, cycle: Cycle) -> None:
        """The app returned before its response was complete: rightly so when it knows that nobody waits for it."""
        if cycle.is_gone:
            cycle.abandon()
        else:
            what = "completing" if cycle.stream.is_started else "sending"
            self._failed(cycle, ResponseError(f"the app returned without {what} a response"))

    def _failed(self, cycle: Cycle, error: BaseException) -> None:
        if _is_of_client(error, cycle):
            cycle.abandon()
            return
        code, text = answer_to(error)
        is_told = not cycle.give_up()
        if is_told:
            self._engine.respond_error(cycle.stream, code, text)
        if code >= 500 or not is_told:
            self._report(cycle.stream, error)


def _is_of_client(error: BaseException, cycle: Cycle) -> bool:
    """Whether an app ended for no other reason than that its client has gone. Starlette, and so FastAPI, says
    ClientDisconnect then."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_of_client(each, cycle) for each in error.exceptions)
    if isinstance(error, ClientGoneError):
        return True
    return type(error).__name__ == "ClientDisconnect" and (cycle.is_gone or cycle.stream.connection.is_broken)
