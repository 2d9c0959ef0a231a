"""Functions of an app that run around each of its requests, in this order:

before_request, and if that returns nothing the routed function; then finish_request if all went well, else
failed_request, whose result is the response if it has one; teardown_request in any case.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar

from skitaid.exceptions import SkitaidError

__all__ = ["HookError", "Hooks"]

_NOTHING: Final = (None, "", False)

Hook = TypeVar("Hook", bound=Callable[..., Any])


class HookError(SkitaidError, TypeError):
    """The author of an app must act: what runs around a request can't be waited for."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(
            f"{function.__name__} is a coroutine, expected a function: routed functions may be coroutines, hooks not"
        )


class Hooks:
    """The decorators of an app, or of a part of one, and what they were given. `has_hooks`: there is something
    to run."""

    has_hooks = False

    def __init__(self) -> None:
        self.before_hooks: list[Callable[..., Any]] = []
        self.finish_hooks: list[Callable[..., Any]] = []
        self.failed_hooks: list[Callable[..., Any]] = []
        self.teardown_hooks: list[Callable[..., Any]] = []

    def before_request(self, function: Hook) -> Hook:
        """`function(was)` runs before each request; what it returns, unless it is nothing, is the response."""
        return self._add(self.before_hooks, function)

    def finish_request(self, function: Hook) -> Hook:
        """`function(was)` runs after each request that went well."""
        return self._add(self.finish_hooks, function)

    after_request = finish_request

    def failed_request(self, function: Hook) -> Hook:
        """`function(was, exc_info)`, or `function(was)`, runs after each request that raised; what it returns, unless
        it is None, is the response."""
        return self._add(self.failed_hooks, function)

    def teardown_request(self, function: Hook) -> Hook:
        """`function(was)` runs at the end of each request, whatever came of it."""
        return self._add(self.teardown_hooks, function)

    def _add(self, hooks: list[Callable[..., Any]], function: Hook) -> Hook:
        if inspect.iscoroutinefunction(function):
            raise HookError(function)
        hooks.append(function)
        self.has_hooks = True
        return function

    def content_before(self, was: Any) -> Any:
        """The response of the first `before_request` function that gave one; None, "" and False are none."""
        for function in self.before_hooks:
            content = function(was)
            if content not in _NOTHING:
                return content
        return None

    def content_of_failure(self, was: Any, error: BaseException) -> Any:
        """The response of the first `failed_request` function that gave one; None: none did."""
        exc_info = (type(error), error, error.__traceback__)
        for function in self.failed_hooks:
            content = function(was, exc_info) if _takes_two(function) else function(was)
            if content is not None:
                return content
        return None


def _takes_two(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return sum(each.kind is not inspect.Parameter.KEYWORD_ONLY for each in parameters) > 1
