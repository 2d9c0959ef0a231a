"""A mount whose requests stay out of the request log (`log = no`). It stands in front of the mount's handler, so that
other mounts pay nothing for it."""

from __future__ import annotations

from skitaid.engine.stream import Stream
from skitaid.handlers.router import Route, RouteHandler

__all__ = ["Unlogged"]


class Unlogged:
    """A router.RouteHandler. What another route answers in the end, as a file is missing here, is logged."""

    def __init__(self, route: Route) -> None:
        """`route`: the mount as it would be without this."""
        assert route.handler is not None
        self._inner: RouteHandler = route.handler
        self._route = route

    def serve(self, stream: Stream, route: Route) -> bool:
        stream.is_logged = False
        if self._inner.serve(stream, self._route):
            return True
        stream.is_logged = True
        return False
