"""`was` in an app of Atila: one request, and what an app may use while it answers it.

What is not here is made when it is first asked for (`attributes`), or is a service of skitaid.was.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from weakref import proxy

import skitaid.was as services
from skitaid.atila.app_registry import APPS
from skitaid.atila.attributes import METHODS, OBJECTS, PROPERTIES, load
from skitaid.atila.requests.request import Request
from skitaid.atila.responses.response import Response
from skitaid.atila.wac import REGISTERED
from skitaid.was.context import Bound, bound_request
from skitaid.was.context import cell as cell_of_thread
from skitaid.was.services import SERVICES

__all__ = ["BoundEvents", "Context", "Foreign", "Globals", "bind"]

EVOK: Final = 0
EVEXCEPT: Final = 1
EVREQEND: Final = 2


class BoundEvents:
    """What a function bound to its own request."""

    def __init__(self) -> None:
        self._functions: tuple[list[Callable[[Any], Any]], ...] = ([], [], [])

    def add(self, event: int, function: Callable[[Any], Any]) -> None:
        self._functions[event].append(function)

    def of(self, error: BaseException | None) -> list[Callable[[Any], Any]]:
        """Those to be called now that it went well, or failed."""
        return [*self._functions[EVOK if error is None else EVEXCEPT], *self._functions[EVREQEND]]


class Globals(SimpleNamespace):
    """`was.g`: whatever an app puts there, for the time of the request."""

    def __init__(self, was: Context) -> None:
        super().__init__()
        object.__setattr__(self, "_was", proxy(was))

    def bind(self, event: int, function: Callable[[Any], Any]) -> None:
        """Have `function(was)` called at the end of this request: EVOK if it went well, EVEXCEPT if not, EVREQEND in
        any case."""
        was: Context = self.__dict__["_was"]
        if was.bound is None:
            was.bound = BoundEvents()
        was.bound.add(event, function)

    def get(self, name: str, default: Any = None) -> Any:
        """What was put there."""
        return self.__dict__.get(name, default)


class Context:
    """`was`. `made_response` is its response, once it was asked for. `at_commit` functions are called with it before
    the head of the response is sent: what sets cookies adds itself there when it is changed. `route` and `values` are
    those of the path; `bound` is that of was.g.bind."""

    if TYPE_CHECKING:
        request: Request
        response: Response
        g: Globals
        temp: Globals
        cookie: Any
        session: Any
        mbox: Any

    made_response: Response | None = None
    at_commit: list[Callable[[Context], None]] | None = None
    bound: BoundEvents | None = None
    route: Any = None
    values: Any = None

    def __init__(self, app: Any, environ: dict[str, Any]) -> None:
        self.app = app
        self.env = environ

    def __getattr__(self, name: str) -> Any:
        """What is not there yet. Raises AttributeError."""
        make = _OWN.get(name)
        if make is not None:
            made = make(self)
        elif name in OBJECTS:
            made = load(OBJECTS[name])(self)
        elif name in METHODS:
            return partial(load(METHODS[name]), self)
        elif name in PROPERTIES:
            return load(PROPERTIES[name])(self)
        elif name in SERVICES:
            return getattr(services, name)
        elif name in REGISTERED:
            return REGISTERED[name]
        else:
            raise AttributeError(f"was has no {name!r}")
        setattr(self, name, made)
        return made

    # ------------------------------------------------------------ URLs

    def ab(self, thing: Any, *args: Any, **named: Any) -> str:
        """The URL path of a function, by itself or by its name, with these arguments; `"search:query"` is that of the
        app whose file is search.py; a path that begins with a slash is one below the app's mount point. Raises
        NoSuchRouteError."""
        urls, mount, thing = self._urls_of(thing)
        url: str = urls.build(mount, thing, args, named)
        return url

    build_url = ab

    def partial(self, thing: Any, **named: Any) -> str:
        """The URL path of a function with the arguments of this request, as far as it takes them, but for these."""
        urls, mount, thing = self._urls_of(thing)
        taken = urls.parameters(thing)
        now = {**self.request.URL, **self.request.PARAMS}
        url: str = urls.build(mount, thing, (), {name: value for name, value in now.items() if name in taken} | named)
        return url

    def basepath(self, thing: Any) -> str:
        """The URL path of a function up to its first value: `/user/` of `/user/<id>`."""
        urls, mount, thing = self._urls_of(thing)
        path: str = urls.base(mount, thing)
        return path

    # ------------------------------------------------------------ other apps

    def emit(self, event: str, *args: Any, **named: Any) -> None:
        """Tell those who listen in this app (`app.emit`)."""
        self.app.emit(event, *args, **named)

    def broadcast(self, event: str, *args: Any, **named: Any) -> None:
        """Tell those who listen in any app of this process (`app.broadcast`)."""
        self.app.broadcast(event, *args, **named)

    @property
    def apps(self) -> Any:
        """The apps of this process by the names of their files."""
        return APPS

    def _urls_of(self, thing: Any) -> tuple[Any, str, Any]:
        """The URLs of an app, where it is mounted, and what is asked for there."""
        if isinstance(thing, str) and ":" in thing:
            name, _, rest = thing.partition(":")
            if name in APPS:
                return APPS[name].urls, APPS[name].mount_path, rest
        return self.app.urls, self.env.get("SCRIPT_NAME", ""), thing

    def before_commit(self, function: Callable[[Context], None]) -> None:
        """Have `function(was)` called once when the response is known, while fields may still be set."""
        if self.at_commit is None:
            self.at_commit = []
        if function not in self.at_commit:
            self.at_commit.append(function)


def _make_response(was: Context) -> Response:
    made = was.made_response = Response(was)
    return made


_OWN: Final[dict[str, Callable[[Context], Any]]] = {
    "request": Request,
    "response": _make_response,
    "g": Globals,
    # The older name.
    "temp": lambda was: was.g,
}


class Foreign(Bound):
    """The request, under a server that is not ours."""

    __slots__ = ()

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.memory = None
        self.container = None


def bind(was: Context) -> bool:
    """Have `was` found by code that was not handed it. False: nobody does so yet here, and it is to be taken back when
    the request is answered (`unbind`)."""
    bound = bound_request()
    if bound is not None:
        bound.container = was
        return True
    foreign = Foreign(was.env)
    foreign.container = was
    cell_of_thread().bound = foreign
    return False


def unbind() -> None:
    """Take back what `bind` did."""
    cell_of_thread().bound = None
