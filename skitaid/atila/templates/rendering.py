"""Pages from templates: `was.render`, with Jinja2, or with Chameleon for files named .pt and .ptal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, pass_context
from jinja2.runtime import Context as TemplateContext

from skitaid.atila.contracts import Was
from skitaid.atila.templates.overlay import OverlayEnvironment, overlay_options

__all__ = [
    "NotInstalledError",
    "make_environment",
    "make_overlay",
    "render",
    "render2",
    "render_beside",
    "template_global",
]

_PLAIN_TEXT: Final = (".txt", ".text", ".md", ".csv")
_CHAMELEON: Final = (".pt", ".ptal")
_rendering: Final[ContextVar[Any]] = ContextVar("skitaid.atila.rendering", default=None)


class NotInstalledError(ImportError):
    """A template needs a package that is not installed; whoever installs the app must act."""


class _Current:
    """`was` where a template has no context: in a macro that another template imports."""

    def __getattr__(self, name: str) -> Any:
        was = _rendering.get()
        if was is None:
            raise AttributeError(f"was.{name}: no page is being made here")
        return getattr(was, name)


def make_environment(folder: str, *, auto_reload: bool) -> Environment:
    """Of the templates below `folder`. What is put in a page is escaped, but in those of plain text, by their names."""
    environment = OverlayEnvironment(
        loader=FileSystemLoader(folder),
        autoescape=lambda name: name is None or not name.lower().endswith(_PLAIN_TEXT),
        auto_reload=auto_reload,
    )
    environment.globals["was"] = _Current()
    return environment


def make_overlay(environment: Environment, args: tuple[str, ...], named: dict[str, Any]) -> Environment:
    """The same templates with other signs (`app.jinja_overlay`). Raises TypeError."""
    return environment.overlay(**overlay_options(args, named))


def template_global(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a template calls `name(...)`, and is `function(was, ...)`."""

    @pass_context
    @wraps(function)
    def call(context: TemplateContext, *args: Any, **named: Any) -> Any:
        return function(context.resolve("was"), *args, **named)

    return call


def render(was: Was, template: str, values: Mapping[str, Any] | None = None, /, **named: Any) -> str:
    """`was.render`: the page that a template of the app makes of values, given as a dict or by name. The template has
    `was` besides. Raises TypeError for both, jinja2.TemplateNotFound."""
    return _render(was, was.app, template, values, named)


def render2(was: Was, template: str, values: Mapping[str, Any] | None = None, /, **named: Any) -> str:
    """`was.render2`: as `render`, with the templates beside the module whose function answers."""
    return render_beside(was, was.request.routed_function.__module__, template, values, **named)


def render_beside(
    was: Was, module_name: str, template: str, values: Mapping[str, Any] | None = None, /, **named: Any
) -> str:
    """As `render`, with the templates beside a module."""
    module = sys.modules.get(module_name)
    folder = os.path.join(os.path.dirname(os.path.abspath(getattr(module, "__file__", None) or ".")), "templates")
    return _render(was, was.app.templates_of(folder), template, values, named)


def _render(was: Was, source: Any, template: str, values: Mapping[str, Any] | None, named: dict[str, Any]) -> str:
    if values is not None and named:
        raise TypeError("give a template its values as a dict or by name, not both")
    context = {"was": was, **(named if values is None else values)}
    announce = getattr(was.app, "template_rendering", None)
    if announce is not None:
        announce(was, template, context)
    token = _rendering.set(was)
    try:
        return str(source.get_template(template).render(**context))
    finally:
        _rendering.reset(token)


def is_chameleon(template: str) -> bool:
    """Whether it is one of Chameleon's."""
    return template.endswith(_CHAMELEON)


def chameleon_loader(folder: str, *, auto_reload: bool) -> Any:
    """Gives templates of Chameleon by their names. Raises NotInstalledError."""
    try:
        from chameleon import PageTemplateLoader  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise NotInstalledError("templates named .pt need Chameleon: pip install chameleon") from error
    return PageTemplateLoader(folder, auto_reload=auto_reload)
