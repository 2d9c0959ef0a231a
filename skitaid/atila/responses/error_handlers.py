"""The pages of an app for what goes wrong: part of skitaid.atila.app.Atila."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

__all__ = ["DEFAULT", "ErrorHandlers"]

Handler = TypeVar("Handler", bound=Callable[..., Any])

DEFAULT: Final = 0
"""In place of a status code: every other."""


class ErrorHandlers:
    """The pages of an app for errors, by status. `function(was, error)` gives the page of a status;
    skitaid.atila.responses.failures says what `error` has."""

    def __init__(self) -> None:
        self.error_handlers: dict[int, Callable[..., Any]] = {}

    def error_handler(self, code: int) -> Callable[[Handler], Handler]:
        """The page of one status."""

        def decorate(function: Handler) -> Handler:
            self.error_handlers[int(code)] = function
            return function

        return decorate

    def default_error_handler(self, function: Handler) -> Handler:
        """The page of every status that has none of its own."""
        self.error_handlers[DEFAULT] = function
        return function

    errorhandler = error_handler
    defaulterrorhandler = default_error_handler
