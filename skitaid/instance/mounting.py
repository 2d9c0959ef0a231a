"""What an app that asks for it is told where it is mounted: its mount point, and what the conf has set for it."""

from __future__ import annotations

import traceback
from typing import Any

from skitaid.config.model import Mount
from skitaid.handlers.loading.loader import AppLoadError, LoadedApp
from skitaid.handlers.router import route_path

__all__ = ["tell_mounted", "wants_reloader"]


def tell_mounted(loaded: LoadedApp, mount: Mount) -> None:
    """Call `app.mounted_at(path, preferences)`, if the app has that: those of skitaid.atila do. Raises AppLoadError."""
    tell = getattr(loaded.callable, "mounted_at", None)
    if not callable(tell):
        return
    try:
        tell(route_path(mount.path), _preferences(mount))
    except Exception as error:  # app code runs here; the other apps are served
        text = "".join(traceback.format_exception(error))
        reason = f"cannot be mounted: {type(error).__name__}: {error}"
        raise AppLoadError(str(loaded.module.__file__), reason, text) from error


def wants_reloader(loaded: LoadedApp, mount: Mount) -> bool:
    """Whether the conf, or the app itself (`app.use_reloader = True`), wants the app loaded anew when its files
    change."""
    return mount.options.use_reloader or getattr(loaded.callable, "use_reloader", None) is True


def _preferences(mount: Mount) -> dict[str, Any]:
    """What the conf says; what it leaves open is the app's to say."""
    found: dict[str, Any] = {"config": dict(mount.options.config)}
    if mount.options.debug:
        found["debug"] = True
    if mount.options.use_reloader:
        found["use_reloader"] = True
    return found
