"""Requests that no function answers: redirections to a folder, methods that a path does not take, OPTIONS."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from skitaid.atila.contracts import Was
from skitaid.atila.responses.reply import Reply
from skitaid.atila.routing.router import Missing, Router
from skitaid.atila.security.cors import Cors
from skitaid.atila.values import as_told
from skitaid.was.errors import HTTPError

__all__ = ["options_reply", "reply_to_missing"]

_ALL = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def reply_to_missing(was: Was, router: Router, missing: Missing) -> Any:
    """A response, or the route and values of another path that stands for this one. Raises HTTPError 404."""
    environ = was.env
    path = _path_of(environ)
    method = environ["REQUEST_METHOD"]
    if missing.allow:
        allow = ", ".join(sorted({*missing.allow, "OPTIONS"}))
        return Reply("405 Method Not Allowed", None, [("Allow", allow)])
    if path == "/" and not environ.get("SCRIPT_NAME"):
        # A route "" of an app at the root of a host: a request's path is never empty.
        found = router.find("", method)
        if not isinstance(found, Missing):
            return found
    if missing.folder:
        if method in ("GET", "HEAD"):
            return _redirect(environ)
        found = router.find(path + "/", method)
        if not isinstance(found, Missing):
            return found
    raise HTTPError("404 Not Found", f"{environ.get('SCRIPT_NAME', '')}{as_told(path)} is not here")


def options_reply(was: Was, router: Router, cors: Cors | None) -> Reply:
    """What a path takes, and to browsers of allowed origins what they may send."""
    found = router.allowed(_path_of(was.env))
    methods = _ALL if found is None else tuple(sorted({*found, "OPTIONS"}))
    fields = [("Allow", ", ".join(methods))]
    if cors is not None:
        fields += cors.preflight(was.env, methods)
    return Reply("200 OK", "", fields)


def _path_of(environ: dict[str, Any]) -> str:
    path: str = environ["PATH_INFO"]
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")


def _redirect(environ: dict[str, Any]) -> Reply:
    path = quote((environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]).encode("latin-1")) + "/"
    query = environ.get("QUERY_STRING")
    # One slash at its beginning alone: two would name another host.
    location = "/" + path.lstrip("/") + (f"?{query}" if query else "")
    return Reply("301 Moved Permanently", "", [("Location", location)])
