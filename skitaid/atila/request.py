"""`was.request`."""

from __future__ import annotations

from typing import Any

from skitaid.atila.contracts import Was
from skitaid.atila.parts import REQUEST_OBJECTS, load

__all__ = ["Request"]


class Request:
    """A request, read lazily from its WSGI environ."""

    def __init__(self, was: Was) -> None:
        self._was = was
        self.env = was.env

    def __getattr__(self, name: str) -> Any:
        if name in REQUEST_OBJECTS:
            made = load(REQUEST_OBJECTS[name])(self._was)
            setattr(self, name, made)
            return made
        raise AttributeError(f"was.request has no {name!r}")
