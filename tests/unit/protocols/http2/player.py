"""A server without an app: it writes down what it is told, and sends what the test says."""

from __future__ import annotations

from collections.abc import Sequence

from hpack import Decoder, Encoder

from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http2.errors import StreamFault
from skitaid.protocols.http2.flow import Flow
from skitaid.protocols.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    frame,
    frame_header,
)
from skitaid.protocols.http2.limits import Http2Limits
from skitaid.protocols.http2.outflow import Outflow
from skitaid.protocols.http2.server import Http2Server
from skitaid.protocols.http2.settings import PeerSettings, settings_frame

__all__ = ["GET", "Frame", "Played", "get", "post", "read_frames", "start"]

GET = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "example.com")]
Fields = Sequence[tuple[str | bytes, str | bytes]]
Frame = tuple[int, int, int, bytes]
"""Type, flags, stream, payload."""


def read_frames(data: bytes) -> list[Frame]:
    """Whole frames."""
    found, at = [], 0
    while at < len(data):
        high, low, kind, flags, stream_id = frame_header(data, at)
        size = (high << 16) + low
        found.append((kind, flags, stream_id, data[at + 9 : at + 9 + size]))
        assert len(found[-1][3]) == size
        at += 9 + size
    return found


class Played:
    """`calls`: what the receiver was told, pieces of a body that follow each other as one."""

    def __init__(self, limits: Http2Limits | None = None) -> None:
        self.limits = limits or Http2Limits()
        self.calls: list[tuple[object, ...]] = []
        self.heads: list[RequestHead] = []
        self.out = Outflow()
        self.server: Http2Server[Flow] = Http2Server(self, self.limits)
        self.encoder = Encoder()
        self.decoder = Decoder()

    # ------------------------------------------------------------ Receiver

    def open(self, stream_id: int) -> Flow:
        return Flow(stream_id, self.limits.stream_window, self.out.peer.initial_window)

    def may_open(self) -> bool:
        return len(self.server.flows) < self.limits.max_streams

    def request(self, stream: Flow, head: RequestHead) -> None:
        self.heads.append(head)
        self.calls.append(("request", stream.stream_id, head.line.method, head.line.target, stream.is_in_ended))

    def refuse(self, stream: Flow, error: ProtocolError) -> None:
        self.calls.append(("refuse", stream.stream_id, error.status))

    def body(self, stream: Flow, data: bytes) -> None:
        assert data, "a piece of a body is never empty"
        last = self.calls[-1]
        if last[:2] == ("body", stream.stream_id):
            assert isinstance(last[2], bytes)
            data = last[2] + data
            self.calls.pop()
        self.calls.append(("body", stream.stream_id, data))

    def end(self, stream: Flow, trailers: list[FieldLine]) -> None:
        self.calls.append(("end", stream.stream_id, tuple((line.name, line.value) for line in trailers)))

    def lost(self, stream: Flow, error: StreamFault) -> None:
        self.calls.append(("lost", stream.stream_id, error.code.name))

    def emit(self, frame: bytes) -> None:
        self.out.emit(frame)

    def open_window(self, stream: Flow | None, increment: int) -> None:
        self.out.open_window(stream, increment)

    def set_peer(self, peer: PeerSettings) -> None:
        self.out.set_peer(peer, list(self.server.flows.values()))

    # ------------------------------------------------------------ the test's side

    def block(self, fields: Fields) -> bytes:
        block: bytes = self.encoder.encode(fields, huffman=False)
        return block

    def headers(self, stream_id: int, fields: Fields = GET, flags: int = END_HEADERS | END_STREAM) -> bytes:
        return frame(HEADERS, flags, stream_id, self.block(fields))

    def feed(self, *frames: bytes) -> list[Frame]:
        """What is sent in answer."""
        for data in frames:
            self.server.feed(data)
        self.out.pump(1 << 30)
        return read_frames(self.out.take())

    def fields(self, sent: Frame) -> dict[str, str]:
        assert sent[0] in (HEADERS, CONTINUATION)
        return dict(self.decoder.decode(sent[3]))


def start(limits: Http2Limits | None = None, **settings: int) -> Played:
    """A connection whose client sent its preface; `settings` by number, as `s4=1`."""
    played = Played(limits)
    played.out.emit(played.server.begin())
    played.feed(PREFACE + settings_frame({int(name[1:]): value for name, value in settings.items()}))
    return played


def get(played: Played, stream_id: int = 1) -> Flow:
    played.feed(played.headers(stream_id))
    return played.server.flows[stream_id]


def post(played: Played, stream_id: int = 1, *fields: tuple[str, str]) -> Flow:
    """A request whose body is to come."""
    played.feed(played.headers(stream_id, [(":method", "POST"), *GET[1:], *fields], END_HEADERS))
    return played.server.flows[stream_id]


def data(stream_id: int, payload: bytes, *, is_end: bool = False) -> bytes:
    return frame(DATA, END_STREAM if is_end else 0, stream_id, payload)
