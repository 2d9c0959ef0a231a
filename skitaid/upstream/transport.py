"""One connection to a member: what waits to be sent, what the poller reports, and its end. On the loop thread alone.

A protocol's client derives from `Transport` and hears `received`, `input_ended`, `lost` and `drained`.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Final, Protocol

from skitaid.engine.poller import ERROR, HANG_UP, READ, WRITE
from skitaid.upstream.context import UpstreamEngine

__all__ = ["HIGH_BYTES", "LOW_BYTES", "StreamSocket", "Transport"]

HIGH_BYTES: Final = 262144
LOW_BYTES: Final = 65536
RECEIVE_BYTES: Final = 65536
LATE_BYTES: Final = 16384
"""What is longer is sent at once: it is not the waking of its receiver that takes time."""
_BURST: Final = 4
"""So many times a full buffer is read before others have their turn."""


class StreamSocket(Protocol):
    """A plain socket, or TLS on one. Does not block."""

    def recv(self, size: int, flags: int = 0, /) -> bytes: ...
    def send(self, data: bytes | memoryview, /) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Transport:
    """A connection to a member, whatever is spoken on it. `has_sent`: the kernel took at least a byte since whoever
    uses it set it to False. `is_deaf`: the peer takes nothing more, what it said before may still be read."""

    __slots__ = (
        "_interest",
        "_is_late",
        "_is_registered",
        "_outgoing",
        "_receive",
        "_send",
        "engine",
        "fd",
        "has_sent",
        "is_closed",
        "is_deaf",
        "outgoing_bytes",
        "socket",
    )

    def __init__(self, engine: UpstreamEngine, sock: StreamSocket) -> None:
        self.engine = engine
        self.socket = sock
        self.fd = sock.fileno()
        self._receive = sock.recv
        self._send = sock.send
        self._outgoing: deque[bytes | memoryview] = deque()
        self.outgoing_bytes = 0
        self._interest = READ
        self._is_registered = True
        self._is_late = False
        self.has_sent = False
        self.is_deaf = False
        self.is_closed = False
        engine.selector.serve(self.fd, self)

    # ------------------------------------------------------------ for the protocol

    def received(self, data: bytes) -> None:
        """The peer sent something."""
        raise NotImplementedError

    def input_ended(self) -> None:
        """The peer will send nothing more, and said so."""
        raise NotImplementedError

    def lost(self, error: OSError | None) -> None:
        """The connection broke."""
        raise NotImplementedError

    def progressed(self) -> None:
        """The peer took some of what was queued."""

    def drained(self) -> None:
        """Of what was queued not much is left."""

    def transmit(self, data: bytes) -> None:
        """Send, or queue what the socket does not take."""
        if self.is_deaf:
            return
        rest: bytes | memoryview = data
        if not self._outgoing:
            try:
                sent = self._send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self._go_deaf()
                return
            if sent:
                self.has_sent = True
                if sent == len(data):
                    return
                rest = memoryview(data)[sent:]
        self._outgoing.append(rest)
        self.outgoing_bytes += len(rest)
        if not self._is_late:
            self._watch(self._interest | WRITE)

    def transmit_late(self, data: bytes) -> None:
        """Send at the end of the batch of events that is served now, with what others send (EngineSelector.late)."""
        if self.is_deaf or self._outgoing or len(data) > LATE_BYTES:
            self.transmit(data)
            return
        self._outgoing.append(data)
        self.outgoing_bytes += len(data)
        self._is_late = True
        self.engine.selector.late.append(self)

    def go_out(self) -> None:
        """Of the selector: the batch is over."""
        self._is_late = False
        outgoing = self._outgoing
        if len(outgoing) != 1:
            if outgoing:
                self._watch(self._interest | WRITE)
                self._flush()
            return
        data = outgoing[0]
        try:
            sent = self._send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._go_deaf()
            return
        self.outgoing_bytes -= sent
        self.has_sent = self.has_sent or sent > 0
        if sent == len(data):
            outgoing.clear()
        else:
            outgoing[0] = memoryview(data)[sent:]
            self._watch(self._interest | WRITE)

    def set_reading(self, is_on: bool) -> None:
        """Pause or resume reading."""
        if self.is_closed:
            return
        if not is_on:
            self._watch(self._interest & ~READ)
        elif self._is_registered:
            self._watch(self._interest | READ)
        else:
            # It hung up while nobody listened: what it said before is still to be heard.
            self._is_registered = True
            self._interest |= READ
            self.engine.selector.serve(self.fd, self, self._interest)

    def is_still_open(self) -> bool:
        """Whether an idle connection has nothing to say, not even goodbye, at this very moment."""
        try:
            self._receive(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return False

    def detach_socket(self) -> StreamSocket:
        """Give the socket up to whoever goes on with it."""
        self.is_closed = True
        self._forget()
        return self.socket

    def close(self) -> None:
        """Fine when it is closed already."""
        if not self.is_closed:
            self.is_closed = True
            self._forget()
            self.socket.close()
            self._outgoing.clear()
            self.outgoing_bytes = 0

    # ------------------------------------------------------------ events

    def on_event(self, mask: int) -> None:
        """Of the selector."""
        if mask == READ and self._interest & READ:
            self._read()
            return
        if mask & WRITE and self._outgoing:
            self._flush()
        if mask & (READ | HANG_UP | ERROR) and not self.is_closed:
            if self._interest & READ:
                self._read()
            elif mask & (HANG_UP | ERROR):
                # Reported again and again; we look when we listen again.
                self._forget()

    def on_failure(self) -> None:
        """Something of ours failed with this connection."""
        self.lost(None)
        self.close()

    def _read(self, burst: int = _BURST) -> None:
        try:
            data = self._receive(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.lost(error)
            return
        if not data:
            self.input_ended()
            return
        self.received(data)
        if len(data) == RECEIVE_BYTES and burst > 1 and not self.is_closed and self._interest & READ:
            self._read(burst - 1)

    def _flush(self) -> None:
        outgoing = self._outgoing
        try:
            while outgoing:
                piece = outgoing[0]
                sent = self._send(piece)
                self.has_sent = True
                self.outgoing_bytes -= sent
                if sent < len(piece):
                    outgoing[0] = memoryview(piece)[sent:]
                    break
                outgoing.popleft()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._go_deaf()
            return
        if not outgoing:
            self._watch(self._interest & ~WRITE)
        self.progressed()
        if self.outgoing_bytes <= LOW_BYTES:
            self.drained()

    def _go_deaf(self) -> None:
        """It takes nothing more. Perhaps it said why, before it closed: that is read first."""
        self.is_deaf = True
        self._outgoing.clear()
        self.outgoing_bytes = 0
        self._watch(self._interest & ~WRITE)

    def _watch(self, interest: int) -> None:
        if interest != self._interest:
            self._interest = interest
            if self._is_registered and not self.is_closed:
                self.engine.selector.poller.modify(self.fd, interest)

    def _forget(self) -> None:
        if self._is_registered:
            self._is_registered = False
            self.engine.selector.forget(self.fd)
