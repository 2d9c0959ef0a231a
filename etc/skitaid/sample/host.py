"""The site of the virtual host. One app answers for sample.localhost and every name below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages import not_found, page
from responses import Response, path_below, wsgi

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_DOMAIN = "sample.localhost"


def host(environ: WSGIEnvironment) -> Response:
    path = path_below(environ)
    if path not in ("", "/"):
        return not_found(path)
    name, _, port = environ.get("HTTP_HOST", _DOMAIN).partition(":")
    return page("host.html", name=name, below=subdomain(name), port=f":{port}" if port else "")


app = wsgi(host)


def subdomain(name: str) -> str:
    """ "blue" of "blue.sample.localhost"; empty for the domain itself."""
    return name.lower().removesuffix(_DOMAIN).rstrip(".")
