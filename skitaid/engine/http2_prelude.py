"""The body of a request that came by Upgrade: HTTP/1, on a connection that is HTTP/2's already."""

from __future__ import annotations

from typing import Protocol

from skitaid.engine.http2_stream import Http2Stream
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.server import Http1Server

__all__ = ["Prelude", "PreludeConnection"]


class PreludeConnection(Protocol):
    """The connection, as the prelude sees it."""

    def body(self, h2_stream: Http2Stream, data: bytes) -> None: ...
    def end(self, h2_stream: Http2Stream, trailers: list[FieldLine]) -> None: ...
    def leave_prelude(self, rest: bytes) -> None: ...


class Prelude:
    """The parser of HTTP/1 tells it of the preface."""

    def __init__(self, connection: PreludeConnection, h2_stream: Http2Stream, parser: Http1Server) -> None:
        self._connection = connection
        self._stream = h2_stream
        self._parser = parser

    def request(self, head: RequestHead) -> None:
        """It was told of already; there is no other."""

    def body(self, data: bytes) -> None:
        self._connection.body(self._stream, data)

    def end(self, trailers: list[FieldLine]) -> None:
        rest, self._parser.held = self._parser.held, b""
        if not self._stream.is_in_ended:
            self._stream.is_in_ended = True
            self._connection.end(self._stream, trailers)
        self._connection.leave_prelude(rest)
