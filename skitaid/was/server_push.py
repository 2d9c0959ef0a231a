"""`was.push`: what a page needs, offered before its browser asks."""

from __future__ import annotations

from urllib.parse import urlsplit

from skitaid.was.context import bound_request

__all__ = ["push"]


def push(uri: str) -> None:
    """Offer `uri` to the client along with the response, where the protocol knows how (HTTP/2 server push, RFC 9113
    section 8.4). HTTP/1 does not, and most browsers decline: nothing happens then. `uri` is a path, or a URL of which
    the path counts; before the response is sent."""
    bound = bound_request()
    stream = getattr(bound, "stream", None)
    if stream is not None:
        parts = urlsplit(uri)
        stream.push(parts.path + (f"?{parts.query}" if parts.query else ""))
