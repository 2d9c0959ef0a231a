"""Pages from templates/, by Jinja2. Everything that goes into a page is escaped."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from responses import Response

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, *, status: str = "200 OK", **values: object) -> Response:
    """`template` filled with `values`. Browsers may keep the page but ask each time whether it changed."""
    body = _environment.get_template(template).render(values).encode()
    return Response(status, body, headers=(("Cache-Control", "no-cache"),))


def not_found(path: str) -> Response:
    return page("not_found.html", status="404 Not Found", path=path)
