"""The WSGI app under an ASGI server."""

from __future__ import annotations

from a2wsgi import WSGIMiddleware
from hello import app as wsgi_app

app = WSGIMiddleware(wsgi_app, workers=4)
