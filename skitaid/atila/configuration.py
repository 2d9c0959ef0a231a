"""What an app may set for itself, and what a server, or whoever runs it, sets over that."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from skitaid.atila.values import Values

__all__ = ["BODY_LIMITS", "Config", "Preferences", "apply_preferences", "bootstrap", "make_config"]

_DEFAULTS: Final[Mapping[str, Any]] = {
    "max_post_body_size": 5 * 1024 * 1024,
    "max_cache_size": 5 * 1024 * 1024,
    "max_multipart_body_size": 20 * 1024 * 1024,
    "max_upload_file_size": 20_000_000,
    "maintain_interval": 60,
}

BODY_LIMITS: Final = ("max_post_body_size", "max_multipart_body_size", "max_upload_file_size")

Config = Values


def make_config() -> Config:
    """What an app begins with: sizes are in bytes, times in seconds."""
    return Config(_DEFAULTS)


class Preferences(Values):
    """Settings made by whoever runs an app: `pref.debug = True`, `pref.config.urlfile = "urls.txt"`."""

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


def apply_preferences(app: Any, preferences: Any) -> None:
    """Set on `app` what `preferences` has: its `config` item by item, every other attribute or item as it is."""
    given = preferences if isinstance(preferences, Mapping) else vars(preferences)
    for name, value in given.items():
        if name == "config":
            app.config.update({key: _like(app.config.get(key), each) for key, each in value.items()})
        elif not name.startswith("_"):
            setattr(app, name, value)


def _like(default: Any, value: Any) -> Any:
    """A conf file has texts alone: what stands for a number is read as one. Raises ValueError."""
    if isinstance(value, str) and type(default) in (int, float):
        return type(default)(value)
    return value
