"""A response as a value, and the few rules that each app of the sample keeps. Standard library only.

An app is written as a function from the environ to a `Response`; `wsgi` makes a WSGI callable (PEP 3333) of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

PROTECTION = (
    # Nothing from elsewhere and nothing inline: an entry that slipped through the escaping could still not run.
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
)


@dataclass(frozen=True, slots=True)
class Response:
    status: str
    body: bytes
    content_type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()

    def header_list(self) -> list[tuple[str, str]]:
        about_body = [("Content-Type", self.content_type), ("Content-Length", str(len(self.body)))]
        return [*about_body, *self.headers, *PROTECTION]


def wsgi(handler: Callable[[WSGIEnvironment], Response], *, methods: tuple[str, ...] = ("GET",)) -> WSGIApplication:
    """`handler` as a WSGI app. HEAD is answered where GET is, without a body; other methods with 405."""
    allowed = (*methods, "HEAD") if "GET" in methods else methods

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        response = handler(environ) if method in allowed else _method_not_allowed(allowed)
        start_response(response.status, response.header_list())
        return [] if method == "HEAD" else [response.body]

    return app


def path_below(environ: WSGIEnvironment) -> str:
    """The path below the mount point, as text: PEP 3333 hands bytes over as latin-1."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode("utf-8", "replace")


def _method_not_allowed(allowed: tuple[str, ...]) -> Response:
    names = ", ".join(allowed)
    body = f"Here only {names} can be answered.\n".encode()
    return Response("405 Method Not Allowed", body, TEXT, (("Allow", names),))
