"""The app object: a WSGI callable that is configured by attributes and decorators."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from threading import Event
from typing import Any

from skitaid.atila.app_registry import register
from skitaid.atila.configuration import BODY_LIMITS, Preferences, apply_preferences, bootstrap, make_config
from skitaid.atila.context import Context, bind, unbind
from skitaid.atila.dispatch.answering import Deferred, Plan, answer
from skitaid.atila.dispatch.hooks import Hooks
from skitaid.atila.dispatch.marks import Marks, read_marks
from skitaid.atila.dispatch.preworks import Preworks
from skitaid.atila.dispatch.sending import failure_of, respond
from skitaid.atila.lifecycle.events import Bus
from skitaid.atila.lifecycle.life import Life
from skitaid.atila.lifecycle.maintenance import Maintenance
from skitaid.atila.lifecycle.stages import Lifecycle
from skitaid.atila.mounting import Mounting
from skitaid.atila.responses.error_handlers import ErrorHandlers
from skitaid.atila.routing.declaring import Routing
from skitaid.atila.routing.missing import options_reply, reply_to_missing
from skitaid.atila.routing.router import Missing
from skitaid.atila.routing.routes import Route
from skitaid.atila.security.cors import Cors, cors_of
from skitaid.atila.security.declaring import Protecting
from skitaid.atila.store import Store
from skitaid.atila.templates.declaring import Templating
from skitaid.was.errors import HTTPError

__all__ = ["Atila", "Saddle"]


_PARTS = (Routing, Mounting, Hooks, ErrorHandlers, Preworks, Protecting, Templating, Lifecycle, Bus, Maintenance)


class Atila(  # each part is one concern
    Mounting, Routing, Hooks, ErrorHandlers, Preworks, Protecting, Templating, Lifecycle, Bus, Maintenance
):
    """An app. `app_name`: the name of its module, `Atila(__name__)`: its folder has templates, resources and services.

    `debug`: where an exception happened is shown to the client. `config`: the app's own settings, and limits in bytes.
    `access_control_allow_origin`: origins that may read what the app answers; `access_control_max_age` in seconds.
    """

    def __init__(self, app_name: str) -> None:
        for part in _PARTS:
            part.__init__(self)
        self.app_name = app_name
        self.home = _home_of(app_name)
        self.debug = False
        self.use_reloader = False
        self.config = make_config()
        self.access_control_allow_origin: list[str] | None = None
        self.access_control_max_age: int | None = None
        self._cors: tuple[Any, Cors | None] = (None, None)
        self.store = self.storage = Store()
        self._life = Life(self)
        register(_short_name(app_name, self.home), self)

    # ------------------------------------------------------------ settings

    @property
    def packagename(self) -> str:
        """The older name of app_name."""
        return self.app_name

    @property
    def max_client_body_size(self) -> int:
        """In bytes, of any body; to set it sets the limits of `config` for bodies of all kinds."""
        return max(int(self.config[name]) for name in BODY_LIMITS)

    @max_client_body_size.setter
    def max_client_body_size(self, size: int) -> None:
        self.config.update(dict.fromkeys(BODY_LIMITS, size))

    def set_preferences(self, preferences: Any) -> None:
        """What whoever runs the app sets goes before its own settings: attributes, and items of `config`."""
        apply_preferences(self, preferences)

    def mounted_at(self, path: str, preferences: Mapping[str, Any]) -> None:
        """The server calls it before the first request. `path` is "" for the root."""
        self.mount_path = path
        given = Preferences(preferences)
        bootstrap(self.app_name, given)
        self.set_preferences(given)
        self._life.begin()

    def get_resource(self, *parts: str) -> str:
        """The path of a file in the app's folder `resources`."""
        return os.path.join(self.home, "resources", *parts)

    def make_was(self) -> Context:
        """`was` outside of requests: for what the app does by itself."""
        return Context(self, {"SCRIPT_NAME": self.mount_path})

    # ------------------------------------------------------------ requests

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, as a WSGI app (PEP 3333)."""
        if not self._life.is_begun:
            self._life.begin()
        was = Context(self, environ)
        is_ours = bind(was)
        try:
            self.mount_path = environ.get("SCRIPT_NAME", "")
            content = self._answer(was)
            if type(content) is Deferred:
                later = _DeferredReply(self, was, content)
                return later if is_ours else later.wait(environ, start_response)  # type: ignore[return-value]
            return respond(was, content, start_response, self._cors_of(was))
        finally:
            if not is_ours:
                unbind()

    def _answer(self, was: Context) -> Any:
        environ = was.env
        try:
            path = environ["PATH_INFO"]
            method = environ["REQUEST_METHOD"]
            if not path.isascii():
                path = path.encode("latin-1").decode("utf-8", "replace")
            found: Any = self.router.find(path, method)
            if type(found) is Missing:
                found = reply_to_missing(was, self.router, found)
                if type(found) is not tuple:
                    return found
            route, values = found
            was.route, was.values = route, values
            plan = route.plan or self._plan(route)
            if method == "OPTIONS" and route.options.methods != {"OPTIONS"}:
                return options_reply(was, self.router, self._cors_of(was))
            if route.options.content_types is not None:
                _check_type(was)
            return answer(was, plan, values)
        except Exception as error:  # noqa: BLE001  # the root of a request
            return failure_of(error)

    def _plan(self, route: Route) -> Plan:
        marks = read_marks(route.function) or Marks()
        demanded = route.options.authenticate
        guards = marks.guards
        if demanded is not None or self.demanded:
            guards.insert(0, self.authentication_guard(demanded))
        scopes = (self,) if route.scope is None else (self, *route.scope)
        words = [each.name for each in route.pattern.variables if each.kind == "int"]
        plan = route.plan = Plan(route.function, scopes=scopes, guards=guards, after=marks.after, words=words)
        return plan

    def _cors_of(self, was: Context) -> Cors | None:
        """That of the route, or of the app."""
        route = was.route
        if route is not None and route.options.allow_origin is not None:
            return cors_of(route.options.allow_origin, route.options.max_age_s)
        origins = self.access_control_allow_origin
        if not origins:
            return None
        key = (tuple(origins), self.access_control_max_age)
        if self._cors[0] != key:
            self._cors = (key, cors_of(origins, self.access_control_max_age))
        return self._cors[1]


class _DeferredReply(Deferred):
    """A response that comes later, as the server is given it."""

    def __init__(self, app: Atila, was: Context, content: Deferred) -> None:
        self._app = app
        self._context = was
        self._content = content

    def when_ready(self, function: Callable[[], None]) -> None:
        """See Later."""
        self._content.when_ready(function)

    def make(self) -> Any:
        """See Later: a WSGI app, or another of this kind."""
        try:
            content = self._content.make()
        except Exception as error:  # noqa: BLE001  # the root of a request
            content = failure_of(error)
        if type(content) is Deferred:
            return _DeferredReply(self._app, self._context, content)

        def send(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            return respond(self._context, content, start_response, self._app._cors_of(self._context))

        return send

    def wait(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Under a server that can't wait without a thread: wait here."""
        made: Any = self
        while isinstance(made, _DeferredReply):
            ready = Event()
            made.when_ready(ready.set)
            ready.wait()
            made = made.make()
        sent: Iterable[bytes] = made(environ, start_response)
        return sent


Saddle = Atila
"""The name in the documents before 0.26."""


def _check_type(was: Context) -> None:
    types = was.route.options.content_types
    if types is not None and was.request.content_type not in types:
        raise HTTPError("415 Unsupported Media Type", f"expected {' or '.join(sorted(types))}")


def _home_of(app_name: str) -> str:
    """The folder of a module, of a package's file too; the current one for a name that is none."""
    path = getattr(sys.modules.get(app_name), "__file__", None)
    return os.path.dirname(os.path.abspath(path)) if path else os.getcwd()


def _short_name(app_name: str, home: str) -> str:
    path = getattr(sys.modules.get(app_name), "__file__", None)
    name = os.path.splitext(os.path.basename(path))[0] if path else app_name.rpartition(".")[2]
    return os.path.basename(home) if name == "__init__" else name
