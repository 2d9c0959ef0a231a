"""HTTP/1 on a connection: one request after another.

Who does what. The loop thread reads, parses and begins requests. Whoever answers a request, an app thread or the loop,
ends it: `stream` goes from it to None exactly once, in `_complete`, and from then on the loop may begin the next. When
the last bytes of a response are queued, its end is left to the loop (`_to_finish`).
"""

from __future__ import annotations

import socket
from typing import ClassVar, Final

from skitaid.engine.channel import LOW_BYTES
from skitaid.engine.connection import Connection, ConnectionEngine
from skitaid.engine.errors import ClientGoneError
from skitaid.engine.listener import Listener, Peer
from skitaid.engine.phase import Phase
from skitaid.engine.poller import READ
from skitaid.engine.secure import SecureSocket
from skitaid.engine.stream import Stream
from skitaid.exceptions import PeerError
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.headers import FieldLine
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.response import Http1Exchange
from skitaid.protocols.http1.server import Http1Server, State, Unread

__all__ = ["Http1Connection"]

PIPELINE_BYTES: Final = 65536
# Looking a member up in its Enum costs 0.1 µs on 3.11, several times a request.
_HEAD: Final = State.HEAD
_BODY: Final = State.BODY
_COMPLETE: Final = State.COMPLETE
_OTHER_VERSION: Final = 505
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\n"
"""What HTTP/1 takes for a head of what HTTP/2 begins with."""
_H2C: Final = b"h2c"


class Http1Connection(Connection):
    """A connection that speaks HTTP/1. `stream`: the request in flight."""

    DISCARD_BYTES: ClassVar[int] = 65536

    __slots__ = ("_discarded", "_parser", "_to_finish", "stream")

    def __init__(
        self, engine: ConnectionEngine, listener: Listener, sock: socket.socket | SecureSocket, peer: Peer
    ) -> None:
        super().__init__(engine, listener, sock, peer)
        self._parser = Http1Server(self)
        self._to_finish: Stream | None = None
        self._discarded = 0
        self.stream: Stream | None = None

    # ------------------------------------------------------------ what a stream asks

    @property
    def bytes_ahead(self) -> int:
        """While a head is dispatched: how much of what follows it is here already."""
        return self._parser.buffered

    @property
    def is_draining(self) -> bool:
        """Whether the response in flight is the last: this worker is to end, or the client asked for nothing more."""
        return self.engine.is_draining or (self.input_ended and not self._parser.buffered)

    def can_go_on(self) -> bool:
        """Whether nothing speaks against another request after this one: the quick answer for most."""
        return self._parser.state is _COMPLETE and not self.input_ended and not self.engine.is_draining

    @property
    def is_request_complete(self) -> bool:
        """Whether the request in flight has been received to its end."""
        return self._parser.state is _COMPLETE

    @property
    def is_busy(self) -> bool:
        return self.stream is not None

    def _phase_of_requests(self) -> Phase:
        state = self._parser.state
        if state is _BODY and self._is_body_due():
            return Phase.BODY
        if self.stream is not None:
            return Phase.APP
        return Phase.HEAD if state is _HEAD and self._parser.buffered else Phase.IDLE

    def _is_body_due(self) -> bool:
        """Whether it is the client who keeps us waiting: it may send, and was asked to if it wants to be asked."""
        stream = self.stream
        if stream is None:
            return True
        return bool(self._interest & READ) and (stream.body is None or stream.body.before_read is None)

    def finish(self, stream: Stream, data: bytes) -> None:
        """The response of `stream` ends with `data`."""
        try:
            is_sent = self.send(data)
        except ClientGoneError:
            self.abandon(stream)
            return
        if not is_sent:
            with self._lock:
                # Broken: the loop has given the connection up, or is about to, and will not look at this again.
                if self._outgoing and not self.is_broken:
                    self._to_finish = stream
                    return
        self._complete(stream)

    def abandon(self, stream: Stream) -> None:
        """The response of `stream` can't be completed: nothing more goes out, and the client sees a reset. Too late
        for a response that is at its end already: nothing happens then."""
        if self.stream is not stream or self._to_finish is stream:
            return
        self.is_broken = True
        stream.exchange.is_persistent = False
        self._complete(stream)

    def switch(self) -> None:
        """On the loop: the connection is HTTP's no more. What comes in from here on, and what has come behind the head
        of the request in flight, goes to the body of its stream as it is."""
        held = self._parser.held
        self._parser = Unread(self)
        if held:
            self.body(held)

    def push(self, target: bytes) -> bool:
        """False: HTTP/1 has no server push."""
        return False

    def end_output(self) -> bool:
        """On the loop: say that nothing more will come from us, and go on listening. False: first what is queued has to
        be sent."""
        if self._outgoing:
            return False
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            # Gone already; the poller tells of it.
            return True
        return True

    # ------------------------------------------------------------ input, on the loop thread

    def _feed(self, data: bytes) -> None:
        parser = self._parser
        if self.is_closing and self.stream is None:
            # The last response is on its way out; what the client says after it is not heard.
            return
        try:
            if parser.state is _COMPLETE:
                if self.stream is None:
                    self.head_at = self.touched
                    parser.proceed()
            elif parser.state is _HEAD and not parser.held:
                self.head_at = self.touched
            parser.feed(data)
            if self.stream is None and parser.held:
                self._go_on()
        except ProtocolError as error:
            if error.status == _OTHER_VERSION and self._begin_http2(parser.held + data):
                return
            self._refuse(error)
        if len(parser.held) > PIPELINE_BYTES and parser.state is _COMPLETE:
            self.set_reading(False)

    def _begin_http2(self, data: bytes) -> bool:
        """Whether what is no request of HTTP/1 is the beginning of HTTP/2 (RFC 9113 section 3.4)."""
        return not self.served and data.startswith(_PREFACE) and self.engine.begin_http2(self, data)

    def _go_on(self) -> None:
        """Take the requests that wait in the parser, as long as each is answered at once."""
        parser = self._parser
        while self.stream is None and parser.state is _COMPLETE and parser.buffered and not self.is_closing:
            self.head_at = self.engine.now
            parser.proceed()

    def _proceed(self) -> None:
        """On the loop: the response before is done, begin with what the client sent meanwhile."""
        if self._is_closed or self.stream is not None:
            return
        if self.is_closing:
            self._begin_close()
            return
        try:
            self._go_on()
        except ProtocolError as error:
            self._refuse(error)
        if self.is_closing:
            self._begin_close()
        elif not self._interest & READ and not self.input_ended and self._parser.buffered <= PIPELINE_BYTES:
            self.set_reading(True)
        elif self.input_ended and self.stream is None:
            self._close()

    def _input_ended(self) -> None:
        self.input_ended = True
        self.set_reading(False)
        stream = self.stream
        if stream is None:
            # A request may be here already whose turn has not come.
            self._proceed()
        elif self._parser.state is _BODY:
            self._fail_body(stream, PeerError("the client closed the connection before its request was complete"))
        elif stream.body is not None and stream.is_on_loop and stream.is_dispatched:
            # Nobody waits for more of the body; an app that waits for the client to go is told.
            stream.body.fail(PeerError("the client closed its side of the connection"))

    def _lose(self) -> None:
        self.is_broken = True
        self.input_ended = True
        stream = self.stream
        if stream is not None and stream.body is not None:
            stream.body.fail(PeerError("the client closed the connection"))
        self._close_when_free()

    def _flush(self) -> None:
        self._send_queued()
        if self.is_broken:
            self._lose()
            return
        with self._lock:
            finished = None if self._outgoing else self._to_finish
        stream = self.stream
        if finished is not None:
            self._complete(finished)
            self._to_finish = None
        elif self.outgoing_bytes <= LOW_BYTES and stream is not None and stream.is_on_loop and stream.is_dispatched:
            # A response made on the loop stopped because the client was slow: on with it.
            stream.resume()

    # ------------------------------------------------------------ the protocol's calls (Receiver)

    def request(self, head: RequestHead) -> None:
        served = self.served
        self.served = served + 1
        if not served and head.fields.upgrade == _H2C and self.engine.upgrade_to_http2(self, head, self._parser):
            return
        exchange = Http1Exchange(head.line.method, head.line.minor, head.is_persistent)
        stream = self.stream = Stream(self, head, exchange)
        self.engine.dispatch(stream)

    def body(self, data: bytes) -> None:
        stream = self.stream
        if stream is not None and stream.body is not None:
            stream.body.feed(data)
            return
        self._discarded += len(data)
        if self._discarded > self.DISCARD_BYTES:
            self.is_closing = True

    def end(self, trailers: list[FieldLine]) -> None:
        stream = self.stream
        self._discarded = 0
        if stream is not None and stream.body is not None:
            stream.body.end()

    # ------------------------------------------------------------ ends

    def _complete(self, stream: Stream) -> None:
        """The response is sent, or given up. On whatever thread did it."""
        if self.is_broken:
            stream.reply_bytes = max(0, stream.reply_bytes - self.unsent_bytes)
        self.engine.note_done(stream)
        is_over = not stream.exchange.is_persistent or self.is_broken
        if is_over:
            self.is_closing = True
        # The wait for the next request begins now.
        self.touched = self.engine.now
        # From here on the loop thread may begin the next request.
        self.stream = None
        parser = self._parser
        if is_over or parser.held or self.input_ended or not self._interest & READ:
            self.engine.portal.call(self._proceed)

    def _refuse(self, error: ProtocolError) -> None:
        """Answer what can't be understood, and close: nobody knows where the next request begins."""
        stream = self.stream
        if stream is not None and (stream.is_dispatched or stream.is_started):
            # First, as its app thread may come to the end of the response right now.
            self.is_closing = True
            stream.exchange.is_persistent = False
            self.set_reading(False)
            self._fail_body(stream, error)
            return
        self.is_closing = True
        reply = Http1Exchange("GET", 1, False).respond(*self.engine.refuse(stream, self.peer, error), self.engine.stamp)
        self.stream = None
        try:
            self.send(reply)
        except ClientGoneError:
            self._close()

    def _fail_body(self, stream: Stream, error: PeerError) -> None:
        stream.exchange.is_persistent = False
        if stream.body is not None and stream.is_dispatched:
            stream.body.fail(error)
        elif not stream.is_dispatched:
            self.is_broken = True
            self._close_when_free()

    def refuse_request(self, error: ProtocolError) -> None:
        """On the loop: the request in flight can't be taken, though nothing is wrong with its bytes so far."""
        self._refuse(error)
        if self.is_closing:
            self._begin_close()

    def time_out(self, phase: Phase) -> None:
        stream = self.stream
        if phase is Phase.HEAD:
            self._refuse(ProtocolError(408, "the request did not arrive in time"))
            self._begin_close()
        elif phase is Phase.BODY and stream is not None:
            self.refuse_request(ProtocolError(408, "the body of the request did not arrive in time"))
        elif phase is Phase.SENDING:
            self.is_broken = True
            self._close_when_free()
        else:
            self._close()

    def _close_when_free(self) -> None:
        self.is_closing = True
        with self._lock:
            # An app thread that is in `finish` has either left its stream here by now, or will see that all is over.
            stream = self._to_finish
        if stream is not None:
            self._complete(stream)
            self._to_finish = None
        stream = self.stream
        if stream is not None and not stream.is_dispatched:
            # Nobody has begun with it: nothing will ever answer.
            self.engine.note_done(stream)
            stream = self.stream = None
        if stream is None:
            self._close()
            return
        # A reset is reported by every poll: out of the set until it can be closed.
        self._unregister()
        self._wake_sender()
        if stream.is_on_loop:
            stream.resume()

    def close_idle(self) -> None:
        if self._is_idle():
            # What the kernel holds for us may be a request.
            self.on_event(READ)
        if self._is_idle():
            self.is_closing = True
            self._begin_close()

    def _is_idle(self) -> bool:
        return self.phase is Phase.IDLE and not self._parser.buffered

    def stop_waiting(self) -> None:
        stream = self.stream
        if self._outgoing:
            self.is_broken = True
            self._wake_sender()
        if stream is not None and stream.body is not None and not stream.body.is_complete:
            stream.body.fail(PeerError("the server stops"))
