"""The handler of an instance: takes a request from the engine and gives it to the routes that the router names."""

from __future__ import annotations

from skitaid.engine.server import Engine
from skitaid.engine.stream import Fields, Stream
from skitaid.handlers.router import Route, RouteKind, Router
from skitaid.handlers.status import error_page

__all__ = ["Site"]


class Site:
    """What the engine asks for every request (`engine.server.Handler`): finds the route and has its handler answer.
    `engine` is set once both are made, since each needs the other."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.engine: Engine | None = None

    def dispatch(self, stream: Stream) -> None:
        """Try the routes in order."""
        head, router = stream.head, self.router
        head = head.frame or head
        routed = head.routed
        if routed is not None and routed[0] is router:
            routes = routed[1]
        else:
            routes = router.match(head.host, head.line.path)
            head.routed = router, routes
        for route in routes:
            handler = route.handler
            if handler is not None and handler.serve(stream, route):
                return
        self._nobody(stream, routes)

    def error_page(self, stream: Stream | None, code: int, text: str) -> tuple[str, Fields, bytes]:
        return error_page(stream, code, text)

    def _nobody(self, stream: Stream, routes: tuple[Route, ...]) -> None:
        """No route answered."""
        engine = self.engine
        assert engine is not None
        line = stream.head.line
        if line.target == "*":
            stream.respond("204 No Content", [("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")], b"")
        elif line.method == "CONNECT":
            engine.respond_error(stream, 405, "This server is not a proxy.")
        elif line.method not in ("GET", "HEAD") and any(route.kind is RouteKind.STATIC for route in routes):
            self._no_method(stream)
        else:
            engine.respond_error(stream, 404, "There is nothing at this address.")

    @staticmethod
    def _no_method(stream: Stream) -> None:
        """Only files are mounted there, and what is asked for can't be done with files."""
        allow = ("Allow", "GET, HEAD, OPTIONS")
        if stream.head.line.method == "OPTIONS":
            stream.respond("204 No Content", [allow], b"")
            return
        status, fields, body = error_page(stream, 405, "Files are for GET and HEAD only.")
        stream.respond(status, [*fields, allow], body)
