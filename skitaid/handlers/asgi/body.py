"""A request's body on its way to an ASGI app: taken in on the loop thread, with back-pressure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from skitaid.engine.stream import Stream
from skitaid.protocols.errors import ProtocolError

__all__ = ["HIGH_BYTES", "Intake"]

HIGH_BYTES: Final = 262144
"""Of a body that wait for the app, before the connection is not read any more."""


class Intake:
    """Holds what came of a request's body until the app takes it. `limit` is in bytes, None for no limit. `begin` is
    called when the app shall start."""

    __slots__ = ("_begin", "_is_paused", "_limit", "_pieces", "_stream", "received", "waiting_bytes")

    def __init__(self, stream: Stream, limit: int | None, begin: Callable[[], None]) -> None:
        self._stream = stream
        self._limit = limit
        self._begin: Callable[[], None] | None = begin
        self._pieces: list[bytes] = []
        self._is_paused = False
        self.received = 0
        self.waiting_bytes = 0

    def start(self) -> None:
        """The head is there. An app is started now; or, when the whole body came together with the head, as soon as
        that is taken in (in this very turn): so the app finds it there and need not wait."""
        length = self._stream.head.content_length
        if length is None or self._stream.connection.bytes_ahead < length:
            self._start()

    def feed(self, data: bytes, *, is_wanted: bool) -> None:
        """More of the body. Raises ProtocolError 413 above the limit."""
        self.received += len(data)
        if self._limit is not None and self.received > self._limit:
            raise ProtocolError(413, f"the body is longer than {self._limit} bytes")
        if not is_wanted:
            return
        self._pieces.append(data)
        self.waiting_bytes += len(data)
        if self.waiting_bytes > HIGH_BYTES and not self._is_paused:
            self._is_paused = True
            self._stream.connection.set_reading(False)

    def end(self) -> None:
        """The body is complete."""
        self._start()

    def take(self) -> bytes:
        """All that is there."""
        pieces, self._pieces = self._pieces, []
        self.waiting_bytes = 0
        if self._is_paused:
            self._is_paused = False
            self._stream.connection.set_reading(True)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _start(self) -> None:
        begin, self._begin = self._begin, None
        if begin is not None:
            begin()
