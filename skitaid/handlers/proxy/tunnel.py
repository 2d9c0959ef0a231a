"""Connections that a client and a member have for themselves: websockets and other protocols after 101, and tunnels
after CONNECT. Bytes pass as they are, both ways, each side held back when the other is slow.

A tunnel is one request: it counts as a connection of the engine's, and has its line in the request log when it ends.
It ends when both sides have, when nothing passed for `idle_s`, or some time after the worker began to drain.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from skitaid.engine.errors import ClientGoneError
from skitaid.engine.server import Engine
from skitaid.engine.stream import Stream
from skitaid.exceptions import PeerError
from skitaid.upstream.transport import HIGH_BYTES, StreamSocket, Transport

__all__ = ["SwitchHead", "Tunnels"]

DRAIN_S: Final = 8.0
"""A worker that is to end leaves its tunnels so long. Whoever has a websocket open connects anew, and finds another."""


@dataclass(frozen=True, slots=True)
class SwitchHead:
    """The head that the client gets. `protocol` None: that of an answer to CONNECT."""

    status: str
    fields: Sequence[tuple[bytes, bytes]]
    protocol: bytes | None = None


class Tunnels:
    """Those of one handler in one worker. `idle_s`: without a byte in either direction."""

    def __init__(self, engine: Engine, idle_s: float) -> None:
        self._engine = engine
        self._idle_s = idle_s
        self._open: set[_Tunnel] = set()
        self._drain_at: float | None = None
        engine.on_tick.append(self._sweep)

    def join(self, stream: Stream, far: tuple[object, bytes], head: SwitchHead) -> None:
        """Let the client of `stream` and a member speak with each other. `far`: the member's socket, which is ours from
        here on, and what has come from it."""
        sock, data = far
        tunnel = _Tunnel(self, stream, _End(self._engine, sock))  # type: ignore[arg-type]  # a StreamSocket
        self._open.add(tunnel)
        tunnel.begin(head, data)

    def ended(self, tunnel: _Tunnel) -> None:
        """A tunnel is over: it is not looked after any more."""
        self._open.discard(tunnel)

    def _sweep(self) -> None:
        """Once a second: end tunnels that are idle, and all of them when the worker drains for too long."""
        engine = self._engine
        now = engine.now
        if engine.is_draining and self._drain_at is None:
            self._drain_at = now + DRAIN_S
        is_over = self._drain_at is not None and now >= self._drain_at
        for tunnel in tuple(self._open):
            if is_over or now - tunnel.touched > self._idle_s:
                tunnel.end_now()


class _Tunnel:
    """engine.body.BodySink for what the client sends. `touched`: when something last passed."""

    def __init__(self, tunnels: Tunnels, stream: Stream, end: _End) -> None:
        self._tunnels = tunnels
        self._stream = stream
        self._end = end
        self._is_client_done = self._is_member_done = False
        self._is_client_paused = self._is_over = False
        self.received = 0
        self.before_read: Callable[[], None] | None = None
        self.is_complete = False
        self.touched = end.engine.now
        end.tunnel = self
        stream.body = self
        stream.job = self._go_on
        stream.is_dispatched = True

    def begin(self, head: SwitchHead, data: bytes) -> None:
        """Tell the client, and pass on what is here already."""
        try:
            self._stream.switch(head.status, head.fields, head.protocol)
        except ClientGoneError:
            self._break_off()
            return
        if data and not self._is_over:
            self.from_member(data)

    def end_now(self) -> None:
        """Nothing is waited for any more, but what is queued for the client still goes out."""
        if not self._is_over:
            stream = self._stream
            self._let_go()
            stream.finish()

    # ------------------------------------------------------------ the client's side (BodySink)

    def feed(self, data: bytes) -> None:
        if self._is_over:
            return
        end = self._end
        self.received += len(data)
        self.touched = end.engine.now
        end.transmit(data)
        if end.outgoing_bytes > HIGH_BYTES and not self._is_client_paused:
            self._is_client_paused = True
            self._stream.connection.set_reading(False)

    def end(self) -> None:
        """Of a request that has no body."""

    def fail(self, error: PeerError) -> None:
        """The client has closed its side; if that is all, what the member sends still reaches it."""
        if self._is_over or self._stream.connection.is_broken:
            # In the latter case `_go_on` comes next.
            return
        self._is_client_done = True
        self._settle()

    def _go_on(self, stream: Stream) -> None:
        """Stream.job: the client took what it was sent, or has gone."""
        if self._is_over:
            return
        stream.job = self._go_on
        if stream.connection.is_broken:
            self._break_off()
        elif self._is_member_done:
            self._settle()
        elif not stream.is_congested:
            self._end.set_reading(True)

    # ------------------------------------------------------------ the member's side

    def from_member(self, data: bytes) -> None:
        """It sent something."""
        stream = self._stream
        self.touched = self._end.engine.now
        try:
            stream.write(data)
        except ClientGoneError:
            self._break_off()
            return
        if stream.is_congested:
            self._end.set_reading(False)

    def member_ended(self) -> None:
        """It will send nothing more."""
        self._is_member_done = True
        self._end.set_reading(False)
        self._settle()

    def member_lost(self) -> None:
        """Its connection broke: so does the client's."""
        if not self._is_over:
            self._break_off()

    def member_drained(self) -> None:
        """It took most of what it was sent."""
        self.touched = self._end.engine.now
        if self._is_client_done:
            self._settle()
        elif self._is_client_paused:
            self._is_client_paused = False
            self._stream.connection.set_reading(True)

    # ------------------------------------------------------------ ends

    def _settle(self) -> None:
        """One side is done, at least: pass its end on, when all that it sent before has been."""
        if self._is_over:
            return
        end = self._end
        is_passed_on = self._is_client_done and not end.outgoing_bytes
        if is_passed_on:
            end.end_output()
        if self._is_member_done and (is_passed_on or end.is_deaf):
            self.end_now()
        elif self._is_member_done:
            self._stream.connection.end_output()

    def _break_off(self) -> None:
        stream = self._stream
        self._let_go()
        stream.abort()

    def _let_go(self) -> None:
        self._is_over = True
        self._tunnels.ended(self)
        self._end.tunnel = None
        self._end.close()
        self._stream.job = None


class _End(Transport):
    """The member's end."""

    __slots__ = ("tunnel",)

    def __init__(self, engine: Engine, sock: StreamSocket) -> None:
        super().__init__(engine, sock)
        self.tunnel: _Tunnel | None = None

    def received(self, data: bytes) -> None:
        if self.tunnel is not None:
            self.tunnel.from_member(data)

    def input_ended(self) -> None:
        if self.tunnel is not None:
            self.tunnel.member_ended()

    def lost(self, error: OSError | None) -> None:
        if self.tunnel is not None:
            self.tunnel.member_lost()

    def drained(self) -> None:
        if self.tunnel is not None:
            self.tunnel.member_drained()

    def end_output(self) -> None:
        """Tell the member that nothing more will come. In TLS there is no such half of an end: it is told with the
        whole."""
        if isinstance(self.socket, socket.socket):
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                # Gone; the poller tells.
                return
