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
from typing import Final, Protocol

from skitaid.engine.disk import DiskThreads
from skitaid.engine.errors import ClientGoneError
from skitaid.engine.file_segment import BURST_BYTES, FileSegment
from skitaid.engine.poller import READ, WRITE
from skitaid.engine.secure import SecureSocket
from skitaid.engine.selector import EngineSelector
from skitaid.engine.spool import Spool, SpoolFile

__all__ = ["HIGH_BYTES", "LOW_BYTES", "Channel", "ChannelEngine"]

HIGH_BYTES: Final = 262144
LOW_BYTES: Final = 65536
# The next piece follows at once, so the kernel need not send a packet that is not full.
_MORE: Final[int] = getattr(socket, "MSG_MORE", 0)
_RESET: Final = struct.pack("ii", 1, 0)


class ChannelEngine(Protocol):
    """The engine, as a channel sees it. `now` is its time in seconds, taken once a batch."""

    now: float
    disk: DiskThreads
    selector: EngineSelector
    spool: Spool | None


class Channel:
    """A socket with a queue of what is to be sent. `touched`: when something last went on, by the engine's clock;
    `input_ended`: nothing more will come in; `is_broken`: nothing more can be sent."""

    __slots__ = (
        "_aside",
        "_awaits_disk",
        "_drained",
        "_held",
        "_interest",
        "_is_registered",
        "_lock",
        "_outgoing",
        "_receive",
        "_send",
        "_socket",
        "engine",
        "fd",
        "input_ended",
        "is_broken",
        "outgoing_bytes",
        "touched",
    )

    def __init__(self, engine: ChannelEngine, sock: socket.socket | SecureSocket) -> None:
        self.engine = engine
        self.fd = sock.fileno()
        self._socket = sock
        self._send = sock.send
        self._receive = sock.recv
        self._lock = threading.Lock()
        self._outgoing: deque[memoryview | bytes | FileSegment] = deque()
        self._awaits_disk = False
        self._aside: SpoolFile | None = None
        self.outgoing_bytes = 0
        self._held = b""
        self._drained: threading.Event | None = None
        self._interest = READ
        self._is_registered = True
        self.is_broken = False
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
        if self.is_broken:
            raise ClientGoneError("the client closed the connection")
        if not data:
            return not self._outgoing
        rest: bytes | memoryview = data
        if not self._outgoing:
            send = self._send
            try:
                sent = send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self.is_broken = True
                raise ClientGoneError(f"the client closed the connection: {error.strerror}") from error
            if sent == len(data):
                return True
            rest = memoryview(data)[sent:]
        self._queue(rest)
        return False

    def send_file(self, segment: FileSegment) -> bool:
        """Send a part of a file as `send` does bytes; it is ours from here on. What waits of it takes no memory, so it
        does not count for `outgoing_bytes`. Raises ClientGoneError, also when the file is shorter by now."""
        held, self._held = self._held, b""
        with self._lock:
            is_idle = not self._outgoing
            if held:
                self._outgoing.append(held)
                self.outgoing_bytes += len(held)
            self._outgoing.append(segment)
            if is_idle and not self.is_broken:
                self.touched = self.engine.now
                self._send_pieces()
            if self.is_broken:
                raise ClientGoneError("the client closed the connection, or the file is shorter than promised")
            if self._outgoing and not self._awaits_disk:
                self._watch(self._interest | WRITE)
            return not self._outgoing

    def put_aside(self, data: bytes) -> bool:
        """In an app thread: keep `data` on disk until the client takes it, so that a slow client costs no thread. May
        wait for the disk. False: there is no room, the thread has to wait. Raises ClientGoneError."""
        if self.is_broken:
            raise ClientGoneError("the client closed the connection")
        spool = self.engine.spool
        if spool is None:
            return False
        aside = self._aside
        if aside is None:
            aside = self._aside = spool.make_file()
        held, self._held = self._held, b""
        segment = spool.add(aside, held + data)
        if segment is None:
            self._held = held
            return False
        with self._lock:
            if not self._outgoing:
                self.touched = self.engine.now
            self._outgoing.append(segment)
            if not self._awaits_disk:
                self._watch(self._interest | WRITE)
        return True

    def _queue(self, rest: bytes | memoryview) -> None:
        with self._lock:
            if not self._outgoing:
                # From here on the client takes its time. More for it to take must not give it more of that.
                self.touched = self.engine.now
            self._outgoing.append(rest)
            self.outgoing_bytes += len(rest)
            if not self._awaits_disk:
                self._watch(self._interest | WRITE)

    def wait_drained(self) -> None:
        """Wait, in an app thread, until the client took most of what is queued. Raises ClientGoneError."""
        drained = self._drained
        if drained is None:
            drained = self._drained = threading.Event()
        while self.outgoing_bytes > LOW_BYTES:
            if self.is_broken:
                raise ClientGoneError("the client closed the connection, or took nothing for too long")
            drained.clear()
            # Looked at again: what came before `clear` set the event in vain.
            if self.outgoing_bytes > LOW_BYTES and not self.is_broken:
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
            self._send_pieces()
            if not self._outgoing:
                self._aside = None
                self._watch(self._interest & ~WRITE)
        self.touched = self.engine.now
        if self.is_broken or self.outgoing_bytes <= LOW_BYTES:
            self._wake_sender()

    def _send_pieces(self) -> None:
        """Under the lock: until the socket is full, or others are to have their turn. Marks the connection as broken
        when nothing more can be sent."""
        outgoing = self._outgoing
        burst = BURST_BYTES
        try:
            while outgoing and not self._awaits_disk:
                piece = outgoing[0]
                if isinstance(piece, FileSegment):
                    burst -= self._send_part(piece, burst)
                    if len(piece):
                        return
                    piece.close()
                else:
                    sent = self._send(piece, _MORE if len(outgoing) > 1 else 0)
                    self.outgoing_bytes -= sent
                    if sent < len(piece):
                        outgoing[0] = memoryview(piece)[sent:]
                        return
                outgoing.popleft()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.is_broken = True

    def _send_part(self, segment: FileSegment, limit: int) -> int:
        """Some of a file, or an order to have it read first: nothing here may wait for a disk."""
        if segment.is_cached():
            return segment.send(self._socket, limit)
        self._awaits_disk = True
        self._watch(self._interest & ~WRITE)
        self.engine.disk.bring(segment, self._on_read)
        return 0

    def _on_read(self) -> None:
        """The next bytes of the file at the head of the queue are in memory, or can't be had."""
        self.touched = self.engine.now
        with self._lock:
            self._awaits_disk = False
            if self._outgoing:
                piece = self._outgoing[0]
                if isinstance(piece, FileSegment):
                    piece.is_brought = True
                self._watch(self._interest | WRITE)

    @property
    def unsent_bytes(self) -> int:
        """What is queued, files included."""
        with self._lock:
            return sum(map(len, self._outgoing))

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
        if self.is_broken:
            self._reset_on_close()
        self._socket.close()
        with self._lock:
            for piece in self._outgoing:
                if isinstance(piece, FileSegment):
                    piece.close()
            self._outgoing.clear()
            self._aside = None

    def _reset_on_close(self) -> None:
        """A response cut short must not look whole to a client that reads until the end of file."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            # Gone already: nothing left to tell the client.
            return
