"""Routes and their URLs, as an app has them: part of skitaid.atila.app.Atila."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any, Final, TypeVar

from skitaid.atila.requests.binding import Binder
from skitaid.atila.routing.patterns import RuleError, parse
from skitaid.atila.routing.router import Router
from skitaid.atila.routing.routes import Route, RouteOptions, methods_of
from skitaid.atila.routing.urls import UrlBuilder

__all__ = ["Routing", "read_options"]

_OPTIONS: Final = (
    "methods",
    "content_types",
    "authenticate",
    "access_control_allow_origin",
    "access_control_max_age",
)

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Routing:
    """The decorator `route` of an app, and the URLs of its functions. `mount_path`: where the app was mounted when it
    was asked last; "" for the root."""

    def __init__(self) -> None:
        self.router = Router()
        self.urls = UrlBuilder()
        self.mount_path = ""

    def route(
        self,
        rule: str,
        methods: Iterable[str] | str | None = None,
        content_types: Iterable[str] | str | None = None,
        **options: Any,
    ) -> Callable[[Decorated], Decorated]:
        """The function answers requests for the path `rule` (routing.patterns), of these methods and with bodies
        of these types; any if not given. `authenticate`: as app.authenticate, for this route.
        `access_control_allow_origin`, `access_control_max_age`: as those of the app. Raises RuleError."""

        def decorate(function: Decorated) -> Decorated:
            self.make_route(rule, function, read_options(methods, content_types, dict(options)))
            return function

        return decorate

    def make_route(self, rule: str, function: Callable[..., Any], options: RouteOptions) -> None:
        """A route that stands in the app's own code. Raises RuleError."""
        self.add_route(rule, function, options)

    def add_route(
        self, rule: str, function: Callable[..., Any], options: RouteOptions, *, name: str = "", scope: Any = None
    ) -> Route:
        """A route for a function. Raises RuleError."""
        pattern = parse(rule)
        variables = pattern.variables
        route = Route(pattern, function, name or getattr(function, "__name__", rule), options, scope=scope)
        if variables and isinstance(pattern.segments[-1], type(variables[-1])):
            route.may_lack_last = variables[-1].name in Binder(function).defaults
        route.routable = _routable(options)
        self.router.add(route)
        self.urls.add(route)
        return route

    def build_url(self, thing: Any, *args: Any, **named: Any) -> str:
        """The URL path of a function of this app, by itself or by its name, with these arguments."""
        return self.urls.build(self.mount_path, thing, args, named)

    ab = build_url

    def basepath(self, thing: Any) -> str:
        """The URL path of a function up to its first value."""
        return self.urls.base(self.mount_path, thing)


def read_options(methods: Any, content_types: Any, given: dict[str, Any]) -> RouteOptions:
    """What a decorator was given. `given` is emptied of what is known. Raises RuleError."""
    types = [content_types] if isinstance(content_types, str) else content_types
    origins = given.pop("access_control_allow_origin", None)
    max_age = given.pop("access_control_max_age", None)
    authenticate = given.pop("authenticate", None)
    _refuse_misspelt(given)
    return RouteOptions(
        methods=methods_of(methods),
        content_types=None if types is None else frozenset(each.lower() for each in types),
        allow_origin=None if origins is None else (origins,) if isinstance(origins, str) else tuple(origins),
        max_age_s=max_age,
        authenticate=authenticate,
        rest=MappingProxyType(given),
    )


def _refuse_misspelt(names: Iterable[str]) -> None:
    """An app may note whatever it likes with a route; but `autenticate="basic"` would leave one open. Raises
    RuleError."""
    for name in names:
        import difflib  # for these alone

        meant = difflib.get_close_matches(name, _OPTIONS, n=1)
        if meant:
            raise RuleError(f"a route is given {name}=, which does nothing; did you mean {meant[0]}=?")


def _routable(options: RouteOptions) -> dict[str, Any]:
    """was.request.routable."""
    return {
        "methods": None if options.methods is None else sorted(options.methods),
        "content_types": None if options.content_types is None else sorted(options.content_types),
        **options.rest,
    }
