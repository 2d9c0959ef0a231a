"""`was` in an app of Atila: one request, and what an app may use while it answers it.

What is not here is made when it is first asked for (`parts`), or is a service of skitaid.was.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import skitaid.was as services
from skitaid.atila.contracts import App
from skitaid.atila.parts import METHODS, OBJECTS, PROPERTIES, load
from skitaid.atila.request import Request
from skitaid.atila.response import Response
from skitaid.was.services import SERVICES

__all__ = ["Context", "Globals"]


class Globals:
    """`was.g`: whatever an app puts there, for the time of the request."""


class Context:
    """`was`. `at_commit` functions are called with it before the head of the response is sent: what sets cookies adds
    itself there when it is changed."""

    if TYPE_CHECKING:
        request: Request
        response: Response
        g: Globals
        cookie: Any
        session: Any
        mbox: Any

    at_commit: list[Callable[[Context], None]] | None = None

    def __init__(self, app: App, environ: dict[str, Any]) -> None:
        self.app = app
        self.env = environ

    def __getattr__(self, name: str) -> Any:
        """What is not there yet. Raises AttributeError."""
        if name in OBJECTS:
            made = load(OBJECTS[name])(self)
            setattr(self, name, made)
            return made
        if name in METHODS:
            return partial(load(METHODS[name]), self)
        if name in PROPERTIES:
            return load(PROPERTIES[name])(self)
        if name in SERVICES:
            return getattr(services, name)
        raise AttributeError(f"was has no {name!r}")

    def before_commit(self, function: Callable[[Context], None]) -> None:
        """Have `function(was)` called once when the response is known, while fields may still be set."""
        if self.at_commit is None:
            self.at_commit = []
        if function not in self.at_commit:
            self.at_commit.append(function)
