"""A gRPC call whose messages go and come one by one, while it lasts: for threads, which may wait.

`for message in stream` waits for the next message; `send` waits while the server does not read. What waits to be read
is bounded: the server is held back.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, Self

from skitaid.exceptions import SkitaidError
from skitaid.protocols.grpc import Deframer, GrpcFormatError, frame
from skitaid.upstream.call import Exchange, ResponseHead, Tunnel
from skitaid.upstream.call import Fields as CallFields
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.was.calls.http_work import cluster_of, members_of
from skitaid.was.calls.order import Order
from skitaid.was.errors import LoopThreadError
from skitaid.was.messages.errors import ReplyError
from skitaid.was.messages.fields import Fields
from skitaid.was.messages.grpc_reading import coding_of, ending_of
from skitaid.was.messages.grpc_types import GrpcMethod
from skitaid.was.worker import Worker, current_worker

__all__ = ["GrpcStream", "open_stream"]

_HIGH: Final = 64
_LOW: Final = 16
"""Messages that wait to be read; above _HIGH the server is held back until _LOW are left."""


def open_stream(order: Order, method: GrpcMethod, messages: Sequence[bytes] | None) -> GrpcStream:
    """Begin one; `messages` None: what goes is said by `send`. Raises CallError, NoWorkerError."""
    worker = current_worker()
    members_of(worker, order)
    stream = GrpcStream(worker, order, method)
    stream._start()
    if messages is not None:
        for message in messages:
            stream._put(frame(message))
        stream.end()
    return stream


class GrpcStream:
    """Is iterated by one thread. As a context manager it is cancelled at the end of the block, if it still goes on."""

    def __init__(self, worker: Worker, order: Order, method: GrpcMethod) -> None:
        self._worker = worker
        self._order = order
        self._method = method
        self._exchange: Exchange | None = None
        self._deframer: Deframer
        self._head: tuple[int, Fields] = (0, ())
        self._state = threading.Condition()
        self._messages: deque[bytes] = deque()
        self._outgoing: deque[bytes | None] = deque()
        self._is_congested = self._is_held_back = self._is_half_closed = False
        self._is_over = False
        self._error: SkitaidError | None = None
        timeout = order.timeout_s
        self._deadline = None if timeout is None else time.monotonic() + timeout

    # ------------------------------------------------------------ for apps

    def send(self, message: object) -> None:
        """Let a message go; waits while the server is behind. Raises CallError for one of another type, what ended the
        call if it is over, TimeoutError."""
        data = frame(self._method.write(message))
        self._must_be_thread("send")
        with self._state:
            self._wait(lambda: not self._is_congested or self._is_over)
            if self._is_over or self._is_half_closed:
                raise self._error or ReplyError("the call is over: no message can be sent any more")
        self._put(data)

    def end(self) -> None:
        """No message follows. The server's may still come."""
        if not self._is_half_closed:
            self._is_half_closed = True
            self._put(None)

    def cancel(self) -> None:
        """Give the call up. Fine after the end."""
        self._worker.engine.portal.call(self._cancel)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """The next message. Raises GrpcError and others when the call ended badly, TimeoutError."""
        self._must_be_thread("reading a stream")
        with self._state:
            self._wait(lambda: self._messages or self._is_over)
            if self._messages:
                data = self._messages.popleft()
                if self._is_held_back and len(self._messages) <= _LOW:
                    self._is_held_back = False
                    self._worker.engine.portal.call(self._resume)
            elif self._error is not None:
                raise self._error
            else:
                raise StopIteration
        return self._method.read(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.cancel()

    # ------------------------------------------------------------ inside, any thread

    def _start(self) -> None:
        self._worker.engine.portal.call(self._begin)

    def _put(self, data: bytes | None) -> None:
        self._outgoing.append(data)
        self._worker.engine.portal.call(self._send)

    def _must_be_thread(self, what: str) -> None:
        if self._worker.is_loop_thread:
            raise LoopThreadError(what)

    def _wait(self, condition: Any) -> None:
        """With `_state` held."""
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        if not self._state.wait_for(condition, left):
            self.cancel()
            raise TimeoutError("the call took longer than its time-out")

    # ------------------------------------------------------------ inside, on the loop thread

    def _begin(self) -> None:
        call = replace(self._order.call, body=None, content_length=None)
        try:
            self._exchange = cluster_of(self._worker, self._order.target).request(call, self)
        except SkitaidError as error:
            self._finish(error)

    def _send(self) -> None:
        exchange = self._exchange
        if exchange is None or self._is_over:
            return
        data = self._outgoing.popleft()
        if data is None:
            exchange.end()
        elif not exchange.send(data):
            self._set_congested(True)

    def _resume(self) -> None:
        if self._exchange is not None:
            self._exchange.resume()

    def _cancel(self) -> None:
        exchange = self._exchange
        if not self._is_over:
            self._finish(UpstreamError(Failure.CANCELLED))
            if exchange is not None:
                exchange.cancel()

    def _set_congested(self, is_congested: bool) -> None:
        with self._state:
            self._is_congested = is_congested
            self._state.notify_all()

    def _finish(self, error: SkitaidError | None) -> None:
        with self._state:
            self._is_over = True
            self._error = error
            self._exchange = None
            self._state.notify_all()

    def _fail(self, error: SkitaidError) -> None:
        exchange = self._exchange
        self._finish(error)
        if exchange is not None:
            exchange.cancel()

    # ------------------------------------------------------------ upstream.call.Receiver

    def on_information(self, head: ResponseHead) -> None:
        """gRPC has none."""

    def on_response(self, head: ResponseHead) -> None:
        self._head = head.status, head.fields.pairs
        self._deframer = Deframer(self._order.max_bytes, coding_of(head.fields.pairs))

    def on_data(self, data: bytes) -> None:
        if self._is_over or self._head[0] != 200:
            return
        try:
            messages = self._deframer.feed(data)
        except GrpcFormatError as error:
            self._fail(ReplyError(f"the response is not gRPC: {error}"))
            return
        with self._state:
            self._messages += messages
            is_full = len(self._messages) > _HIGH
            self._is_held_back = self._is_held_back or is_full
            self._state.notify_all()
        if is_full and self._exchange is not None:
            self._exchange.pause()

    def on_flush(self) -> None:
        """Nothing is held back here."""

    def on_end(self, trailers: CallFields) -> None:
        if self._is_over:
            return
        error = ending_of(*self._head, tuple(trailers))
        if error is None and not self._deframer.is_between:
            error = ReplyError("the last message of the response is cut off")
        self._finish(error)

    def on_failure(self, error: UpstreamError) -> None:
        if not self._is_over:
            self._finish(error)

    def on_writable(self) -> None:
        self._set_congested(False)

    def on_upgrade(self, head: ResponseHead, tunnel: Tunnel) -> None:
        """Never asked for."""
        self._fail(UpstreamError(Failure.INVALID, "it switched protocols, which it was not asked for"))
