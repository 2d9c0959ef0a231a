"""One socket's bytes: what waits to be sent, and what the poller is to report.

Locking. While a request is in flight its app thread may send; it meets the loop thread in `_outgoing` under `_lock`,
and only when the socket could not take everything at once. With nothing queued the app thread alone sends; with
something queued the loop thread alone does. Interest and registration change under the lock too, as an app thread must
not speak to the poller of a descriptor that is not ours any more.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from skitaid.engine.poller import READ, WRITE
from skitaid.engine.stream import ClientGoneError

if TYPE_CHECKING:
    from skitaid.engine.server import Engine

__all__ = ["HIGH_BYTES", "LOW_BYTES", "Channel"]

HIGH_BYTES: Final = 262144
LOW_BYTES: Final = 65536
_RESET: Final = struct.pack("ii", 1, 0)


class Channel:
    """`touched`: when something last went on, by the engine's clock; `input_ended`: nothing more will come in."""

    __slots__ = (
        "_drained", "_held", "_interest", "_is_broken", "_is_registered", "_lock", "_outgoing", "_receive", "_send",
        "_socket", "engine", "fd", "input_ended", "outgoing_bytes", "touched",
    )

    def __init__(self, engine: Engine, sock: socket.socket) -> None:
        self.engine = engine
        self.fd = sock.fileno()
        self._socket = sock
        self._send = sock.send
        self._receive = sock.recv
        self._lock = threading.Lock()
        self._outgoing: deque[memoryview | bytes] = deque()
        self.outgoing_bytes = 0
        self._held = b""
        self._drained: threading.Event | None = None
        self._interest = READ
        self._is_registered = True
        self._is_broken = False
        self.input_ended = False
        self.touched = engine.now

    # ------------------------------------------------------------ from the thread that answers

    @property
    def is_congested(self) -> bool:
        """Whether more waits to be sent than should."""
        return self.outgoing_bytes > HIGH_BYTES

    def hold(self, data: bytes) -> None:
        """Send `data` together with what comes next."""
        self._held += data

    def send(self, data: bytes) -> bool:
        """Send, or queue what the socket does not take. True when everything is sent. Raises ClientGoneError."""
        if self._held:
            data = self._held + data
            self._held = b""
        if self._is_broken:
            raise ClientGoneError("the client closed the connection")
        if not data:
            return not self._outgoing
        rest: bytes | memoryview = data
        if not self._outgoing:
            try:
                sent = self._send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._is_broken = True
                raise ClientGoneError(f"the client closed the connection: {error.strerror}") from error
            if sent == len(data):
                return True
            rest = memoryview(data)[sent:]
        self._queue(rest)
        return False

    def _queue(self, rest: bytes | memoryview) -> None:
        with self._lock:
            if not self._outgoing:
                # From here on the client takes its time. More for it to take must not give it more of that.
                self.touched = self.engine.now
            self._outgoing.append(rest)
            self.outgoing_bytes += len(rest)
            self._watch(self._interest | WRITE)

    def wait_drained(self) -> None:
        """Wait, in an app thread, until the client took most of what is queued. Raises ClientGoneError."""
        drained = self._drained
        if drained is None:
            drained = self._drained = threading.Event()
        while self.outgoing_bytes > LOW_BYTES:
            if self._is_broken:
                raise ClientGoneError("the client closed the connection, or took nothing for too long")
            drained.clear()
            # Looked at again: what came before `clear` set the event in vain.
            if self.outgoing_bytes > LOW_BYTES and not self._is_broken:
                # Bounded by the time-out for a stalled transfer, which breaks the connection and sets the event.
                drained.wait()

    def set_reading(self, is_on: bool) -> None:
        """Pause or resume reading. From any thread."""
        with self._lock:
            if is_on and not self.input_ended:
                # The client's time begins: until now it was we who did not listen.
                self.touched = self.engine.now
                self._watch(self._interest | READ)
            else:
                self._watch(self._interest & ~READ)

    # ------------------------------------------------------------ on the loop thread

    def _send_queued(self) -> None:
        """Send what the socket takes of what is queued; wake an app thread that waits for it."""
        with self._lock:
            try:
                self._send_pieces()
            except OSError:
                self._is_broken = True
            if not self._outgoing:
                self._watch(self._interest & ~WRITE)
        self.touched = self.engine.now
        if self._is_broken or self.outgoing_bytes <= LOW_BYTES:
            self._wake_sender()

    def _send_pieces(self) -> None:
        outgoing = self._outgoing
        while outgoing:
            piece = outgoing[0]
            try:
                sent = self._send(piece)
            except (BlockingIOError, InterruptedError):
                return
            self.outgoing_bytes -= sent
            if sent < len(piece):
                outgoing[0] = memoryview(piece)[sent:]
                return
            outgoing.popleft()

    def _wake_sender(self) -> None:
        """Whoever waits in `wait_drained` is to look again."""
        if self._drained is not None:
            self._drained.set()

    def _watch(self, interest: int) -> None:
        """Under the lock: what the poller reports."""
        if interest != self._interest and self._is_registered:
            self._interest = interest
            self.engine.selector.poller.modify(self.fd, interest)

    def _unregister(self) -> None:
        with self._lock:
            if self._is_registered:
                self._is_registered = False
                self.engine.selector.forget(self.fd)

    def _close_socket(self) -> None:
        self._unregister()
        if self._is_broken:
            self._reset_on_close()
        self._socket.close()

    def _reset_on_close(self) -> None:
        """A response cut short must not look whole to a client that reads until the end of file."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            # Gone already: nothing left to tell the client.
            return
