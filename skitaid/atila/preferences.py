"""Settings of who runs an app: they go before the app's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from skitaid.atila.values import Values

__all__ = ["Preferences", "bootstrap"]


class Preferences(Values):
    """`pref.debug = True`, `pref.config.urlfile = "urls.txt"`."""

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        super().__init__(given or {})
        self["config"] = Values(self.get("config") or {})


def bootstrap(app_name: str, preferences: Preferences) -> None:
    """Have the function `bootstrap(pref)` of the package that the app's file is in, if it has one, see and change the
    preferences."""
    module = sys.modules.get(app_name)
    package = sys.modules.get(getattr(module, "__package__", None) or "")
    function = getattr(package, "bootstrap", None)
    if function is not None:
        function(preferences)
