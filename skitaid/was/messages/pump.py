"""Sends a body that lies on disk: one piece is read by a disk thread, handed to the exchange, and then the next one,
when there is room for it. Everything but the reading happens on the loop thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from skitaid.was.messages.errors import CallError
from skitaid.was.messages.streamed import StreamedBody

__all__ = ["BodyPump", "Disk", "Sink"]

_PIECE_BYTES: Final = 128 << 10


class Disk(Protocol):
    """engine.disk.DiskThreads, as far as it is needed."""

    def do(self, work: Callable[[], None], on_done: Callable[[], None]) -> None: ...


class Sink(Protocol):
    """upstream.call.Exchange, as far as it is needed."""

    def send(self, data: bytes) -> bool: ...
    def end(self) -> None: ...


class BodyPump:
    """Reads a body piece by piece and gives it to an exchange. `on_failure` is told, once, of a file that cannot be
    read: what was promised will not come, so the exchange is to be cancelled."""

    def __init__(self, body: StreamedBody, disk: Disk, on_failure: Callable[[CallError], None]) -> None:
        self._body = body
        self._disk = disk
        self._on_failure = on_failure
        self._exchange: Sink
        self._position = 0
        self._piece = b""
        self._error: Exception | None = None
        self._is_reading = False
        self._is_over = False

    def start(self, exchange: Sink) -> None:
        """Begin to send, by `exchange`."""
        self._exchange = exchange
        self._read()

    def on_writable(self) -> None:
        """There is room again."""
        if not self._is_reading and not self._is_over:
            self._read()

    def stop(self) -> None:
        """Nothing more is wanted. Fine after the end."""
        self._is_over = True

    def _read(self) -> None:
        self._is_reading = True
        # Whatever ends meanwhile: the file that is read must not be closed, its number could be another's.
        self._body.acquire()
        self._disk.do(self._fetch, self._arrived)

    def _fetch(self) -> None:
        """In a disk thread; raises nothing."""
        try:
            self._piece = self._body.read(self._position, _PIECE_BYTES)
        except (OSError, EOFError) as error:
            self._error = error

    def _arrived(self) -> None:
        self._is_reading = False
        self._body.release()
        if self._is_over:
            return
        if self._error is not None:
            self._is_over = True
            self._on_failure(CallError(f"a file cannot be sent: {self._error}"))
        elif not self._piece:
            self._is_over = True
            self._exchange.end()
        else:
            self._position += len(self._piece)
            if self._exchange.send(self._piece) and not self._is_over:
                self._read()
