"""A plain WSGI app: one function, nothing to install. Mounted at /hello, it greets whoever the rest of the path names.

Change the text, save, and load the page again: `make run` has reloaded the app by then.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{greeting}</title>
<link rel="stylesheet" href="/static/style.css">
<link rel="icon" href="/static/logo.svg" type="image/svg+xml">
<main class="narrow">
<p class="crumb"><a href="/">skitaid sample</a></p>
<h1>{greeting}</h1>
<p>This page is made by one Python function. The server told it:</p>
<table class="facts">
{rows}
</table>
</main>
</html>
"""
FACTS = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_HOST", "SERVER_PROTOCOL")


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Type", "text/plain")])
        return [b"Here only GET and HEAD can be answered.\n"]
    body = page(environ).encode()
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def page(environ: WSGIEnvironment) -> str:
    facts = {name: as_text(environ.get(name, "")) for name in FACTS}
    facts["Process, thread"] = f"{os.getpid()}, {threading.current_thread().name}"
    name = facts["PATH_INFO"].strip("/") or "world"
    greeting = f"{os.environ.get('GREETING', 'Hello')}, {name}"
    rows = (f"<tr><th scope=row>{escape(name)}<td>{escape(value)}" for name, value in facts.items())
    return PAGE.format(greeting=escape(greeting), rows="\n".join(rows))


def as_text(value: str) -> str:
    """PEP 3333 hands over bytes as latin-1; a path or a name is UTF-8 nearly always."""
    return value.encode("latin-1").decode("utf-8", "replace")
