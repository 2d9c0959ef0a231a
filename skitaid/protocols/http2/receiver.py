"""Whom a connection of HTTP/2 tells what came in."""

from __future__ import annotations

from typing import Protocol, TypeVar

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http2.errors import StreamFault
from skitaid.protocols.http2.flow import Flow
from skitaid.protocols.http2.settings import PeerSettings

__all__ = ["Receiver"]

_Stream = TypeVar("_Stream", bound=Flow)


class Receiver(Protocol[_Stream]):
    """Who is told what came in. All of it is called out of `feed`."""

    def open(self, stream_id: int) -> _Stream:
        """A new stream's record."""

    def may_open(self) -> bool:
        """Whether there is room for a stream more."""

    def request(self, stream: _Stream, head: RequestHead) -> None:
        """A head is complete; with `stream.is_in_ended` the request is."""

    def refuse(self, stream: _Stream, error: ProtocolError) -> None:
        """A head that is to be answered with an error."""

    def body(self, stream: _Stream, data: bytes) -> None:
        """Some of the request's body, never empty."""

    def end(self, stream: _Stream, trailers: list[FieldLine]) -> None:
        """The request is complete, after `request` or `body`. Not called for one that was complete with its head."""

    def lost(self, stream: _Stream, error: StreamFault) -> None:
        """The stream is over: the client gave it up, or broke a rule. It is closed already."""

    def emit(self, frame: bytes) -> None:
        """A frame is to be sent, after all that were to be sent before."""

    def open_window(self, stream: _Stream | None, increment: int) -> None:
        """More may be sent; None is for the connection. May raise ConnectionFault, StreamFault."""

    def set_peer(self, peer: PeerSettings) -> None:
        """The client's settings changed. May raise ConnectionFault."""
