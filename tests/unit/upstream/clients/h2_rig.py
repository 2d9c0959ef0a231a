"""A connection of ours and, at the other end of a socket pair, the h2 package as the member: driven by hand."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event
from h2.settings import SettingCodes

from skitaid.engine.selector import EngineSelector
from skitaid.protocols.http1.request import field_lines, request_line
from skitaid.upstream.call import Call, Fields
from skitaid.upstream.carrier import Peer
from skitaid.upstream.clients.http2 import Http2Connection
from skitaid.upstream.clients.http2_stream import Http2Stream
from skitaid.upstream.errors import UpstreamError

OK = ((":status", "200"),)


class Engine:
    """As much of it as a connection asks for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.on_tick: list[Any] = []
        self.selector = EngineSelector()
        self.loop: Any = None
        self.portal: Any = None


class Carried:
    """An exchange that writes down what it hears."""

    def __init__(self, call: Call, engine: Engine) -> None:
        self.call = call
        self.request_line = request_line(call.method, call.target)
        self.field_lines = field_lines(call.fields)
        self.touched = engine.now
        self.heard: list[str] = []
        self.pieces: list[bytes] = []
        self.fields: Fields = ()
        self.error: UpstreamError | None = None
        self.is_stale = False
        self.is_keen = True
        self.writable = 0
        self.carrier: Http2Stream | None = None
        self.early: list[bytes] = []
        self.ending: Fields | None = None

    @property
    def body_so_far(self) -> tuple[list[bytes], Fields | None]:
        return self.early, self.ending

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def on_information(self, head: Any) -> None:
        self.heard.append(f"information {head.status}")

    def on_response(self, head: Any) -> None:
        self.fields = head.fields.pairs
        self.heard.append(f"response {head.status}")

    def on_data(self, data: bytes) -> None:
        self.pieces.append(data)
        self.heard.append("data")
        if not self.is_keen:
            assert self.carrier is not None
            self.carrier.set_reading(False)

    def on_flush(self) -> None:
        self.heard.append("flush")

    def on_end(self, trailers: Fields) -> None:
        assert self.carrier is not None
        self.carrier.release()
        self.heard.append(f"end {list(trailers)}" if trailers else "end")

    def on_writable(self) -> None:
        self.writable += 1

    def failed(self, error: UpstreamError, *, is_stale: bool = False) -> None:
        self.error = error
        self.is_stale = is_stale
        self.heard.append("failed")


class Rig:
    """`events`: what the member's h2 has seen. `freed`: how often a place was free; `is_closed`: ours is."""

    def __init__(self, settings: dict[SettingCodes, int] | None = None) -> None:
        self.engine = Engine()
        ours, self.socket = socket.socketpair()
        ours.setblocking(False)
        self.socket.setblocking(False)
        self.freed = 0
        self.is_closed = False
        self.events: list[Event] = []
        self.connection = Http2Connection(self.engine, ours, self, Peer("10.0.0.1:80", b"app.test", False))
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="ascii"))
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)

    # the connection's owner

    def released(self, connection: Http2Connection) -> None:
        self.freed += 1

    def closed(self, connection: Http2Connection) -> None:
        self.is_closed = True

    # turns

    def turn(self) -> Rig:
        """Both ends read what is there, until nothing moves."""
        for _ in range(100):
            self.say()
            self.engine.selector.select(0)
            if not self.listen():
                self.say()
                self.engine.selector.select(0)
                return self
        raise AssertionError("it never comes to rest")

    def listen(self) -> bool:
        """The member reads once; whether there was anything."""
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return False
        if data:
            self.events += self.h2.receive_data(data)
        return bool(data)

    def say(self, raw: bytes = b"") -> None:
        """The member sends what its h2 has to say, and raw bytes."""
        data = self.h2.data_to_send() + raw
        if data:
            self.socket.sendall(data)

    def settled(self) -> Rig:
        """The member's settings have come."""
        return self.turn()

    def call(self, method: str = "GET", target: bytes = b"/", **more: Any) -> Carried:
        """Start a call."""
        carried = Carried(Call(method, target, **more), self.engine)
        carried.carrier = self.connection.start(carried)
        return carried

    def seen(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def answer(self, stream_id: int, head: Sequence[tuple[str, str]] = OK, *, body: bytes | None = b"") -> None:
        """A whole response; `body` None: only the head."""
        self.h2.send_headers(stream_id, head, end_stream=body == b"")
        if body:
            self.h2.send_data(stream_id, body, end_stream=True)
        self.turn()

    def close(self) -> None:
        self.connection.close()
        self.socket.close()
        self.engine.selector.close()
