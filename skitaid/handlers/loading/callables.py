"""The app inside a module: finding the callable by its name, and telling WSGI from ASGI."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from types import ModuleType
from typing import Any

__all__ = ["AppKind", "describe_missing", "is_asgi", "kind_of", "read_callable"]

ASGI_ARGUMENTS = 3
"""scope, receive, send; a WSGI app takes environ and start_response."""


class AppKind(StrEnum):
    """The interface that an app has."""

    WSGI = "wsgi"
    ASGI = "asgi"


def read_callable(module: ModuleType, name: str) -> Callable[..., Any]:
    """The callable `name`, dotted where it is an attribute of something, of `module`.

    Raises AttributeError (there is none) and TypeError (it can't be called), with a text for the conf's author.
    """
    found: object = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise AttributeError(describe_missing(found, part)) from None
    if not callable(found):
        raise TypeError(f'"{name}" is {_a_type(found)}, expected a WSGI or ASGI callable')
    return found


def describe_missing(owner: object, name: str) -> str:
    """That `name` is not there, the nearest name that is, and the callables to choose from."""
    import difflib  # for the message only

    names = [key for key in dir(owner) if not key.startswith("_") and _may_be_app(owner, getattr(owner, key, None))]
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f'; did you mean "{nearest[0]}"?' if nearest else f"; callables there: {', '.join(names[:8]) or 'none'}"
    return f'no callable "{name}"{hint}'


def kind_of(app: Callable[..., Any]) -> AppKind:
    return AppKind.ASGI if is_asgi(app) else AppKind.WSGI


def is_asgi(app: Callable[..., Any]) -> bool:
    """Whether `app` is an ASGI 3 callable: a coroutine function, an object with an async `__call__`, or anything
    that needs exactly three positional arguments (a class with `__await__`, a plain function that returns one)."""
    inner = app
    while isinstance(inner, functools.partial):
        inner = inner.func
    if inspect.iscoroutinefunction(inner):
        return True
    if not inspect.isclass(inner) and inspect.iscoroutinefunction(getattr(inner, "__call__", None)):  # noqa: B004
        return True
    return _needed_arguments(app) == ASGI_ARGUMENTS


def _needed_arguments(app: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):  # written in C, without a signature
        return 0
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in parameters)


def _may_be_app(owner: object, value: object) -> bool:
    """Callable, and not merely imported there (classes and functions of other modules)."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return callable(value)
    home = getattr(owner, "__name__", None)
    return home is None or getattr(value, "__module__", home) == home


def _a_type(value: object) -> str:
    if isinstance(value, ModuleType):
        return "a module"
    return f"of type {type(value).__name__}"
