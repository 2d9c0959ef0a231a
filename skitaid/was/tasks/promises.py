"""A response that is made when tasks are done, and holds no thread until then.

`return was.Tasks([…]).then(respond)`: the handler lets go of the thread, and has `respond` called in one when the
results are there. What that gives is the response, or another Futures.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from skitaid.was.context import bound_request, memory
from skitaid.was.errors import WasError
from skitaid.was.later import Later
from skitaid.was.tasks.waiting import Waited, call_when_done, unfinished_of
from skitaid.was.tasks.watch import watch
from skitaid.was.worker import current_worker

__all__ = ["FUTURES_S", "Future", "Futures"]

FUTURES_S: Final = 10.0


class Answered(Waited, Protocol):
    """A task, as a Future needs it."""

    def result(self) -> Any: ...


class Futures(Later):
    """A response that is made when tasks are done. `timeout_s`: tasks that take longer, from now on, are given up, and
    their results say so."""

    def __init__(self, reqs: Iterable[Answered], timeout: float | None = FUTURES_S) -> None:
        self._tasks: list[Answered] = list(reqs)
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._function: Callable[..., Any] | None = None
        self._named: dict[str, Any] = {}

    def then(self, function: Callable[..., Any], **named: Any) -> Futures:
        """`function(was, results, **named)` makes the response, in a thread, or gives another Futures."""
        self._function, self._named = function, named
        return self

    def returning(self, response: Any) -> Any:
        """`response`. The tasks go on, nobody waits for them."""
        return response

    def when_ready(self, function: Callable[[], None]) -> None:
        """See Later: when all tasks are done or given up."""
        unfinished = unfinished_of(self._tasks)
        if not unfinished:
            function()
            return
        call_when_done(unfinished, function)
        if self._deadline is not None:
            watch(current_worker(), self._deadline, unfinished)

    def make(self) -> Any:
        """See Later: what the function of `then` gives. Raises WasError when `then` was never called."""
        if self._function is None:
            raise WasError("was.Futures([…]) was returned without then(function), which makes the response")
        return self._function(self._was(), self._results(), **self._named)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """As a WSGI app: frameworks that take one for a response (Flask) pass this on, and what they send of it is
        replaced by the response that is made later."""
        kept = memory()
        if kept is None:
            raise WasError("was.Futures can be returned to skitaid alone, which serves no request here")
        kept.later = self
        start_response("200 OK", [("Content-Type", "text/plain")])
        return []

    def _results(self) -> Any:
        from skitaid.was.tasks.result import Results

        results = Results(each.result() for each in self._tasks)
        results.settle()
        return results

    @staticmethod
    def _was() -> Any:
        """What the function gets as its first argument: that of the framework, if it has one of its own."""
        bound = bound_request()
        container = None if bound is None else bound.container
        return sys.modules["skitaid.was"] if container is None else container


class Future(Futures):
    """For one task: `function(was, result, **named)`."""

    def __init__(self, req: Answered, timeout: float | None = FUTURES_S) -> None:
        super().__init__([req], timeout)

    def _results(self) -> Any:
        return super()._results()[0]
