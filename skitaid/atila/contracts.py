"""What the parts of this package ask of `was` and of the app: they are below both, and know them by these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["App", "Was"]


class App(Protocol):
    """skitaid.atila.app.Atila. What an app's author sets on it is read by its name."""

    def __getattr__(self, name: str) -> Any: ...


class Was(Protocol):
    """skitaid.atila.context.Context: one request. `env` is the WSGI environ."""

    app: Any
    env: dict[str, Any]
    request: Any
    response: Any
    made_response: Any
    at_commit: Any

    def before_commit(self, function: Callable[[Any], None]) -> None:
        """Have `function(was)` called once when the response is known, while fields may still be set."""

    def __getattr__(self, name: str) -> Any: ...
