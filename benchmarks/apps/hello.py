"""The WSGI app that every server runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

HELLO = b"Hello, World!"
JSON = (b'{"items": [' + b'{"id": 1234, "name": "an item", "value": "xxxxxxxxxxxxxxxxxxxx"}, ' * 160)[:10237] + b" 0]}"
SLEEP_S = 0.05
BURN_S = 0.02

StartResponse = Callable[..., Any]


def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Says hello, but at the paths of `_OTHERS`."""
    other = _OTHERS.get(environ["PATH_INFO"])
    if other is not None:
        return other(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [HELLO]


def _json(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(JSON)))])
    return [JSON]


def _post(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    answer = b"%d" % len(body)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]


def _sleep(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """An app that waits for a database."""
    time.sleep(SLEEP_S)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [HELLO]


def _burn(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """An app that computes: BURN_S of its own processor time, however long that takes."""
    end = time.thread_time() + BURN_S
    while time.thread_time() < end:
        pass
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [HELLO]


_OTHERS = {"/json": _json, "/post": _post, "/sleep": _sleep, "/burn": _burn}
