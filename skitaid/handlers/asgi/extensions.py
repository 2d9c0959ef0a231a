"""What an ASGI app may send beside its response (https://asgi.readthedocs.io/en/latest/extensions.html): hints before
it, and a promise of what belongs to it. Both are HTTP/2's, so they are offered to requests that came by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from skitaid.engine.stream import Stream
from skitaid.handlers.early_hints import send_hints
from skitaid.protocols.errors import ResponseError

__all__ = ["extensions", "take_extension"]

_HINT: Final = "http.response.early_hint"
_PUSH: Final = "http.response.push"


def extensions() -> dict[str, dict[str, Any]]:
    """For a scope, whose own they are."""
    return {_HINT: {}, _PUSH: {}}


def take_extension(stream: Stream, message: Mapping[str, Any]) -> bool:
    """Whether an event is one of these, and was offered; it is done then. Raises ResponseError."""
    if stream.head.line.version != "2":
        return False
    kind = message["type"]
    if kind == _HINT:
        send_hints(stream, [(b"link", bytes(link)) for link in message["links"]])
    elif kind == _PUSH:
        path = message.get("path")
        if not isinstance(path, str) or not path.startswith("/"):
            raise ResponseError(f"the path of http.response.push is {path!r}, expected a text that begins with '/'")
        stream.push(path)
    else:
        return False
    return True
