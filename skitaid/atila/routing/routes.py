"""A route: a path, the methods it takes, and the function that answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from skitaid.atila.routing.patterns import Pattern

__all__ = ["Route", "RouteOptions", "methods_of"]


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """What `@app.route` is given besides the path. None: not said."""

    methods: frozenset[str] | None = None
    content_types: frozenset[str] | None = None
    allow_origin: tuple[str, ...] | None = None
    max_age_s: int | None = None
    authenticate: Any = None
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Route:
    """A path and the function that answers it. `name` is that by which URLs are built: the function's, with its
    module's namespace before it. `plan` is what the app makes of it at the first request
    (skitaid.atila.dispatch.answering.Plan). `may_lack_last`: the last value has a default."""

    pattern: Pattern
    function: Callable[..., Any]
    name: str
    options: RouteOptions
    names: tuple[str, ...] = ()
    may_lack_last: bool = False
    plan: Any = None
    scope: Any = None
    routable: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = tuple(each.name for each in self.pattern.variables)


def methods_of(methods: Iterable[str] | str | None) -> frozenset[str] | None:
    """As a route has them: in upper case; GET brings HEAD. None: any."""
    if methods is None:
        return None
    given = {methods} if isinstance(methods, str) else set(methods)
    upper = {each.upper() for each in given}
    return frozenset(upper | {"HEAD"}) if "GET" in upper else frozenset(upper)
