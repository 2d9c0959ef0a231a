"""A request and its response, as handlers see them, whatever the protocol."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from skitaid.engine.body import BodySink
from skitaid.engine.coded_body import MIN_BYTES, CodedBody, choose_for_pieces, code_whole
from skitaid.engine.coding import Choice
from skitaid.engine.errors import ClientGoneError
from skitaid.engine.exchange import Exchange, Fields
from skitaid.engine.file_segment import FileSegment
from skitaid.engine.forwarded import Forwarded
from skitaid.engine.listener import Listener
from skitaid.engine.portal import Portal
from skitaid.engine.secure import SecureSocket
from skitaid.engine.selector import EngineLoop
from skitaid.engine.spool import Spool
from skitaid.engine.spooled_body import SpooledBody, make_body
from skitaid.engine.threads import AppThreads
from skitaid.engine.transaction import FIRST_LTXNID
from skitaid.protocols.errors import ProtocolError
from skitaid.protocols.http1.head import RequestHead
from skitaid.protocols.http1.response import Stamp

__all__ = ["Fields", "Stream", "StreamConnection", "StreamEngine"]


class StreamEngine(Protocol):
    """The engine, as a stream and those who answer it see it. `threads` None: apps run on the loop, where none of them
    can wait. `stamp`: the Date and Server lines of this second."""

    now: float
    stamp: Stamp
    loop: EngineLoop
    portal: Portal
    spool: Spool | None
    threads: AppThreads | None
    next_gtxnid: Callable[[], str]

    def respond_error(self, stream: Stream, code: int, text: str, *, retry: bool = False) -> None: ...


class StreamConnection(Protocol):
    """A connection, as its streams and those who answer them see it. `touched`: when something last went on, by the
    engine's clock. What sends raises ClientGoneError."""

    DISCARD_BYTES: ClassVar[int]
    listener: Listener
    peer: str
    peer_port: str
    client_address: tuple[str, int] | None
    touched: float

    @property
    def secure(self) -> SecureSocket | None: ...

    @property
    def engine(self) -> StreamEngine: ...
    @property
    def stream(self) -> Stream | None: ...
    @property
    def bytes_ahead(self) -> int: ...
    @property
    def is_broken(self) -> bool: ...
    @property
    def is_congested(self) -> bool: ...
    @property
    def is_draining(self) -> bool: ...
    def can_go_on(self) -> bool: ...
    @property
    def is_request_complete(self) -> bool: ...
    def set_reading(self, is_on: bool) -> None: ...
    def refuse_request(self, error: ProtocolError) -> None: ...
    def hold(self, data: bytes) -> None: ...
    def send(self, data: bytes) -> bool: ...
    def send_file(self, segment: FileSegment) -> bool: ...
    def put_aside(self, data: bytes) -> bool: ...
    def push(self, target: bytes) -> bool: ...
    def wait_drained(self) -> None: ...
    def switch(self) -> None: ...
    def end_output(self) -> bool: ...
    def finish(self, stream: Stream, data: bytes) -> None: ...
    def abandon(self, stream: Stream) -> None: ...


class Stream:
    """Handlers answer with `respond`, or with `start`, `write` any number of times, and `finish`. `abort` gives up
    after `start`. One thread at a time; the thread that runs the request, or the loop.

    `job` is what an app thread runs for this stream. `is_on_loop`: the response is made on the loop thread, where
    nothing may block. `gtxnid`: see engine.transaction. `forwarded`: what a trusted peer says about the request; None:
    it is the peer's own. `may_code`: the response is compressed if that pays and the client can read it;
    `coded` is its body then. `is_logged`: it gets a line in the request log.
    """

    __slots__ = (
        "body",
        "coded",
        "connection",
        "exchange",
        "forwarded",
        "gtxnid",
        "handled_at",
        "head",
        "is_dispatched",
        "is_logged",
        "is_on_loop",
        "job",
        "may_code",
        "note",
        "reply_bytes",
        "started_at",
        "status",
    )

    def __init__(self, connection: StreamConnection, head: RequestHead, exchange: Exchange) -> None:
        self.connection = connection
        self.head = head
        self.exchange = exchange
        self.body: BodySink | None = None
        self.is_on_loop = True
        self.is_dispatched = False
        self.is_logged = True
        self.gtxnid = connection.engine.next_gtxnid()
        self.forwarded: Forwarded | None = None
        self.started_at = time.time()
        self.handled_at = 0.0
        self.status = ""
        self.reply_bytes = 0
        self.job: Callable[[Stream], None] | None = None
        self.note: Any = None
        self.may_code = False
        self.coded: CodedBody | None = None

    def run(self) -> None:
        """Do what `job` says, once. Called by an app thread, or on the loop."""
        job, self.job = self.job, None
        if job is not None:
            try:
                job(self)
            except BaseException:  # noqa: BLE001  # a root: whatever a job does, its connection must not wait for ever
                traceback.print_exc(file=sys.stderr)
                self.abandon()

    def resume(self) -> None:
        """On the loop: the client took what it was sent, or has gone. On with it."""
        if self.coded is not None and self.coded.is_busy:
            self.coded.go_on()
        else:
            self.run()

    def call_soon(self, function: Callable[[], None]) -> None:
        """Have `function()` called on the loop thread, when others had their turn. From any thread."""
        self.connection.engine.portal.call(function)

    @property
    def is_current(self) -> bool:
        """Whether its response is neither complete nor given up."""
        return self.connection.stream is self

    # ------------------------------------------------------------ the request

    @property
    def path(self) -> str:
        """The decoded path, latin-1 (PEP 3333)."""
        return self.head.line.path

    @property
    def scheme(self) -> str:
        """As the client used it: "http" or "https"."""
        forwarded = self.forwarded
        return self.connection.listener.scheme if forwarded is None or not forwarded.scheme else forwarded.scheme

    @property
    def ltxnid(self) -> str:
        """See engine.transaction."""
        return FIRST_LTXNID if self.forwarded is None else self.forwarded.ltxnid

    @property
    def is_started(self) -> bool:
        """Whether the head of the response is sent."""
        return self.exchange.is_started

    @property
    def is_client_slow(self) -> bool:
        """Whether more waits to be sent than should."""
        return self.connection.is_congested

    @property
    def is_congested(self) -> bool:
        """Whether more waits to be compressed or sent than should."""
        return self.connection.is_congested or (self.coded is not None and self.coded.is_busy)

    @property
    def is_complete(self) -> bool:
        """Whether the body of the response is as long as was promised."""
        return self.exchange.is_complete if self.coded is None else self.coded.is_complete

    @property
    def is_cut(self) -> bool:
        """Whether the app gave more than it promised."""
        left = self.exchange.left if self.coded is None else self.coded.left
        return left is not None and left < 0

    def expect_body(self, on_ready: Callable[[], None], limit: int | None = None, *, is_streamed: bool = False) -> None:
        """Collect the request's body; `on_ready` is called on the loop thread when an app can begin with it: when all
        of it is there, if the spool has room for it; `is_streamed`, or with a longer one, as soon as there is some.

        To be called while the head is dispatched, for a request that has a body; without it the body is discarded.
        """
        connection = self.connection
        body = self.body = make_body(
            connection, on_ready, length=self.head.content_length, limit=limit, is_streamed=is_streamed
        )
        if isinstance(body, SpooledBody):
            body.on_failure = self._refuse_body
        if self.head.fields.expects_continue and self.head.line.minor:
            body.before_read = self.send_continue
            if connection.engine.threads is None or not body.start_early():
                # Apps run on this very thread, or threads wait for enough others: it is asked for at once.
                self._ask_for_body()

    def _refuse_body(self, error: ProtocolError) -> None:
        if self.is_current:
            self.connection.refuse_request(error)

    def _ask_for_body(self) -> None:
        try:
            self.send_continue()
        except ClientGoneError:
            # The poller tells the connection of it in its own time.
            return

    def send_continue(self) -> None:
        """Ask the client for the body it announced (RFC 9110 section 10.1.1)."""
        body = self.body
        if body is not None and not self.is_started and not body.received and not body.is_complete:
            body.before_read = None
            connection = self.connection
            # The client's time to send the body begins.
            connection.touched = connection.engine.now
            connection.send(self.exchange.interim("100 Continue", ()))

    # ------------------------------------------------------------ the response

    def respond(self, status: str, fields: Fields, body: bytes) -> None:
        """The whole response. Raises ResponseError before anything is sent; never for a client that is gone."""
        connection = self.connection
        self.handled_at = time.time()
        if not connection.can_go_on():
            self._settle()
        size = len(body)
        if (size >= MIN_BYTES or not size) and self.may_code:
            coded = code_whole(self, status, fields, body)
            if coded is None:
                return
            fields, body = coded
            size = len(body)
        data = self.exchange.respond(status, fields, body, connection.engine.stamp)
        self.status = status[:3]
        self.reply_bytes = 0 if self.head.line.method == "HEAD" else size
        connection.finish(self, data)

    def respond_prepared(self, status: str, head: bytes, body: bytes) -> None:
        """`respond` with a head that was made before, by `prepare_head`."""
        connection = self.connection
        self.handled_at = time.time()
        if not connection.can_go_on():
            self._settle()
        data = self.exchange.respond_prepared(head, body, connection.engine.stamp)
        self.status = status[:3]
        self.reply_bytes = 0 if self.head.line.method == "HEAD" else len(body)
        connection.finish(self, data)

    def respond_rendered(self, status: str, head: bytes, body: bytes) -> None:
        """`respond` with a head that was made before, by `render_head`."""
        connection = self.connection
        self.handled_at = time.time()
        if not connection.can_go_on():
            self._settle()
        self.status = status[:3]
        self.reply_bytes = 0 if self.head.line.method == "HEAD" else len(body)
        connection.finish(self, self.exchange.respond_rendered(head, body))

    def start(self, status: str, fields: Fields) -> None:
        """The head. Raises ResponseError before anything is sent, ClientGoneError."""
        if self.may_code:
            self.start_coded(status, choose_for_pieces(self, status, fields))
        else:
            self._start(status, fields)

    def start_coded(self, status: str, choice: Choice) -> None:
        """`start`, for a body that is compressed as was chosen."""
        self._start(status, choice.fields)
        if choice.coding is not None:
            self.coded = CodedBody(self, choice.coding, choice.length)

    def _start(self, status: str, fields: Fields) -> None:
        connection = self.connection
        self.handled_at = time.time()
        if not connection.can_go_on():
            self._settle()
        data = self.exchange.start(status, fields, connection.engine.stamp)
        self.status = status[:3]
        # Kept until the first piece of the body is there, so that both travel in one packet.
        connection.hold(data)

    def write(self, piece: bytes) -> None:
        """A piece of the body. Off the loop it waits while the client takes its time; on the loop look at
        `is_congested`. Raises ClientGoneError."""
        if self.coded is None:
            self.send_piece(piece)
        else:
            self.coded.write(piece)

    def send_piece(self, piece: bytes) -> None:
        """`write`, for what is not to be compressed any more."""
        data = self.exchange.data(piece)
        if data:
            self.reply_bytes += len(piece)
        connection = self.connection
        if not self.is_on_loop and connection.is_congested and self._wait_for_client(data):
            return
        connection.send(data)

    def _wait_for_client(self, data: bytes) -> bool:
        """In an app thread, whose client is slow: wait for it, another thread in our place; if there are too many who
        wait, put `data` on disk, which gives True; if there is no room for it, wait in our own place."""
        threads = self.connection.engine.threads
        if threads is not None and threads.step_aside():
            try:
                self.connection.wait_drained()
            finally:
                threads.step_back()
            return False
        if self.connection.put_aside(data):
            return True
        self.connection.wait_drained()
        return False

    def write_file(self, segment: FileSegment, before: bytes = b"") -> None:
        """A part of a file as a piece of the body, and bytes in front of it; for a response with a length. The segment
        is closed by whoever sends it. Never waits: files take no memory while they do. Raises ClientGoneError."""
        length = len(segment) + len(before)
        is_wanted = False
        try:
            is_wanted = self.exchange.pass_over(length)
        finally:
            if not is_wanted:
                segment.close()
        if not is_wanted:
            return
        self.reply_bytes += length
        if before:
            self.connection.hold(before)
        self.connection.send_file(segment)

    def finish(self, trailers: Fields = ()) -> None:
        """The end of the body. `trailers` go to a client that gets the body in chunks, and not compressed."""
        if self.coded is None:
            self.connection.finish(self, self.exchange.end(trailers))
        else:
            self.coded.finish()

    def inform(self, status: str, fields: Fields) -> None:
        """An interim response, such as `103 Early Hints`, by whoever answers; nothing to a client of HTTP/1.0, which
        knows none, or once the head is sent. Raises ResponseError, ClientGoneError."""
        if self.head.line.minor and not self.is_started:
            self.connection.send(self.exchange.interim(status, fields))

    def push(self, target: str) -> bool:
        """Send what GET `target` (a path) would get along with this response, by whoever answers and before its end.
        False: the protocol can't, or the client does not want it; most don't (RFC 9113 section 8.4)."""
        return self.connection.push(target.encode("latin-1", "replace"))

    def switch(self, status: str, fields: Fields, protocol: bytes | None = None) -> None:
        """On the loop: the head after which the connection speaks another protocol (Http1Exchange.switch). From here on
        `body` gets what the client sends, and `write` sends pieces as they are; with `finish` the connection ends.
        Raises ResponseError, ClientGoneError."""
        self.handled_at = time.time()
        data = self.exchange.switch(status, fields, protocol)
        self.status = status[:3]
        self.connection.send(data)
        self.connection.switch()

    def end_coded(self, piece: bytes) -> None:
        """The last piece of a compressed body, and the end."""
        self.reply_bytes += len(piece)
        self.connection.finish(self, self.exchange.data(piece) + self.exchange.end())

    def abandon(self) -> None:
        """Nobody is there to take the response."""
        self.connection.abandon(self)

    def abort(self) -> None:
        """Give up on a response that was begun: the client must see that it is not whole (RFC 9112 section 8)."""
        self.exchange.is_persistent = False
        self.abandon()

    def _settle(self) -> None:
        """Decide whether the connection can go on after this response, when it is not clear that it can."""
        connection = self.connection
        if connection.is_draining or (not connection.is_request_complete and not self._can_discard_body()):
            self.exchange.is_persistent = False

    def _can_discard_body(self) -> bool:
        """Whether what is left of the request's body is sure to come, and small enough to be read and thrown away."""
        body = self.body
        if self.head.fields.expects_continue if body is None else body.before_read is not None:
            # Nobody asked for it: the client sends it or leaves it out (RFC 9110 section 10.1.1).
            return False
        length = self.head.content_length
        return length is not None and length <= self.connection.DISCARD_BYTES
