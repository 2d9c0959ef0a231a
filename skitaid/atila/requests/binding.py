"""The arguments of a function, out of a request: values of the path first, then of the query, then of the body.

The body is read only for a function that asks for more than the path gives. What the body and the query both have is
that of the body, as in was.request.ARGS: guards look there, and have to see what the function gets. A name in the query
that the function does not take is refused; one in the body is left alone, as the function may read the body by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from skitaid.atila.contracts import Was
from skitaid.atila.requests.reading import has_body
from skitaid.atila.values import as_told
from skitaid.was.errors import HTTPError

__all__ = ["Binder", "defaults_of"]

_WAS: Final = "was"
_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_EMPTY: Final = inspect.Parameter.empty


class Binder:
    """For one function. `takes_was`: its first parameter is named `was`, or is `*args`, as that of a function around
    another. `names`: the others, in their order.
    `defaults`: those that have one."""

    __slots__ = ("_allowed", "_required", "_reserved", "defaults", "names", "takes_any", "takes_was")

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(function).parameters.values())
        self.takes_was = bool(parameters) and (
            parameters[0].name == _WAS or parameters[0].kind is inspect.Parameter.VAR_POSITIONAL
        )
        self._reserved = frozenset({_WAS}) if self.takes_was else frozenset()
        parameters = parameters[1:] if self.takes_was else parameters
        self.takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
        self.names = tuple(each.name for each in parameters if each.kind in _NAMED)
        self.defaults = {
            each.name: each.default for each in parameters if each.kind in _NAMED and each.default is not _EMPTY
        }
        self._required = frozenset(self.names) - frozenset(self.defaults)
        self._allowed = frozenset(self.names)

    def bind(self, was: Was, values: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name. `values`: of the path. Raises HTTPError 400 for those that don't fit."""
        taken = self._of_path(values) if values else {}
        env = was.env
        if env.get("QUERY_STRING"):
            self._add_query(taken, was.request.URL, values)
        if has_body(env) and (self.takes_any or not self._allowed <= values.keys()):
            self._add_body(taken, was.request.DATA, values)
        if self._required and not self._required <= taken.keys():
            missing = ", ".join(name for name in self.names if name in self._required and name not in taken)
            raise HTTPError("400 Bad Request", f"parameter {missing} required")
        return taken

    def _of_path(self, values: dict[str, Any]) -> dict[str, Any]:
        if self.takes_any:
            return {name: value for name, value in values.items() if value != "" or name not in self.defaults}
        # A function need not name them: it finds them in was.request.PARAMS.
        return {
            name: value
            for name, value in values.items()
            if name in self._allowed and (value != "" or name not in self.defaults)
        }

    def _add_query(self, taken: dict[str, Any], query: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        for name, value in query.items():
            if name in values:
                # What is in the path decides, who may do it does too.
                continue
            if not self._takes(name):
                raise HTTPError("400 Bad Request", f"unknown parameter {as_told(name)}")
            taken[name] = value

    def _add_body(self, taken: dict[str, Any], data: Any, values: Mapping[str, Any]) -> None:
        if not isinstance(data, Mapping):
            # JSON that is not an object has no names; the function finds it in was.request.JSON.
            return
        for name, value in data.items():
            if name not in values and self._takes(name):
                taken[name] = value

    def _takes(self, name: str) -> bool:
        return name in self._allowed or (self.takes_any and name not in self._reserved)


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of a function that have a default, with it."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not _EMPTY}
