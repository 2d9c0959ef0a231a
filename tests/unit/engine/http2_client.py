"""A client of HTTP/2 for the rig: the h2 package, which shares no code with the engine."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

from skitaid.engine.http2_connection import Http2Connection
from skitaid.protocols.http2.errors import ErrorCode
from skitaid.protocols.http2.frames import GOAWAY, HEADER_BYTES
from tests.unit.engine.rig import Rig

__all__ = ["Http2Client", "Response", "connect"]

Fields = Iterable[tuple[str, str]]


@dataclass
class Response:
    """What came for one stream. `reset`: the code of RST_STREAM; `interims`: heads before the head."""

    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    interims: list[dict[str, str]] = field(default_factory=list)
    is_ended: bool = False
    reset: str = ""

    @property
    def status(self) -> int:
        return int(self.fields.get(":status", "0"))


class Http2Client:
    """`gives_credit` False: windows stay as they are, as those of a client that reads nothing."""

    def __init__(self, rig: Rig, sock: socket.socket, *, gives_credit: bool = True) -> None:
        self.rig = rig
        self.socket = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.gives_credit = gives_credit
        self.responses: dict[int, Response] = {}
        self.goaways: list[tuple[str, int]] = []
        self.pings: list[bytes] = []
        self.pushed: dict[int, dict[str, str]] = {}
        self.is_ended = False
        self._held = b""

    @property
    def connection(self) -> Http2Connection:
        """The engine's end; there is one."""
        (found,) = self.rig.engine._of_http2
        return found

    def begin(self) -> None:
        self.h2.initiate_connection()
        self.turn()

    def ask(self, path: str = "/", *fields: tuple[str, str], method: str = "GET", is_end: bool = True) -> int:
        """Send a head; gives its stream."""
        stream_id: int = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")]
        self.h2.send_headers(stream_id, [*pseudo, *fields], end_stream=is_end)
        self.responses[stream_id] = Response()
        self.flush()
        return stream_id

    def send(self, stream_id: int, data: bytes, *, is_end: bool = False) -> None:
        """Some of a body, in as far as the engine takes it; turns while it does not."""
        left = data
        while True:
            size = min(self.h2.local_flow_control_window(stream_id), 16384, len(left))
            if size or not left:
                self.h2.send_data(stream_id, left[:size], end_stream=is_end and size == len(left))
                left = left[size:]
                self.flush()
                if not left:
                    return
            self.turn()

    def flush(self) -> None:
        data = self.h2.data_to_send()
        while data:
            try:
                data = data[self.socket.send(data) :]
            except BlockingIOError:
                self.rig.turn()
            except OSError:
                self.is_ended = True
                return

    def turn(self) -> None:
        """Send, let the engine do its part, and take what came."""
        self.flush()
        self.rig.turn()
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.is_ended = True
            return
        self.take(data)
        self.flush()

    def take(self, data: bytes) -> None:
        """What came. GOAWAY is kept from h2, which would hear of nothing more."""
        self._held += data
        while len(self._held) >= HEADER_BYTES:
            end = HEADER_BYTES + int.from_bytes(self._held[:3], "big")
            if len(self._held) < end:
                return
            one, self._held = self._held[:end], self._held[end:]
            if one[3] == GOAWAY:
                last_id, code = struct.unpack_from(">II", one, HEADER_BYTES)
                self.goaways.append((ErrorCode(code).name, last_id))
                continue
            for event in self.h2.receive_data(one):
                self._note(event)

    def until_done(self, *stream_ids: int) -> list[Response]:
        """The responses, when they are there or were given up."""
        found = [self.responses[stream_id] for stream_id in stream_ids]
        self.until(lambda: all(each.is_ended or each.reset for each in found) or self.is_ended)
        return found

    def until(self, condition: object) -> None:
        assert callable(condition)

        def is_there() -> object:
            self.turn()
            return condition()

        self.rig.until(is_there)

    def get(self, path: str = "/", *fields: tuple[str, str], method: str = "GET") -> Response:
        return self.until_done(self.ask(path, *fields, method=method))[0]

    def post(self, body: bytes, path: str = "/", *fields: tuple[str, str]) -> Response:
        stream_id = self.ask(path, *fields, method="POST", is_end=False)
        self.send(stream_id, body, is_end=True)
        return self.until_done(stream_id)[0]

    def _note(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.PingAckReceived):
            self.pings.append(event.ping_data)
        elif isinstance(event, h2.events.PushedStreamReceived):
            self.pushed[event.pushed_stream_id] = dict(event.headers)
            self.responses[event.pushed_stream_id] = Response()
            return
        response = self.responses.get(getattr(event, "stream_id", None) or 0)
        if response is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            response.interims.append(dict(event.headers))
        elif isinstance(event, h2.events.ResponseReceived):
            response.fields = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data
            if self.gives_credit:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            response.is_ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset = ErrorCode(event.error_code).name


def connect(rig: Rig, *, gives_credit: bool = True, send_buffer: int | None = None) -> Http2Client:
    """A connection that begins with the preface."""
    raw = rig.client(send_buffer=send_buffer)
    client = Http2Client(rig, raw.socket, gives_credit=gives_credit)
    client.begin()
    return client
