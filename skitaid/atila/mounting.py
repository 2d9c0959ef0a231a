"""Modules that an app is made of: part of skitaid.atila.app.Atila.

A module that has a function `__mount__(app)`, the older `mount(app)`, makes routes there. Those in the app's folder
`services` that were imported are mounted when the app begins, unless `app.auto_mount` is False; others with
`app.mount`. `__umount__(app)` is called when the app ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from skitaid.atila.part import Saddlery
from skitaid.atila.routing.routes import RouteOptions
from skitaid.exceptions import SkitaidError

__all__ = ["Mount", "MountError", "Mounting"]


class MountError(SkitaidError):
    """The author of an app must act: what is mounted has nothing to mount."""


@dataclass(frozen=True, slots=True)
class Mount:
    """What app.mount was given. `options` go to the module as `__mntopt__`."""

    path: str = ""
    thing: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """The path, without a slash at its end."""
        return self.path.rstrip("/")

    @property
    def namespace(self) -> str:
        """What stands before the names of its routes."""
        ns = self.options.get("ns")
        return f"{ns}." if ns else ""


class Mounting:
    """Modules and packages that are mounted below an app, beside its own routes. `current`: the mount that is being
    carried out. Routes that are made meanwhile belong to it."""

    auto_mount = True

    def __init__(self) -> None:
        self._mounts: list[Mount] = []
        self._done: list[Any] = []
        self.current: Mount | None = None

    def mount(self, *args: Any, **options: Any) -> None:
        """`app.mount(module, …)`, `app.mount("/path", module, …)`: have modules make their routes, below the path, when
        the app begins; `app.mount("/admin", admin, "part")`: take in the Saddlery of that name. Options: `ns` stands
        before the names of routes, `authenticate` holds for them, with `debug_only` it is mounted in debug mode alone,
        `mount` is the path; others are the module's own. Raises MountError."""
        given = list(args)
        path = given.pop(0) if given and isinstance(given[0], str) else options.pop("mount", "")
        if not given:
            raise MountError(f"app.mount({path!r}): expected a module")
        if len(given) == 2 and isinstance(given[1], str):  # a module and a name in it
            given = [_part_of(given[0], given[1])]
        for thing in given:
            self._mounts.append(Mount(path, thing, options))

    def add_package(self, module: Any, name: str = "package") -> None:
        """The older form of mount: the part says where it belongs."""
        part = _part_of(module, name)
        self._mounts.append(Mount(part.mount_path, part))

    def make_route(self, rule: str, function: Callable[..., Any], options: RouteOptions) -> None:
        """A route of the module that is being mounted, or of the app's own code. Raises RuleError."""
        mount = self.current or Mount()
        if options.authenticate is None and "authenticate" in mount.options:
            options = replace(options, authenticate=mount.options["authenticate"])
        name = mount.namespace + getattr(function, "__name__", rule)
        self.add_route(mount.prefix + rule, function, options, name=name)  # type: ignore[attr-defined]

    def mount_all(self) -> None:
        """Carry out what was asked for, then what is mounted by itself. Raises MountError, and what modules raise."""
        for each in self._mounts:
            self._carry_out(each)
        if self.auto_mount:
            for module in self._own_services():
                self._carry_out(Mount("", module))

    def umount_all(self) -> None:
        """Let each module end what it began, the last one first."""
        while self._done:
            function = getattr(self._done.pop(), "__umount__", None)
            if function is not None:
                function(self)

    def mounted_parts(self) -> list[Saddlery]:
        """Those that were taken in."""
        return [part for each in self._done if isinstance(each, Saddlery) for part in each.parts()]

    def _carry_out(self, mount: Mount) -> None:
        debug: bool = self.debug  # type: ignore[attr-defined]
        if any(each is mount.thing for each in self._done) or (mount.options.get("debug_only") and not debug):
            return
        self._done.append(mount.thing)
        if isinstance(mount.thing, Saddlery):
            self._take_in(mount, mount.thing)
            return
        function = _mounter(mount.thing)
        mount.thing.__mntopt__ = mount.options
        self.current = mount
        try:
            function(self)
        finally:
            self.current = None

    def _take_in(self, mount: Mount, part: Saddlery) -> None:
        for piece in part.pieces(mount.path):
            self.add_route(  # type: ignore[attr-defined]
                piece.rule,
                piece.function,
                piece.options,
                name=mount.namespace + piece.function.__name__,
                scope=piece.scope,
            )

    def _own_services(self) -> list[ModuleType]:
        """Modules of the folder `services` that were imported, by their names."""
        folder = os.path.join(self.home, "services") + os.sep  # type: ignore[attr-defined]
        found = {}
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and path.startswith(folder) and _mounter_or_none(module) is not None:
                found[path] = module
        return [found[path] for path in sorted(found)]


def _part_of(module: Any, name: str) -> Saddlery:
    part = getattr(module, name, None)
    if not isinstance(part, Saddlery):
        raise MountError(f"{getattr(module, '__name__', module)} has no Saddlery of the name {name!r}")
    return part


def _mounter_or_none(module: Any) -> Callable[[Any], Any] | None:
    found = getattr(module, "__mount__", None) or getattr(module, "mount", None)
    return found if callable(found) else None


def _mounter(module: Any) -> Callable[[Any], Any]:
    function = _mounter_or_none(module)
    if function is None:
        raise MountError(f"{getattr(module, '__name__', module)} has no function __mount__(app)")
    return function
