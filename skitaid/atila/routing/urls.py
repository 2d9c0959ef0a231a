"""URLs of an app's functions, by name or by function: `was.ab("add", 10, num2=60)` is `/math/add?num1=10&num2=60`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from skitaid.atila.requests.binding import Binder
from skitaid.atila.routing.routes import Route
from skitaid.exceptions import SkitaidError

__all__ = ["NoSuchRouteError", "UrlBuilder"]

Thing = str | Callable[..., Any]


class NoSuchRouteError(SkitaidError, KeyError):
    """The author of the app must act: no route has that name."""

    def __init__(self, name: str, nearest: str | None) -> None:
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"no route is named {name!r}{hint}")

    def __str__(self) -> str:
        return str(self.args[0])


class UrlBuilder:
    """Makes the URLs that lead to the functions of an app."""

    def __init__(self) -> None:
        self._by_name: dict[str, Route] = {}
        self._by_function: dict[Any, Route] = {}
        self._binders: dict[Route, Binder] = {}

    def add(self, route: Route) -> None:
        """The route that was made last for a function is the one that is built: that of the decorator on top."""
        self._by_name[route.name] = route
        self._by_function[route.function] = route

    def build(self, mount: str, thing: Thing, args: tuple[Any, ...], named: Mapping[str, Any]) -> str:
        """The URL path of a function with these arguments, below `mount`; that of a path that begins with a slash, as
        of static files. Raises NoSuchRouteError, TypeError for more arguments than the function takes."""
        if isinstance(thing, str) and (thing.startswith("/") or not thing):
            return mount + quote(thing) + _query(named)
        route = self._route(thing)
        values = self._values(route, args, named)
        path = {name: values.pop(name, self._binder(route).defaults.get(name)) for name in route.names}
        url = mount + route.pattern.build(path)
        if url.startswith("//"):
            # A value with a slash at its beginning: two would name another host (RFC 3986 section 4.2).
            url = "/" + url.lstrip("/")
        return url + _query(values)

    def base(self, mount: str, thing: Thing) -> str:
        """The path up to the first value in it. Raises NoSuchRouteError."""
        return mount + quote(self._route(thing).pattern.base)

    def parameters(self, thing: Thing) -> tuple[str, ...]:
        """The names that a function takes. Raises NoSuchRouteError."""
        return self._binder(self._route(thing)).names

    def _route(self, thing: Thing) -> Route:
        found = self._by_name.get(thing) if isinstance(thing, str) else self._by_function.get(thing)
        if found is None:
            import difflib  # for the message only

            name = thing if isinstance(thing, str) else getattr(thing, "__name__", repr(thing))
            nearest = difflib.get_close_matches(name, self._by_name, n=1)
            raise NoSuchRouteError(name, nearest[0] if nearest else None)
        return found

    def _binder(self, route: Route) -> Binder:
        if route not in self._binders:
            self._binders[route] = Binder(route.function)
        return self._binders[route]

    def _values(self, route: Route, args: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        names = self._binder(route).names
        if not names:
            names = route.names
        if len(args) > len(names):
            raise TypeError(f"{route.name} takes {len(names)} arguments in a URL, {len(args)} were given")
        return {**dict(zip(names, args, strict=False)), **named}


def _query(values: Mapping[str, Any]) -> str:
    given = [(name, value) for name, value in values.items() if value is not None]
    return "?" + urlencode(given, doseq=True, quote_via=quote) if given else ""
