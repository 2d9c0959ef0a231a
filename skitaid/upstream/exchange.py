"""One call on its way: from member to member until one answers, or nothing more may be tried."""

from __future__ import annotations

from typing import Final, Protocol

from skitaid.protocols.http1.request import RequestError, field_lines, framing_line, request_line
from skitaid.upstream.call import IDEMPOTENT, Call, Fields, Receiver, ResponseHead, Tunnel
from skitaid.upstream.carrier import Carrier, Connection
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.health import State
from skitaid.upstream.member import Member
from skitaid.upstream.pool import Pool
from skitaid.upstream.retry import Attempt, Step, is_members_fault, next_step

__all__ = ["ClusterExchange", "ExchangeCluster"]

# Looking a member up in its Enum costs 0.1 µs on 3.11, several times a call.
_UP: Final = State.UP


class ExchangeCluster(Protocol):
    """A cluster, as its exchanges see it. `wait_s`: how long a call may wait for others to leave a connection."""

    context: UpstreamContext
    tries: int
    wait_s: float

    def choose(self, exchange: ClusterExchange) -> Member | None:
        """A member that was not tried."""

    def answered(self, member: Member) -> None:
        """A response came."""

    def failed(self, member: Member, error: UpstreamError, *, is_members_fault: bool, waited_s: float = 0.0) -> None:
        """None came, or it was cut short."""


class ClusterExchange:
    """One call on its way through a cluster: `upstream.call.Exchange` for the caller, `upstream.carrier.Carried` for
    the connection that carries it. `tried`: members that failed; `last_error`: how the last one did."""

    __slots__ = (
        "_carrier", "_cluster", "_deadline", "_early", "_fresh", "_is_beginning", "_is_blocked", "_is_heard",
        "_is_over", "_is_paused", "_is_spent", "_may_switch", "_member", "_only", "_pool", "_queue_until", "_trailers",
        "call", "field_lines", "is_safe", "last_error", "member", "receiver", "request_line", "touched", "tried",
    )  # fmt: skip

    def __init__(self, cluster: ExchangeCluster, call: Call, receiver: Receiver, *, only: Member | None = None) -> None:
        """`only`: this member or none. Raises RequestError for a call that can't be put on the wire."""
        self.call = call
        self.receiver = receiver
        method, body = call.method, call.body
        self.request_line = request_line(method, call.target)
        # Most calls, those of a proxy, come with lines that are made already, and without a body.
        is_bare = body == b"" and method == "GET" and not call.fields and call.upgrade is None
        self.field_lines = call.lines if is_bare else _field_lines(call)
        self.is_safe = body is not None and (method in IDEMPOTENT or call.is_idempotent)
        self.member = ""
        self.tried: list[Member] = []
        self.last_error: UpstreamError | None = None
        self.touched = 0.0
        self._cluster = cluster
        self._only = only
        self._member: Member | None = None
        self._carrier: Carrier | None = None
        self._pool: Pool | None = None
        self._early: list[bytes] = []
        self._trailers: Fields | None = None
        self._deadline = self._queue_until = 0.0
        self._is_over = self._is_heard = self._is_paused = self._is_blocked = self._is_spent = False
        self._may_switch = call.upgrade is not None or method == "CONNECT"
        self._is_beginning = True
        self._fresh = 0

    def begin(self) -> None:
        """Set out. The receiver hears nothing before this has returned."""
        cluster, total_s = self._cluster, self.call.timeouts.total_s
        context = cluster.context
        if total_s:
            self._deadline = context.engine.now + total_s
        context.deadlines.add(self)
        member = self._only or cluster.choose(self)
        if member is None:
            self._give_up(UpstreamError(Failure.NO_MEMBER, is_unsent=True))
        else:
            self._go_to(member)
        self._is_beginning = False

    # ------------------------------------------------------------ the caller's side

    def send(self, data: bytes) -> bool:
        """See upstream.call."""
        if self._is_over:
            return True
        carrier = self._carrier
        if carrier is None:
            self._early.append(data)
            self._is_blocked = True
            return False
        try:
            return carrier.send(data)
        except RequestError as error:
            self._break_off(Failure.CANCELLED, str(error))
            return True

    def end(self, trailers: Fields = ()) -> None:
        """See upstream.call."""
        self._trailers = trailers
        if self._carrier is not None and not self._is_over:
            self.touched = self._cluster.context.engine.now
            try:
                self._carrier.end(trailers)
            except RequestError as error:
                self._break_off(Failure.CANCELLED, str(error))

    def pause(self) -> None:
        """See upstream.call."""
        self._is_paused = True
        if self._carrier is not None:
            self._carrier.set_reading(False)

    def resume(self) -> None:
        """See upstream.call."""
        self._is_paused = False
        if self._carrier is not None:
            self.touched = self._cluster.context.engine.now
            self._carrier.set_reading(True)

    def cancel(self) -> None:
        """See upstream.call."""
        member, carrier = self._member, self._carrier
        self._end()
        if carrier is not None:
            carrier.abort()
        if member is not None:
            self._leave_pool()
            member.health.abandoned(self._cluster.context.engine.now)

    # ------------------------------------------------------------ from member to member

    def _go(self) -> None:
        """After a failure: on to the next member, if there is one."""
        is_enough = self._only is not None or len(self.tried) >= self._cluster.tries
        member = None if is_enough else self._cluster.choose(self)
        if member is not None:
            self._go_to(member)
        elif self.last_error is not None:
            self._give_up(self.last_error)

    def _go_to(self, member: Member, *, fresh: int = 0) -> None:
        now = self._cluster.context.engine.now
        self._member = member
        self.member = member.name
        self._fresh = fresh
        self._queue_until = now + self._cluster.wait_s
        member.in_flight += 1
        if member.health.state is not _UP:
            member.health.begin(now)
        self._pool = pool = member.pool_for(self.call) if member.is_mixed else member.pool
        pool.take(self, is_fresh=fresh > 0)

    @property
    def connect_s(self) -> float:
        """See pool.Waiter."""
        return self.call.timeouts.connect_s

    def granted(self, connection: Connection) -> None:
        """See pool.Waiter: here is a connection."""
        self.touched = self._cluster.context.engine.now
        try:
            carrier = connection.start(self)
        except RequestError as error:
            self._break_off(Failure.CANCELLED, str(error))
            return
        if carrier is None:
            return
        self._carrier = carrier
        if self.call.body is None:
            self._is_spent = True
            self._early.clear()
        if self._is_paused:
            carrier.set_reading(False)
        if self._is_blocked:
            self.on_writable()

    def failed(self, error: UpstreamError, *, is_stale: bool = False) -> None:
        """See pool.Waiter and Carried: this way it did not work."""
        member = self._member
        assert member is not None
        self._carrier = None
        self._leave(member)
        self.last_error = error
        is_fault = is_members_fault(error, is_stale=is_stale, is_waited_for=False)
        waited_s = self.connect_s if error.failure is Failure.CONNECT_TIMEOUT else 0.0
        self._cluster.failed(member, error, is_members_fault=is_fault, waited_s=waited_s)
        step = next_step(Attempt(error, self._is_heard, is_stale, self._is_spent, self.is_safe, self._fresh))
        if step is Step.FRESH:
            self._go_to(member, fresh=self._fresh + 1)
        elif step is Step.OTHER:
            self.tried.append(member)
            self._go()
        else:
            self._give_up(error)

    def _leave_pool(self) -> None:
        if self._pool is not None:
            self._pool.give_up(self)

    def _leave(self, member: Member) -> None:
        self._member = None
        member.in_flight -= 1

    # ------------------------------------------------------------ the carrier's side

    @property
    def body_so_far(self) -> tuple[list[bytes], Fields | None]:
        """See Carried."""
        return self._early, self._trailers

    def on_information(self, head: ResponseHead) -> None:
        """See Carried."""
        self._is_heard = True
        self.receiver.on_information(head)

    def on_response(self, head: ResponseHead) -> None:
        """See Carried."""
        self._is_heard = True
        member = self._member
        if member is not None and member.health.state is not _UP:
            # Now and not at the end, which may be hours away.
            self._cluster.answered(member)
        if self._may_switch and (head.status == 101 or (head.status < 300 and self.call.method == "CONNECT")):
            self._switch(head)
        else:
            self.receiver.on_response(head)

    def on_data(self, data: bytes) -> None:
        """See Carried."""
        self.receiver.on_data(data)

    def on_flush(self) -> None:
        """See Carried."""
        if self._is_heard:
            self.receiver.on_flush()

    def on_end(self, trailers: Fields) -> None:
        """See Carried."""
        carrier, member = self._carrier, self._member
        assert carrier is not None and member is not None
        if member.health.fails:
            self._cluster.answered(member)
        receiver = self._end()
        # First, so that a call that follows from the end finds it.
        carrier.release()
        receiver.on_end(trailers)

    def on_writable(self) -> None:
        """See Carried."""
        self._is_blocked = False
        self.receiver.on_writable()

    def _switch(self, head: ResponseHead) -> None:
        carrier = self._carrier
        assert carrier is not None
        self._end().on_upgrade(head, carrier.detach())

    # ------------------------------------------------------------ ends

    def sweep(self, now: float) -> None:
        """See deadlines.Timed."""
        carrier = self._carrier
        if self._deadline and now >= self._deadline:
            self._break_off(Failure.TOTAL_TIMEOUT, f"{self.call.timeouts.total_s:g} s")
        elif carrier is not None:
            stall_s = self.call.timeouts.stall_s
            if now - self.touched > stall_s and not self._is_paused and carrier.is_members_turn:
                carrier.abort()
                self.failed(UpstreamError(Failure.READ_TIMEOUT, f"{stall_s:g} s", member=self.member))
        elif self._pool is not None and now >= self._queue_until and self._pool.is_queued(self):
            self._pool.queue_timed_out(self)

    def _break_off(self, failure: Failure, detail: str) -> None:
        """End it for a reason of ours."""
        member, carrier = self._member, self._carrier
        error = UpstreamError(failure, detail, member=self.member)
        if carrier is not None:
            carrier.abort()
        if member is not None:
            self._leave_pool()
            is_waited_for = carrier is not None and not self._is_heard
            is_fault = is_members_fault(error, is_stale=False, is_waited_for=is_waited_for)
            self._cluster.failed(member, error, is_members_fault=is_fault)
        self._give_up(error)

    def _give_up(self, error: UpstreamError) -> None:
        receiver = self._end()
        if self._is_beginning:
            self._is_over = False
            self._cluster.context.engine.loop.call_soon(self._tell, receiver, error)
        else:
            receiver.on_failure(error)

    def _tell(self, receiver: Receiver, error: UpstreamError) -> None:
        if not self._is_over:
            self._is_over = True
            receiver.on_failure(error)

    def _end(self) -> Receiver:
        """Nothing more is heard after what the receiver, which is given, is told now. The two may hold each other: that
        must not be garbage that only a collection finds."""
        receiver, self.receiver = self.receiver, _NOBODY
        self._is_over = True
        self._carrier = None
        self._early.clear()
        if self._member is not None:
            self._leave(self._member)
        self._cluster.context.deadlines.discard(self)
        return receiver


class _Nobody:
    """The receiver of an exchange that is over."""

    def on_information(self, head: ResponseHead) -> None: ...
    def on_response(self, head: ResponseHead) -> None: ...
    def on_data(self, data: bytes) -> None: ...
    def on_flush(self) -> None: ...
    def on_end(self, trailers: Fields) -> None: ...
    def on_failure(self, error: UpstreamError) -> None: ...
    def on_writable(self) -> None: ...
    def on_upgrade(self, head: ResponseHead, tunnel: Tunnel) -> None: ...


_NOBODY: Final = _Nobody()


def _field_lines(call: Call) -> bytes:
    body = call.body
    lines = (
        field_lines(call.fields)
        + call.lines
        + framing_line(call.method, call.content_length if body is None else len(body))
    )
    if call.upgrade is not None:
        lines += b"Connection: upgrade\r\nUpgrade: %b\r\n" % call.upgrade
    return lines
