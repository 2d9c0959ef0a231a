"""A part of an app in a module of its own: routes and hooks that an app takes in with `app.mount("/admin", admin,
"part")`. Newer apps have a function `__mount__(app)` in the module instead (skitaid.atila.mounting)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import skitaid.was as services
from skitaid.atila.dispatch.hooks import Hooks
from skitaid.atila.dispatch.preworks import Preworks
from skitaid.atila.lifecycle.stages import Lifecycle
from skitaid.atila.routing.declaring import read_options
from skitaid.atila.routing.routes import RouteOptions

__all__ = ["Package", "Piece", "Saddlery"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Piece(NamedTuple):
    """A route of a part. `scope`: the part, and those that it is in."""

    rule: str
    function: Callable[..., Any]
    options: RouteOptions
    scope: tuple[Hooks, ...]


class Saddlery(Hooks, Lifecycle, Preworks):
    """A part of an app: what a module or package that is mounted in it declares its own routes and hooks with. `name`:
    of its module, as that of an app, or the mount point (the older Package("/admin"))."""

    def __init__(self, name: str = "") -> None:
        Hooks.__init__(self)
        Lifecycle.__init__(self)
        self.mount_path = name if name.startswith("/") else ""
        self.module_name = "" if self.mount_path else name
        self._routes: list[tuple[str, Callable[..., Any], RouteOptions]] = []
        self._parts: list[tuple[str, Saddlery]] = []

    def route(
        self,
        rule: str,
        methods: Iterable[str] | str | None = None,
        content_types: Iterable[str] | str | None = None,
        **options: Any,
    ) -> Callable[[Decorated], Decorated]:
        """As app.route, below the part's mount point."""

        def decorate(function: Decorated) -> Decorated:
            self._routes.append((rule, function, read_options(methods, content_types, dict(options))))
            return function

        return decorate

    def render2(self, *args: Any, **values: Any) -> str:
        """As was.render, with the templates beside the part's module. `was` may be the first argument, or not."""
        from skitaid.atila.templates.rendering import render_beside

        was: Any = services if isinstance(args[0], str) else args[0]
        rest = args if was is services else args[1:]
        return render_beside(was, self.module_name, *rest, **values)

    def mount(self, path: str, module: Any, name: str = "part") -> None:
        """Take another part in. A path that begins with this part's own is one of the app's."""
        self._parts.append((path, getattr(module, name) if not isinstance(module, Saddlery) else module))

    def add_package(self, module: Any, name: str = "package") -> None:
        """The older form of mount: the part says where."""
        part = getattr(module, name)
        self._parts.append((part.mount_path, part))

    def pieces(self, path: str, scope: tuple[Hooks, ...] = ()) -> Iterator[Piece]:
        """All routes of this part and of those in it, when it is mounted at `path`."""
        base = path.rstrip("/")
        inner = (*scope, self)
        for rule, function, options in self._routes:
            yield Piece(base + rule, function, options, inner)
        for below, part in self._parts:
            is_absolute = bool(base) and (below + "/").startswith(base + "/")
            yield from part.pieces(below if is_absolute else base + below, inner)

    def parts(self) -> Iterator[Saddlery]:
        """This one and those in it."""
        yield self
        for _, part in self._parts:
            yield from part.parts()


Package = Saddlery
"""The name in the documents before 0.15."""
