"""The scope of a request (https://asgi.readthedocs.io, HTTP spec version 2.4): what an ASGI app is told of it.

0.9 µs for a request with two header fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from skitaid.engine.transaction import FIRST_LTXNID
from skitaid.handlers.asgi.extensions import extensions
from skitaid.handlers.client_certificate import tls_extension
from skitaid.handlers.router import Route

if TYPE_CHECKING:
    from skitaid.engine.listener import Listener
    from skitaid.engine.stream import Stream

__all__ = ["Scope", "ScopeMaker"]

Scope = dict[str, Any]

_VERSION: Final = {"version": "3.0", "spec_version": "2.4"}
_FIRST_LTXNID: Final = (b"x-ltxn-id", FIRST_LTXNID.encode())


class ScopeMaker:
    """For one app at one mount point. Every scope is its app's own, to the last dict and list in it: middleware may
    write to it."""

    def __init__(self) -> None:
        self._bases: dict[Listener, Scope] = {}

    def make(self, stream: Stream, route: Route, state: dict[str, Any]) -> Scope:
        """The scope; `state` is the app's of its lifespan, and copied."""
        connection = stream.connection
        head = stream.head
        line = head.line
        try:
            scope = self._bases[connection.listener].copy()
        except KeyError:
            scope = self._bases[connection.listener] = _base(connection.listener)
            scope = scope.copy()
        path = line.path
        scope["asgi"] = _VERSION.copy()
        scope["method"] = line.method
        scope["path"] = path if path.isascii() else _text(path)
        scope["raw_path"] = line.raw_path
        scope["query_string"] = line.raw_query
        scope["root_path"] = route.path if route.path.isascii() else _text(route.path)
        forwarded = stream.forwarded
        ltxnid = _FIRST_LTXNID if forwarded is None else (b"x-ltxn-id", forwarded.ltxnid.encode())
        scope["headers"] = [*head.fields.pairs, (b"x-gtxn-id", stream.gtxnid.encode()), ltxnid]
        if forwarded is None:
            scope["client"] = connection.client_address
        else:
            scope["client"] = forwarded.client_address or connection.client_address
            if forwarded.scheme:
                scope["scheme"] = forwarded.scheme
        scope["state"] = state.copy()
        scope["extensions"] = {}
        if connection.listener.asks_for_certificates:
            scope["extensions"]["tls"] = tls_extension(connection.secure)
        if line.version != "1.1":
            scope["http_version"] = line.version
            if line.version == "2":
                scope["extensions"].update(extensions())
        return scope


def _base(listener: Listener) -> Scope:
    """What is the same for every request that comes in by one listener, and room for the rest: a dict that need not
    grow is filled in half the time."""
    return {
        "type": "http", "asgi": None, "http_version": "1.1", "method": "", "scheme": listener.scheme, "path": "",
        "raw_path": b"", "query_string": b"", "root_path": "", "headers": None, "client": None,
        "server": listener.address, "state": None, "extensions": None,
    }  # fmt: skip


def _text(path: str) -> str:
    """A path whose escapes were decoded to bytes, as the text they are in UTF-8."""
    return path.encode("latin-1").decode("utf-8", "replace")
