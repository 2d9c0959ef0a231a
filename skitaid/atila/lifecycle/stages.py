"""What an app does when it begins and ends: part of skitaid.atila.app.Atila.

When a worker has loaded it: before_mount(wac), mounted(was), mounted_or_reloaded(was). When the worker ends:
before_umount(was), umounted(wac). They run in the worker's main thread, outside of any request, so none may wait. A
reload is another process here: the new app is mounted there, and the old one unmounted in its own; before_reload and
reloaded, which an app had when it was reloaded in its process, are taken and not called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

__all__ = ["Lifecycle", "Stage"]

Hook = TypeVar("Hook", bound=Callable[..., Any])


class Stage(StrEnum):
    """A moment in the life of an app at which its functions may be called."""

    BEFORE_MOUNT = "before_mount"
    MOUNTED = "mounted"
    MOUNTED_OR_RELOADED = "mounted_or_reloaded"
    BEFORE_RELOAD = "before_reload"
    RELOADED = "reloaded"
    BEFORE_UMOUNT = "before_umount"
    UMOUNTED = "umounted"


class Lifecycle:
    """The decorators, and what they were given."""

    def __init__(self) -> None:
        self._stages: dict[Stage, list[Callable[..., Any]]] = {stage: [] for stage in Stage}

    def before_mount(self, function: Hook) -> Hook:
        """`function(wac)` runs before the app answers anything."""
        return self._at(Stage.BEFORE_MOUNT, function)

    def mounted(self, function: Hook) -> Hook:
        """`function(was)` runs when the app is ready for requests."""
        return self._at(Stage.MOUNTED, function)

    def mounted_or_reloaded(self, function: Hook) -> Hook:
        """`function(was)` runs when the app is ready for requests, after a reload too."""
        return self._at(Stage.MOUNTED_OR_RELOADED, function)

    def before_reload(self, function: Hook) -> Hook:
        """Never: see above."""
        return self._at(Stage.BEFORE_RELOAD, function)

    def reloaded(self, function: Hook) -> Hook:
        """Never: see above."""
        return self._at(Stage.RELOADED, function)

    def before_umount(self, function: Hook) -> Hook:
        """`function(was)` runs when the app is about to end."""
        return self._at(Stage.BEFORE_UMOUNT, function)

    def umounted(self, function: Hook) -> Hook:
        """`function(wac)` runs last."""
        return self._at(Stage.UMOUNTED, function)

    # The older names.
    startup = before_mount
    onreload = before_remount = before_reload
    remounted = reloaded
    umount = before_umount
    shutdown = umounted

    def run_stage(self, stage: Stage, subject: Any, app: Any) -> None:
        """Run the functions of a stage. `subject`: was or wac; the oldest form takes the app besides."""
        for function in self._stages[stage]:
            function(*((subject, app) if _takes_app(function) else (subject,)))

    def _at(self, stage: Stage, function: Hook) -> Hook:
        self._stages[stage].append(function)
        return function


def _takes_app(function: Callable[..., Any]) -> bool:
    names = list(inspect.signature(function).parameters)
    return len(names) > 1 and names[1] == "app"
