"""Numbers and times that the workers of an instance share by name: `was.setgs`, `was.setlu` and their kin."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar

from skitaid.was.errors import WasError
from skitaid.was.state_table import StateTable
from skitaid.was.worker import HelperProcess, Worker, worker_or_helper

__all__ = [
    "StateNameError", "addgs", "getgs", "getlu", "listeners", "register_states",
    "registered_names", "setgs", "setlu",
]  # fmt: skip

_Decorated = TypeVar("_Decorated")
_NS: Final = 1_000_000_000

_registered: Final[set[str]] = set()
listeners: Final[list[Callable[[str, tuple[Any, ...], dict[str, Any]], None]]] = []
"""Are told, in the worker that changed a state, of the event (`model-changed:NAME` for a time, NAME for a number) and
of what came along with it. For frameworks that hand such events on to apps."""


class StateNameError(WasError, KeyError):
    """A state that nobody registered; the app's author must act."""

    def __str__(self) -> str:
        return str(self.args[0])


def register_states(*names: str) -> Callable[[_Decorated], _Decorated]:
    """Name the states of an app, when it is imported or later. Also a decorator, of the class or function that they
    belong to. Raises TypeError for a name that is not a text, StateTableError for one that is too long, or too many."""
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is not the name of a state, expected a text")
        _registered.add(name)
        shared = worker_or_helper()
        if shared is not None and shared.states is not None:
            shared.states.claim(name)
    return lambda decorated: decorated


def registered_names() -> list[str]:
    """The states of this process so far, sorted."""
    return sorted(_registered)


def setgs(name: str, value: int, *args: Any, **named: Any) -> None:
    """Set a number, for all workers of the instance. `args` and `named` go to those who listen. Raises StateNameError,
    TypeError for what is not a whole number."""
    if not isinstance(value, int):
        raise TypeError(f"state {name!r}: {value!r} is not a whole number")
    _table(name).set_value(name, int(value))
    _tell(name, args, named)


def getgs(name: str) -> int:
    """A number, 0 before it was set. Raises StateNameError."""
    return _table(name).value(name)


def addgs(name: str, amount: int = 1, *args: Any, **named: Any) -> int:
    """Add to a number and get the new one. No other worker comes in between, as it can between `getgs` and `setgs`."""
    value = _table(name).add(name, amount)
    _tell(name, args, named)
    return value


def setlu(name: str, *args: Any, **named: Any) -> None:
    """What goes by this name has changed now. `args` and `named` go to those who listen. Raises StateNameError."""
    _table(name).touch(name, time.time_ns())
    _tell(f"model-changed:{name}", args, named)


def getlu(*names: str) -> float:
    """When the latest of them changed last, in seconds since the epoch; 0.0 for never. Raises StateNameError."""
    return max((_table(name).time_ns(name) for name in names), default=0) / _NS


def _table(name: str) -> StateTable:
    shared = worker_or_helper()
    if name not in _registered and not _is_helpers(name, shared):
        raise StateNameError(f"state {name!r} is not registered: call register_states({name!r}) where the app begins")
    return _own_table() if shared is None or shared.states is None else shared.states


def _is_helpers(name: str, shared: Worker | HelperProcess | None) -> bool:
    """Whether a process that has not imported the app that registered it knows it from the worker."""
    return isinstance(shared, HelperProcess) and shared.states is not None and name in shared.states.names()


@cache
def _own_table() -> StateTable:
    """Of a process that is no worker, as in tests of an app."""
    return StateTable.create()


def _tell(event: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    for listener in listeners:
        listener(event, args, named)
