"""The body of a request that came by Upgrade: HTTP/1, on a connection that is HTTP/2's already."""

from __future__ import annotations

from typing import Protocol

from skitaid.engine.lane import Lane
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.server import Http1Server

__all__ = ["Prelude", "PreludeConnection"]


class PreludeConnection(Protocol):
    """The connection, as the prelude sees it."""

    def body(self, lane: Lane, data: bytes) -> None: ...
    def end(self, lane: Lane, trailers: list[FieldLine]) -> None: ...
    def leave_prelude(self, rest: bytes) -> None: ...


class Prelude:
    """The parser of HTTP/1 tells it of the preface."""

    def __init__(self, connection: PreludeConnection, lane: Lane, parser: Http1Server) -> None:
        self._connection = connection
        self._lane = lane
        self._parser = parser

    def request(self, head: RequestHead) -> None:
        """It was told of already; there is no other."""

    def body(self, data: bytes) -> None:
        self._connection.body(self._lane, data)

    def end(self, trailers: list[FieldLine]) -> None:
        rest, self._parser.held = self._parser.held, b""
        if not self._lane.is_in_ended:
            self._lane.is_in_ended = True
            self._connection.end(self._lane, trailers)
        self._connection.leave_prelude(rest)
