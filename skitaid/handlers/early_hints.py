"""`wsgi.early_hints`: what an app says before its response (RFC 8297)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from skitaid.engine.errors import ClientGoneError
from skitaid.engine.stream import Stream
from skitaid.was.context import bound_request

__all__ = ["early_hints", "send_hints"]

_STATUS: Final = "103 Early Hints"
_HTTP_2: Final = "2"


def early_hints(fields: Sequence[tuple[str, str]]) -> None:
    """Send `103 Early Hints` with these fields, such as `("Link", "</style.css>; rel=preload; as=style")`, to the
    client of the request that this thread works on. Nothing is sent once the response has begun, nor by HTTP/1, where
    too many clients take it for the response. Raises ResponseError.

    One function for all requests: which one is meant is known to the thread, so offering it costs a request nothing.
    """
    bound = bound_request()
    stream = getattr(bound, "stream", None)
    if stream is not None:
        send_hints(stream, list(fields))


def send_hints(stream: Stream, fields: Sequence[tuple[str, str]] | Sequence[tuple[bytes, bytes]]) -> None:
    """The same for a stream. Raises ResponseError."""
    if stream.head.line.version == _HTTP_2:
        # Who has gone is met by the response.
        with suppress(ClientGoneError):
            stream.inform(_STATUS, fields)
