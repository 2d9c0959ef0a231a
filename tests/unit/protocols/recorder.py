"""A receiver that writes down what it is told, so that tests can compare calls."""

from __future__ import annotations

from collections.abc import Iterable

from skitaid.protocols.headers import FieldLine
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.server import Http1Server, State

Call = tuple[str, ...] | tuple[str, bytes] | tuple[str, tuple[tuple[bytes, bytes], ...]]


class Recorder:
    """`calls` holds a request as ("request", method, target), adjacent pieces of a body as one ("body", bytes), and
    the end as ("end", trailers). `heads` holds the heads themselves."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.heads: list[RequestHead] = []

    def request(self, head: RequestHead) -> None:
        self.heads.append(head)
        self.calls.append(("request", head.line.method, head.line.target))

    def body(self, data: bytes) -> None:
        assert data, "a piece of a body is never empty"
        last = self.calls[-1]
        if last[0] == "body":
            assert isinstance(last[1], bytes)
            self.calls[-1] = ("body", last[1] + data)
        else:
            self.calls.append(("body", data))

    def end(self, trailers: list[FieldLine]) -> None:
        self.calls.append(("end", tuple((line.name, line.value) for line in trailers)))


def play(pieces: Iterable[bytes]) -> Recorder:
    """What a server that answers everything at once makes of bytes that come in `pieces`. Raises ProtocolError."""
    recorder = Recorder()
    server = Http1Server(recorder)
    for piece in pieces:
        server.feed(piece)
        proceed_all(server)
    return recorder


def proceed_all(server: Http1Server) -> None:
    """Answer the request that is complete, and those that wait behind it."""
    while server.state is State.COMPLETE:
        server.proceed()
