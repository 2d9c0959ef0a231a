"""The front page: what this site serves, and beside each link the conf line that serves it.

The conf file is read for each request, so the page tells what the file says now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from conf_lines import DEFAULT_HOST, RouteLine, read_routes
from pages import not_found, page
from responses import Response, path_below, wsgi
from surroundings import conf_file, instance_name, log_folder

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_HERE = Path(__file__).parent
_VIRTUAL_HOST = ".sample.localhost"


@dataclass(frozen=True, slots=True)
class Card:
    """One thing to look at. `line` is "/hello = ../sample/hello", `where` "sample.conf:43"; both may be empty."""

    host: str
    path: str
    title: str
    text: str
    href: str = ""
    line: str = ""
    where: str = ""


_KNOWN = (
    Card(DEFAULT_HOST, "/", "This page", "A Python app at the root. It reads its own conf file to show these lines."),
    Card(DEFAULT_HOST, "/hello", "Plain WSGI", "One function and no framework. Add a name: /hello/you"),
    Card(DEFAULT_HOST, "/flask", "Flask", "A Flask app, unchanged. Its routes begin below the path it is mounted at."),
    Card(DEFAULT_HOST, "/guestbook", "Guestbook", "Entries in SQLite, in the folder where this site may write."),
    Card(DEFAULT_HOST, "/desk", "Atila", "A desk for files: signing in, uploads, an API, calls to other pages."),
    Card(DEFAULT_HOST, "/static", "Static files", "A folder: the style sheet, the script and the logo of this site."),
    Card(DEFAULT_HOST, "/live", "Request log as JSON", "What the live view below asks for every two seconds."),
    Card(_VIRTUAL_HOST, "/", "Virtual host", "Another site at the same address, chosen by the name in front of it."),
    Card(_VIRTUAL_HOST, "/static", "Its static files", "Each host has its own mounts; this one names the same folder."),
)


def front(environ: WSGIEnvironment) -> Response:
    path = path_below(environ)
    if path not in ("", "/"):
        return not_found(path)
    conf = conf_file()
    routes = _routes_of(conf)
    return page(
        "front.html",
        cards=[_with_link(card, environ) for card in cards(routes, conf.name if conf else "")],
        instance=instance_name(),
        conf=conf,
        is_conf_read=bool(routes),
        app_file=_HERE / "hello.py",
        log=log_folder(),
    )


app = wsgi(front)


def cards(routes: list[RouteLine], file_name: str) -> list[Card]:
    """A card for each line of the conf file, in its order; the known ones without lines when there are none."""
    known = {(card.host, card.path): card for card in _KNOWN}
    if not routes:
        return list(_KNOWN)
    return [_card(route, known.get((route.host, route.path)), f"{file_name}:{route.number}") for route in routes]


def _card(route: RouteLine, known: Card | None, where: str) -> Card:
    card = known or Card(route.host, route.path, route.path, "A line of your own.")
    return replace(card, line=route.text, where=where)


def _with_link(card: Card, environ: WSGIEnvironment) -> Card:
    path = card.path if card.path == "/" else f"{card.path}/"
    if card.host == DEFAULT_HOST:
        return replace(card, href=path)
    name = card.host.split()[0].lstrip(".")
    return replace(card, href=f"{environ['wsgi.url_scheme']}://{name}{_port(environ)}{path}")


def _port(environ: WSGIEnvironment) -> str:
    """ ":5000", from the Host header: it has the port that the browser used."""
    _, colon, port = environ.get("HTTP_HOST", "").rpartition(":")
    return f":{port}" if colon and port.isdecimal() else ""


def _routes_of(conf: Path | None) -> list[RouteLine]:
    try:
        return read_routes(conf.read_text("utf-8", "replace")) if conf else []
    except OSError:
        return []  # written as YAML, or not for this user to read: the page then shows the links alone
