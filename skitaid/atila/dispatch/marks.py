"""What decorators below `@app.route` note on a function. They return the function they are given, so that it can be
called as it is written; what they ask for is done when the app answers a request with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Guard", "Marks", "marks_of", "read_marks"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Guard = Callable[[Any], Any]
"""function(was): None lets the request pass, anything else is its response. May raise HTTPError."""


class Marks:
    """What the decorators around a function say of it. `guards`: are asked in this order before the function is called,
    authentication first, then permission, then parameters. `before` and `after`: run_before, run_after, conditional
    preworks."""

    def __init__(self) -> None:
        self.authentication: list[Guard] = []
        self.permission: list[Guard] = []
        self.parameters: list[Guard] = []
        self.before: list[Guard] = []
        self.after: list[Guard] = []

    @property
    def guards(self) -> list[Guard]:
        return [*self.authentication, *self.permission, *self.parameters, *self.before]


def marks_of(function: Callable[..., Any]) -> Marks:
    """Those of `function`, to be added to."""
    marks: Marks | None = read_marks(function)
    if marks is None:
        marks = Marks()
        function.__atila__ = marks  # type: ignore[attr-defined]
    return marks


def read_marks(function: Callable[..., Any]) -> Marks | None:
    """Those of `function`; None: it has none."""
    return getattr(function, "__atila__", None)
