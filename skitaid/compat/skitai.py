"""`import skitai`, `from skitai import was`: names of skitaid under that of its ancestor. Nothing is imported before it
is asked for.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import skitaid.compat

# The modules of the package that this is, too. This file may be installed apart from them.
__path__ = [os.path.join(os.path.dirname(os.path.abspath(skitaid.compat.__file__)), "skitai_modules")]

_Decorated = TypeVar("_Decorated")

_STATES: Final = ("skitaid.was.states", "register_states")
_NAMES: Final[dict[str, tuple[str, str]]] = {
    **{
        name: ("skitaid.was.tasks.result", name)
        for name in ("STA_UNSENT", "STA_TIMEOUT", "STA_REQFAIL", "STA_NORMAL", "STA_NETERR")
    },
    "HTTPError": ("skitaid.was.errors", "HTTPError"),
    **dict.fromkeys(("register_states", "states", "defgs", "deflu", "addlu", "trackers"), _STATES),
}


def lukeys(names: Iterable[str]) -> Callable[[_Decorated], _Decorated]:
    """An older form of register_states."""
    register = __getattr__("register_states")
    decorate: Callable[[_Decorated], _Decorated] = register(*names)
    return decorate


def __getattr__(name: str) -> Any:
    if name == "was":
        found: Any = importlib.import_module("skitaid.was")
    elif name in _NAMES:
        module, attribute = _NAMES[name]
        found = getattr(importlib.import_module(module), attribute)
    else:
        raise AttributeError(f"skitai has no {name!r}, or not yet")
    setattr(sys.modules[__name__], name, found)
    return found


def __dir__() -> list[str]:
    return sorted({"was", "lukeys", *_NAMES})
