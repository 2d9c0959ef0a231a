"""What an app says about its templates: part of skitaid.atila.app.Atila."""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Templates", "Templating"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Templates:
    """Those of one folder. Jinja2 is imported when the first is asked for, and `prepare` called with its environment
    before anybody has it: the first requests may come at the same time."""

    def __init__(self, folder: str, *, auto_reload: bool, prepare: Callable[[Environment], None]) -> None:
        self.folder = folder
        self.auto_reload = auto_reload
        self._prepare = prepare
        self._lock = allocate_lock()
        self._environment: Environment | None = None
        self._chameleon: Any = None

    @property
    def environment(self) -> Environment:
        """Jinja2's Environment, made when it is first asked for."""
        if self._environment is None:
            with self._lock:
                if self._environment is None:
                    self._environment = self._make()
        return self._environment

    @environment.setter
    def environment(self, environment: Environment) -> None:
        self._environment = environment

    def _make(self) -> Environment:
        from skitaid.atila.templates.rendering import make_environment

        environment = make_environment(self.folder, auto_reload=self.auto_reload)
        self._prepare(environment)
        return environment

    def prepare_anew(self) -> None:
        """There is more to prepare it with; nothing happens if it is not made yet."""
        if self._environment is not None:
            self._prepare(self._environment)

    def get_template(self, name: str) -> Any:
        """Of Jinja2, or of Chameleon by its name. Raises jinja2.TemplateNotFound, NotInstalledError."""
        from skitaid.atila.templates.rendering import chameleon_loader, is_chameleon

        if not is_chameleon(name):
            return self.environment.get_template(name)
        if self._chameleon is None:
            self._chameleon = chameleon_loader(self.folder, auto_reload=self.auto_reload)
        return self._chameleon[name]


class Templating:
    """Filters, globals and the environment of templates: attributes and decorators of an app. They are in `templates`,
    beside the app's file."""

    home: str
    debug: bool
    use_reloader: bool

    def __init__(self) -> None:
        self._folders: dict[str, Templates] = {}
        self._globals: dict[str, Callable[..., Any]] = {}
        self._filters: dict[str, Callable[..., Any]] = {}

    def templates_of(self, folder: str) -> Templates:
        """The templates of any folder, with what the app adds to all of its own."""
        found = self._folders.get(folder)
        if found is None:
            made = Templates(folder, auto_reload=self.debug or self.use_reloader, prepare=self._prepare)
            found = self._folders.setdefault(folder, made)
        return found

    @property
    def jinja_env(self) -> Environment:
        """Jinja2's environment of the app's templates."""
        return self._own.environment

    @property
    def _own(self) -> Templates:
        return self.templates_of(os.path.join(self.home, "templates"))

    def get_template(self, name: str) -> Any:
        """A template of the app. Raises jinja2.TemplateNotFound."""
        return self._own.get_template(name)

    def jinja_overlay(self, *args: str, **options: Any) -> None:
        """Have templates written with other signs: options of Jinja2's Environment.overlay by name; or by position
        line_statement, variable_string, block_start_string and block_end_string, which are %, #, {% and } if nothing is
        given. Raises TypeError."""
        from skitaid.atila.templates.rendering import make_overlay

        self._own.environment = make_overlay(self._own.environment, args, options)

    def template_global(self, name: Any = None) -> Any:
        """`@app.template_global("name")`: `function(was, ...)`, which templates call `name(...)`."""
        return self._adding(self._globals, name)

    def template_filter(self, name: Any = None) -> Any:
        """`@app.template_filter("name")`: `function(value)`, which templates write `value | name`."""
        return self._adding(self._filters, name)

    def _adding(self, place: dict[str, Callable[..., Any]], name: Any) -> Any:
        def add(function: Decorated) -> Decorated:
            place[name if isinstance(name, str) else function.__name__] = function
            for templates in list(self._folders.values()):
                templates.prepare_anew()
            return function

        return add(name) if callable(name) else add

    def _prepare(self, environment: Environment) -> None:
        if self._globals:
            from skitaid.atila.templates.rendering import template_global

            environment.globals.update({name: template_global(each) for name, each in self._globals.items()})
        environment.filters.update(self._filters)
