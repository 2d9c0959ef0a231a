"""What goes out on a connection of HTTP/2.

Whoever answers a request, an app thread or the loop, makes frames of it under `lock`, which is held for the framing and
the system call alone. The frames of several responses leave in one: while the loop takes requests in, it sends what
came meanwhile when it is done with them; a thread that is not the last to answer leaves its frames to the last one, and
to the loop in case that one takes its time.

The socket is used under `lock` by those whose stream is not lost; so a connection can be closed while app threads are
still at work for streams that are.
"""

from __future__ import annotations

import socket
import threading
from functools import partial
from typing import Final

from skitaid.engine.connection import Connection, ConnectionEngine
from skitaid.engine.errors import ClientGoneError
from skitaid.engine.http2_stream import LOW_BYTES, Http2Stream
from skitaid.engine.listener import Listener, Peer
from skitaid.engine.poller import WRITE
from skitaid.engine.secure import SecureSocket
from skitaid.engine.stream import Stream
from skitaid.exceptions import PeerError
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http2.errors import ErrorCode
from skitaid.protocols.http2.flow import Flow
from skitaid.protocols.http2.frames import promise_frames, reset_frame
from skitaid.protocols.http2.outflow import Outflow
from skitaid.protocols.http2.promise import Promise
from skitaid.protocols.http2.server import Http2Server

__all__ = ["Http2Output"]

MAX_PUSHED: Final = 32
"""At a time, whatever the client allows."""
BURST_BYTES: Final = 262144
"""What may wait in the channel: the rest waits with its streams, so that those that come later have their turn."""


class Http2Output(Connection):
    """A connection of HTTP/2 as far as it sends: who may send, and when. `out` is what goes out, `slow` the streams
    that wait until less of theirs does; both under `lock`. `flows`: the streams that are open."""

    protocol: Http2Server[Http2Stream]
    flows: dict[int, Http2Stream]

    __slots__ = (
        "_is_due",
        "_is_feeding",
        "_is_waking",
        "_leave_at",
        "_lost",
        "flows",
        "lock",
        "out",
        "protocol",
        "slow",
    )

    def __init__(
        self, engine: ConnectionEngine, listener: Listener, sock: socket.socket | SecureSocket, peer: Peer
    ) -> None:
        super().__init__(engine, listener, sock, peer)
        self.lock = threading.Lock()
        self.out = Outflow()
        self.slow: set[Http2Stream] = set()
        # Streams that are lost and whose apps are still at work: they count as open (CVE-2023-44487).
        self._lost: set[Http2Stream] = set()
        self._is_feeding = self._is_due = self._is_waking = False
        self._leave_at: float | None = None

    def _proceed(self) -> None:
        """On the loop: close, if that is what is left to do."""
        raise NotImplementedError

    def request(self, h2_stream: Http2Stream, head: RequestHead) -> None:
        """On the loop: a request begins."""
        raise NotImplementedError

    # ------------------------------------------------------------ from whoever answers

    def advance(self, h2_stream: Http2Stream) -> list[Flow]:
        """Under the lock, after frames were added: make frames of what waits, and see to it that all leave. What comes
        back goes to `settle`, without the lock."""
        ended = self._pump()
        if h2_stream.is_finishing and h2_stream.is_out_ended and h2_stream not in ended:
            ended.append(h2_stream)
        if self._is_feeding:
            return ended
        stream = h2_stream.stream
        is_on_loop = stream is not None and stream.is_on_loop
        if not is_on_loop and len(self.flows) <= 1:
            self._transmit()
        elif not self._is_due:
            self._is_due = True
            if is_on_loop:
                self.engine.selector.late.append(self)
            else:
                self.engine.portal.call(self.go_out)
        return ended

    def settle(self, ended: list[Flow]) -> None:
        """Without the lock: what has come to its end is done, and who waited for room goes on."""
        for flow in ended:
            assert isinstance(flow, Http2Stream)
            if flow.is_finishing and flow.stream is not None:
                self.done(flow, flow.stream)
        if self.slow and not self._is_waking:
            self._is_waking = True
            self.engine.portal.call(self._wake_slow)

    def go_out(self) -> None:
        """On the loop, at the end of a batch or on a thread's behalf: send what waits to be sent."""
        with self.lock:
            self._is_due = False
            self._transmit()

    def done(self, h2_stream: Http2Stream, stream: Stream) -> None:
        """The response is framed, or given up. On whatever thread did it; of two that did, the second is too late."""
        with self.lock:
            if h2_stream.stream is not stream:
                return
            h2_stream.stream = None
            self._lost.discard(h2_stream)
        self.engine.note_done(stream)
        self._release(h2_stream)

    def _release(self, h2_stream: Http2Stream) -> None:
        """The response is over; the stream is when its request is, too."""
        if h2_stream.is_in_ended or h2_stream.is_lost:
            self.flows.pop(h2_stream.stream_id, None)
        # The wait for the next request begins now.
        self.touched = self.engine.now
        if (self.is_closing or self.input_ended or self._leave_at is not None) and not self.flows:
            self.engine.portal.call(self._proceed)

    def reset(self, h2_stream: Http2Stream, code: ErrorCode) -> None:
        """Give a stream up. From any thread."""
        stream = h2_stream.stream
        if stream is None or stream.is_on_loop:
            self.protocol.note_reset(h2_stream.stream_id)
        else:
            self.engine.portal.call(partial(self.protocol.note_reset, h2_stream.stream_id))
        with self.lock:
            is_open = self.flows.pop(h2_stream.stream_id, None) is not None
            self._drop(h2_stream)
            if is_open:
                self.out.emit(reset_frame(h2_stream.stream_id, code))
            if not self._is_feeding:
                self._transmit()
        h2_stream.wake()

    def push_for(self, h2_stream: Http2Stream, target: bytes) -> bool:
        """Promise the client of `h2_stream` what GET `target` would get, before its response ends (RFC 9113 section
        8.4). From any thread."""
        stream = h2_stream.stream
        try:
            promise = None if stream is None else Promise(stream.head, target, self._scheme)
        except PeerError:
            promise = None
        if promise is None:
            return False
        with self.lock:
            if not self._may_push(h2_stream):
                return False
            pushed = Http2Stream(self, self.protocol.promise(), 0, self.out.peer.initial_window)
            pushed.is_in_ended = True
            self.flows[pushed.stream_id] = pushed
            self.out.emit(promise_frames(h2_stream.stream_id, pushed.stream_id, promise.block))
        self.engine.portal.call(partial(self._begin_pushed, pushed, promise.head))
        return True

    def _begin_pushed(self, h2_stream: Http2Stream, head: RequestHead) -> None:
        if not h2_stream.is_lost:
            self.request(h2_stream, head)
            self.go_out()

    @property
    def _scheme(self) -> bytes:
        return self.listener.scheme.encode()

    def _may_push(self, h2_stream: Http2Stream) -> bool:
        """Under the lock. What was pushed promises nothing itself (section 8.4.1)."""
        peer = self.out.peer
        if h2_stream.is_lost or h2_stream.is_out_ended or h2_stream.is_ending or not h2_stream.stream_id & 1:
            return False
        if self._leave_at is not None:
            return False
        pushed = sum(1 for stream_id in list(self.flows) if not stream_id & 1)
        return peer.is_push_enabled and self.protocol.may_promise and pushed < min(peer.max_streams, MAX_PUSHED)

    def resume_stream(self, h2_stream: Http2Stream) -> None:
        """On the loop: the body of a request is wanted again."""
        self.protocol.resume(h2_stream)
        self.go_out()

    def go_on(self, h2_stream: Http2Stream) -> None:
        """On the loop: what a stream has to send can be had now."""
        with self.lock:
            self.out.go_on(h2_stream)
            ended = self._pump()
            self._transmit()
        self.settle(ended)

    def _wake_slow(self) -> None:
        """On the loop: streams that waited for room, and have some."""
        self._is_waking = False
        if self.is_congested:
            return
        with self.lock:
            ready = [h2_stream for h2_stream in self.slow if h2_stream.waiting_bytes <= LOW_BYTES]
            self.slow.difference_update(ready)
        for h2_stream in ready:
            h2_stream.wake()
            stream = h2_stream.stream
            if stream is not None and stream.is_on_loop and stream.is_dispatched:
                stream.resume()

    def emit(self, frame: bytes) -> None:
        """On the loop: a frame that no window holds back."""
        with self.lock:
            self.out.emit(frame)

    # ------------------------------------------------------------ output, under the lock

    def _pump(self) -> list[Flow]:
        """Make frames of what waits, as long as the socket takes them."""
        room = BURST_BYTES - self.outgoing_bytes - self.out.frames_bytes
        if self.protocol.awaits_settings:
            # After an upgrade: curl gives up if more follows 101 than its buffer takes. One frame, then.
            room = 0 if self.out.sent_frames else 1
        return self.out.pump(room) if room > 0 else []

    def _transmit(self) -> None:
        out = self.out
        if out.frames:
            try:
                self.send(out.take())
            except ClientGoneError:
                # The poller tells the loop of it in its own time.
                return
        if out.has_more and not self._outgoing and not self.protocol.awaits_settings:
            # Not all at once: others have their turn before the poller says that the socket takes more.
            with self._lock:
                self._watch(self._interest | WRITE)

    def _drop(self, h2_stream: Http2Stream) -> None:
        """Under the lock: nothing more of it goes out."""
        h2_stream.is_lost = True
        if h2_stream.stream is not None:
            h2_stream.stream.reply_bytes -= sum(map(len, h2_stream.waiting or ()))
        self.out.drop(h2_stream)
        self.slow.discard(h2_stream)
