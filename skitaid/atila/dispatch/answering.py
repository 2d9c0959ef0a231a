"""One request through an app's hooks, guards and function, to what the function returned.

A function that returns something that comes later (was.Tasks([…]).then(…), a coroutine) leaves its thread: what is to
run after it runs when its result is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import skitaid.was
from skitaid.atila.contracts import Was
from skitaid.atila.dispatch.hooks import Hooks
from skitaid.atila.dispatch.marks import Guard
from skitaid.atila.requests.binding import Binder
from skitaid.was.errors import HTTPError
from skitaid.was.later import Later

__all__ = ["Deferred", "Plan", "answer", "log_failure"]

_HARMLESS = ("GET", "HEAD", "OPTIONS")


class Plan:
    """What it takes to answer with one route, worked out at its first request. `scopes`: the hooks of the app, then of
    the parts inside it. `after`: run_after. `words`: the values of the path that take words such as `notme`."""

    __slots__ = ("after", "binder", "function", "guards", "scopes", "words")

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        scopes: Sequence[Hooks] = (),
        guards: Sequence[Guard] = (),
        after: Sequence[Guard] = (),
        words: Sequence[str] = (),
    ) -> None:
        self.function = function
        self.binder = Binder(function)
        self.scopes = tuple(scopes)
        self.guards = tuple(guards)
        self.after = tuple(after)
        # A value that the path may leave out can come by the query or the body.
        self.words = tuple(name for name in words if name in self.binder.defaults)

    def call(self, was: Was, values: dict[str, Any]) -> Any:
        """What the function gives, or a guard before it. Raises whatever they raise."""
        is_harmless = was.env["REQUEST_METHOD"] in _HARMLESS
        if not is_harmless:
            _refuse_notme(values)
        for guard in self.guards:
            content = guard(was)
            if content is not None:
                return content
        binder = self.binder
        named = binder.bind(was, values)
        if self.words and not is_harmless:
            _refuse_notme({name: named.get(name) for name in self.words})
        content = self.function(was, **named) if binder.takes_was else self.function(**named)
        for function in self.after:
            function(was)
        return content


def _refuse_notme(values: dict[str, Any]) -> None:
    if values and "notme" in values.values():
        raise HTTPError("421 Misdirected Request", "notme is for GET alone: name whom it is about")


def answer(was: Was, plan: Plan, values: dict[str, Any]) -> Any:
    """What the app answers, or a Deferred. Raises whatever the app raises and does not handle."""
    entered: list[Hooks] = []
    try:
        content = _content_before(was, plan.scopes, entered)
        is_stopped = content is not None
        if content is None:
            content = plan.call(was, values)
    except BaseException as error:  # noqa: BLE001  # teardown must run; the error goes on if nobody takes it
        return _unwind(was, entered, None, error)
    later = None if type(content) is str else later_of(content)
    if later is not None:
        return Deferred(was, entered, later)
    if is_stopped:
        # Of the scope that stopped it, only teardown_request runs.
        _tear_down(was, entered.pop())
    return _unwind(was, entered, content, None) if entered or was.bound is not None else content


def _content_before(was: Was, scopes: Sequence[Hooks], entered: list[Hooks]) -> Any:
    """What a hook answers in the function's place; None: nothing. Each scope is in `entered` before its hooks run."""
    for scope in scopes:
        if scope.has_hooks:
            entered.append(scope)
            content = scope.content_before(was)
            if content is not None:
                return content
    return None


class Deferred(Later):
    """The rest of a request whose function gave something that comes later. `make` gives what the app answers, or
    another Deferred; and raises as `answer` does."""

    def __init__(self, was: Was, entered: list[Hooks], inner: Later) -> None:
        self._was = was
        self._entered = entered
        self._inner = inner

    def when_ready(self, function: Callable[[], None]) -> None:
        """See Later."""
        self._inner.when_ready(function)

    def make(self) -> Any:
        """See Later."""
        try:
            content = self._inner.make()
        except BaseException as error:  # noqa: BLE001  # as in answer
            return _unwind(self._was, self._entered, None, error)
        later = later_of(content)
        if later is not None:
            return Deferred(self._was, self._entered, later)
        return _unwind(self._was, self._entered, content, None)


def later_of(content: Any) -> Later | None:
    """What there is to wait for; None: nothing."""
    if isinstance(content, Later):
        return content
    if hasattr(content, "cr_await"):
        from skitaid.atila.dispatch.coroutines import CoroutineLater

        return CoroutineLater(content)
    return None


def log_failure() -> None:
    """The exception that is being handled goes to the log, with where it happened."""
    skitaid.was.traceback()


def _unwind(was: Was, entered: list[Hooks], content: Any, error: BaseException | None) -> Any:
    """Run what follows the function, the innermost scope first. Gives what is answered. Raises `error`, or what came of
    the hooks, if no hook of a failure answers it."""
    if was.bound is not None:
        error = _run_bound(was, error)
    while entered:
        scope = entered.pop()
        try:
            if error is None:
                _run_all(scope.finish_hooks, was)
            else:
                content = scope.content_of_failure(was, error)
                error = error if content is None else None
        except BaseException as another:  # noqa: BLE001  # teardown must run; the error goes on
            error = another
        _tear_down(was, scope)
    if error is not None:
        try:
            raise error
        finally:
            # Its traceback has this frame, which would have it in turn, and the request with it.
            del error
    return content


def _run_all(functions: Sequence[Callable[..., Any]], was: Was) -> None:
    for function in functions:
        function(was)


def _tear_down(was: Was, scope: Hooks) -> None:
    """One that fails is told; the response is what it was, and the others run."""
    for function in scope.teardown_hooks:
        try:
            function(was)
        except Exception:  # noqa: BLE001  # the end of a request
            log_failure()


def _run_bound(was: Was, error: BaseException | None) -> BaseException | None:
    """Call what the function bound to its own request (`was.g.bind`). Gives the error that goes on, if any."""
    for function in was.bound.of(error):
        try:
            function(was)
        except Exception as another:  # noqa: BLE001  # the error goes on
            error = another
    return error
