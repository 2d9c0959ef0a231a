"""Atila, the web framework: `from skitaid.atila import Atila`. An app is a WSGI callable; skitaid serves it best, any
WSGI server serves it.

Nothing is imported before it is asked for: an app without sessions has no session code in its memory.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from skitaid.atila.app import Atila

__all__ = ["Atila"]

_PLACES: Final = {
    "Atila": "skitaid.atila.app",
    "EVEXCEPT": "skitaid.atila.context",
    "EVOK": "skitaid.atila.context",
    "EVREQEND": "skitaid.atila.context",
    "Package": "skitaid.atila.part",
    "Preferences": "skitaid.atila.configuration",
    "Saddle": "skitaid.atila.app",
    "Saddlery": "skitaid.atila.part",
    **dict.fromkeys(
        (
            "app_mounted",
            "app_restarted",
            "app_restarting",
            "app_started",
            "app_starting",
            "app_unmounting",
            "request_failed",
            "request_finished",
            "request_starting",
            "request_success",
            "request_tearing_down",
            "template_rendering",
        ),
        "skitaid.atila.lifecycle.events",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
