"""Carrying out an order: a call to a cluster, perhaps a second one that follows from its reply, and a Result.

It begins in the thread of the app, goes on on the loop thread, where the reply is collected, and ends there. What takes
time (unpacking, decoding) is left to whoever opens the result.
"""

from __future__ import annotations

import sys
import time
import traceback
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from skitaid.exceptions import SkitaidError
from skitaid.upstream.call import Call, Exchange, Fields, ResponseHead, Tunnel
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.was.calls.order import timeouts_for
from skitaid.was.messages.errors import CallError, without_frames
from skitaid.was.messages.reply import Reply
from skitaid.was.tasks.result import Result
from skitaid.was.tasks.task import PATIENCE_S

if TYPE_CHECKING:
    from skitaid.was.calls.order import Order
    from skitaid.was.messages.pump import BodyPump
    from skitaid.was.messages.streamed import StreamedBody
    from skitaid.was.messages.target import Target
    from skitaid.was.tasks.work import Done
    from skitaid.was.worker import Cluster, Worker

__all__ = ["HttpWork", "cluster_of", "members_of"]

MAX_STEPS: Final = 20
"""Orders that follow from each other. Redirects have a stricter limit of their own."""
_OVERHEAD: Final = 1000
_NOT_MODIFIED: Final = 304


class HttpWork:
    """A tasks.work.Work, and the upstream.call.Receiver of its calls. `ids`: gtxnid and ltxnid that go with it;
    `member`: the only one of the alias that it may go to."""

    def __init__(
        self, worker: Worker, order: Order, *, ids: tuple[str, str] | None = None, member: int | None = None
    ) -> None:
        self.patience_s: float | None = PATIENCE_S if order.timeout_s is None else order.timeout_s
        self._worker = worker
        self._order = order
        self._deadline = None if order.timeout_s is None else time.monotonic() + order.timeout_s
        self._ids = ids
        self._member = member
        self._done: Done
        self._exchange: Exchange | None = None
        self._is_over = self._is_counted = False
        self._pump: BodyPump | None = None
        self._streamed: StreamedBody | None = None
        self._steps = 0
        self._head: ResponseHead
        self._pieces: list[bytes] = []
        self._received = 0

    # ------------------------------------------------------------ work.Work

    @property
    def about(self) -> str:
        return self._order.about

    def start(self, done: Done) -> None:
        self._done = done
        if self._order.streamed is not None:
            self._streamed = self._order.streamed
            self._streamed.acquire()
        self._worker.engine.portal.call(self._begin)

    def cancel(self) -> None:
        if not self._is_over:
            # Known at once, so that what waits for its turn on the loop thread does not begin.
            self._is_over = True
            self._worker.engine.portal.call(self._cancel)

    def _cancel(self) -> None:
        exchange = self._leave()
        if exchange is not None:
            exchange.cancel()

    def _leave(self) -> Exchange | None:
        """Have done with the exchange, and with what was to be sent by it."""
        if self._is_counted:
            self._is_counted = False
            self._worker.calls -= 1
        self._let_go_of_body()
        exchange, self._exchange = self._exchange, None
        return exchange

    # ------------------------------------------------------------ on the loop thread

    def _begin(self) -> None:
        """A root: the portal would lose what is raised here, and somebody waits."""
        if self._is_over:
            return
        if not self._is_counted:
            self._is_counted = True
            self._worker.calls += 1
        try:
            self._request()
        except Exception as error:  # noqa: BLE001
            if not isinstance(error, SkitaidError):
                traceback.print_exc(file=sys.stderr)
            self._end(Result.of_error(error))

    def _request(self) -> None:
        order = self._order
        self._pieces, self._received = [], 0
        call = self._call(order)
        cluster = cluster_of(self._worker, order.target)
        if self._member is None:
            self._exchange = cluster.request(call, self)
        else:
            self._exchange = cluster.request_member(self._member, call, self)
        if order.streamed is not None:
            self._pump_body(order.streamed, self._exchange)

    def _call(self, order: Order) -> Call:
        """With the ids, and with the time that the alias gives to connecting."""
        connect_s = self._worker.connect_s.get(order.target.alias or "")
        if self._ids is None and connect_s is None:
            return order.call
        call = _copy(order.call)
        if self._ids is not None:
            call.fields = [*call.fields, *_id_fields(self._ids)]
        if connect_s is not None:
            limit_s = connect_s if order.timeout_s is None else min(connect_s, order.timeout_s)
            call.timeouts = replace(call.timeouts, connect_s=limit_s)
        return call

    def _pump_body(self, body: StreamedBody, exchange: Exchange) -> None:
        from skitaid.was.messages.pump import BodyPump

        self._pump = BodyPump(body, self._worker.engine.disk, self._body_failed)
        self._pump.start(exchange)

    def _body_failed(self, error: CallError) -> None:
        if not self._is_over:
            self._fail(error)

    def _stop_pump(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.stop()

    def _let_go_of_body(self) -> None:
        self._stop_pump()
        body, self._streamed = self._streamed, None
        if body is not None:
            body.release()

    def _end(self, result: Result) -> None:
        self._is_over = True
        self._leave()
        if result.error is not None:
            without_frames(result.error)
        result.about = self._order.about
        self._done(result)

    def _fail(self, error: SkitaidError) -> None:
        exchange = self._exchange
        self._end(Result.of_error(error))
        if exchange is not None:
            exchange.cancel()

    # ------------------------------------------------------------ upstream.call.Receiver

    def on_information(self, head: ResponseHead) -> None:
        """Nothing that an app asked for."""

    def on_response(self, head: ResponseHead) -> None:
        self._head = head
        if head.content_length is not None and self._order.call.method != "HEAD" and head.status != _NOT_MODIFIED:
            self._check_size(head.content_length)

    def on_data(self, data: bytes) -> None:
        if self._is_over:
            return
        self._received += len(data)
        self._pieces.append(data)
        self._check_size(self._received)

    def on_flush(self) -> None:
        """Nothing is held back here."""

    def on_writable(self) -> None:
        """More of the request's body is welcome."""
        if self._pump is not None:
            self._pump.on_writable()

    def on_end(self, trailers: Fields) -> None:
        if self._is_over:
            return
        reply = self._reply(trailers)
        try:
            following = None if self._order.follow is None else self._order.follow(reply)
        except SkitaidError as error:
            self._end(Result.of_error(error))
            return
        if following is None:
            self._end(self._result(reply))
        else:
            self._go_on(following)

    def on_failure(self, error: UpstreamError) -> None:
        if not self._is_over:
            self._end(Result.of_error(error))

    def on_upgrade(self, head: ResponseHead, tunnel: Tunnel) -> None:
        """Never asked for: nobody is there to take it."""
        self._fail(UpstreamError(Failure.INVALID, "it switched protocols, which it was not asked for"))

    # ------------------------------------------------------------ inside

    def _check_size(self, size: int) -> None:
        limit = self._order.max_bytes
        if size > limit:
            self._fail(UpstreamError(Failure.TOO_LARGE, f"{size} bytes or more, the limit is {limit}"))

    def _reply(self, trailers: Fields) -> Reply:
        head, order = self._head, self._order
        pieces = self._pieces
        return Reply(
            head.status,
            head.reason.decode("latin-1"),
            head.fields.pairs,
            pieces[0] if len(pieces) == 1 else b"".join(pieces),
            tuple(trailers),
            url=order.url,
            method=order.call.method,
            max_bytes=order.max_bytes,
        )

    def _result(self, reply: Reply) -> Result:
        opener = partial(self._order.decode, reply)
        return Result(reply.status_code, reply.reason, opener=opener, size=len(reply.body) + _OVERHEAD)

    def _go_on(self, following: Order) -> None:
        """With the order that follows from the reply."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            self._end(Result.of_error(UpstreamError(Failure.INVALID, "it leads from one place to the next, for ever")))
            return
        if self._deadline is not None:
            # All steps together have the time of one.
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                self._end(Result.of_timeout(self.about, self._order.timeout_s or 0.0))
                return
            following = replace(following, call=replace(following.call, timeouts=timeouts_for(left_s)))
        if self._member is not None and following.target.origin != self._order.target.origin:
            self._member = None
        self._stop_pump()
        self._order = following
        self._exchange = None
        # Not from inside of the exchange that is just ending.
        self._worker.engine.portal.call(self._begin)


def members_of(worker: Worker, order: Order) -> int:
    """How many servers an order can go to. Raises CallError for an alias that there is none of. From any thread."""
    alias = order.target.alias
    if alias is None:
        return 1
    try:
        return worker.aliases[alias]
    except KeyError:
        known = ", ".join(f"@{each}" for each in sorted(worker.aliases)) or "there are none"
        raise CallError(f"@{alias} is not an alias that speaks HTTP; those of the conf: {known}") from None


def cluster_of(worker: Worker, target: Target) -> Cluster:
    """The servers that a target means: those of an alias, or the one that it names. On the loop thread."""
    upstreams = worker.upstreams()
    if target.alias is None:
        return upstreams.origin(target.scheme, target.host, target.port)
    return upstreams.cluster(target.alias)


def _copy(call: Call) -> Call:
    """A fifth of the time of copy.copy."""
    twin = Call.__new__(Call)
    for name in Call.__slots__:
        setattr(twin, name, getattr(call, name))
    return twin


def _id_fields(ids: tuple[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return (b"x-gtxn-id", ids[0].encode("ascii")), (b"x-ltxn-id", ids[1].encode("ascii"))
