"""Which route answers a path and a method: a table of the paths that are one path each, and a tree of the others,
walked a step a segment. What that costs does not depend on how many routes there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from skitaid.atila.routing.patterns import KINDS, Literal, Mixed, Pattern, Segment, Variable
from skitaid.atila.routing.routes import Route

__all__ = ["Missing", "Router"]

_DEEPEST: Final = 64
"""Segments of a path that are looked at one by one; no route of values is longer."""


@dataclass(frozen=True, slots=True)
class Missing:
    """No route answers. `allow`: the methods that the path takes; empty: there is nothing at the path. `folder`: there
    would be with a slash at its end."""

    allow: tuple[str, ...] = ()
    folder: bool = False


class _Resource:
    """The routes of one path. A method has the route that was made first."""

    __slots__ = ("any_route", "by_method", "routes")

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.by_method: dict[str, Route] = {}
        self.any_route: Route | None = None

    def add(self, route: Route) -> None:
        self.routes.append(route)
        methods = route.options.methods
        if methods is None:
            self.any_route = self.any_route or route
        else:
            for method in methods:
                self.by_method.setdefault(method, route)

    def find(self, method: str) -> Route | None:
        found = self.by_method.get(method) or self.any_route
        if found is None and method == "OPTIONS":
            # The app answers it in the name of any of them.
            found = self.routes[0]
        return found


class _Node:
    """A place in the tree: what follows it, and what ends here."""

    __slots__ = ("literals", "mixed", "resource", "variables")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.mixed: dict[str, tuple[Mixed, _Node]] = {}
        self.variables: dict[str, tuple[Variable, _Node]] = {}
        self.resource: _Resource | None = None

    def next(self, segment: Segment) -> _Node:
        """The place after `segment`, made if it is new."""
        if isinstance(segment, Literal):
            return self.literals.setdefault(segment.text, _Node())
        if isinstance(segment, Mixed):
            return self.mixed.setdefault(_shape(segment), (segment, _Node()))[1]
        found = self.variables.setdefault(segment.kind, (segment, _Node()))[1]
        # Tried in this order, whatever came first.
        self.variables = {kind: self.variables[kind] for kind in KINDS if kind in self.variables}
        return found


class Router:
    """The routes of an app."""

    def __init__(self) -> None:
        self._static: dict[str, _Resource] = {}
        self._root = _Node()

    def add(self, route: Route) -> None:
        """A route more. The same path and method again: the first stays."""
        self._put(route.pattern, route)
        if route.may_lack_last:
            shorter = route.pattern.without_last()
            if shorter is not None:
                self._put(shorter, route)
                self._put(Pattern(shorter.rule + "/", shorter.segments, True), route)

    def find(self, path: str, method: str) -> tuple[Route, dict[str, Any]] | Missing:
        """The route and the values in the path. `path` begins with a slash or is empty; text, not percent-encoded."""
        resource = self._static.get(path)
        allow: list[str] = []
        if resource is not None:
            route = resource.find(method)
            if route is not None:
                return route, {}
            allow += resource.by_method
        for resource, values in self._walk(self._root, path.split("/", _DEEPEST), 1, ()):
            route = resource.find(method)
            if route is not None and _is_whole(route, values):
                return route, dict(zip(route.names, values, strict=False))
            if route is None:
                allow += resource.by_method
        return Missing(tuple(dict.fromkeys(allow)), not allow and self._has_folder(path))

    def allowed(self, path: str) -> tuple[str, ...] | None:
        """The methods that a path takes; None: some route there takes any."""
        found: list[Route] = [*self._static[path].routes] if path in self._static else []
        for resource, values in self._walk(self._root, path.split("/", _DEEPEST), 1, ()):
            found += [route for route in resource.routes if _is_whole(route, values)]
        methods: set[str] = set()
        for route in found:
            if route.options.methods is None:
                return None
            methods |= route.options.methods
        return tuple(sorted(methods))

    def _put(self, pattern: Pattern, route: Route) -> None:
        if pattern.is_static:
            self._static.setdefault(pattern.rule, _Resource()).add(route)
            return
        node = self._root
        for segment in pattern.segments:
            node = node.next(segment)
        if pattern.is_folder:
            node = node.next(Literal(""))
        if node.resource is None:
            node.resource = _Resource()
        node.resource.add(route)

    def _walk(
        self, node: _Node, parts: list[str], at: int, values: tuple[Any, ...]
    ) -> Iterator[tuple[_Resource, tuple[Any, ...]]]:
        """All that fit, the most exact first."""
        if at == len(parts):
            if node.resource is not None:
                yield node.resource, values
            return
        part = parts[at]
        literal = node.literals.get(part)
        if literal is not None:
            yield from self._walk(literal, parts, at + 1, values)
        for mixed, after in node.mixed.values():
            several = mixed.read(part)
            if several is not None:
                yield from self._walk(after, parts, at + 1, (*values, *several))
        for kind, (variable, after) in node.variables.items():
            if kind == "path":
                assert after.resource is not None
                yield after.resource, (*values, "/".join(parts[at:]))
            elif (value := variable.read(part)) is not None:
                yield from self._walk(after, parts, at + 1, (*values, value))

    def _has_folder(self, path: str) -> bool:
        if path.endswith("/"):
            return False
        if path + "/" in self._static:
            return True
        return any(
            values[-1:] != ("",) for _, values in self._walk(self._root, [*path.split("/", _DEEPEST), ""], 1, ())
        )


def _is_whole(route: Route, values: tuple[Any, ...]) -> bool:
    """Whether no value is missing that has no default: the rest of a path may be empty."""
    return route.may_lack_last or not values or values[-1] != ""


def _shape(segment: Mixed) -> str:
    """The same for two segments that take the same texts, whatever the names of their values."""
    return "".join(
        f"<{piece.kind}>" if isinstance(piece, Variable) else piece.text.replace("<", "<<") for piece in segment.pieces
    )
