"""A cluster with the cache before it: the same `request`, and those who call it need not know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from skitaid.exceptions import SkitaidError
from skitaid.protocols.conditions import CONDITIONAL
from skitaid.upstream.cache.asked import PROBING, Asked, asked_of
from skitaid.upstream.cache.cache import ResponseCache
from skitaid.upstream.cache.fill import Fill, Purpose
from skitaid.upstream.cache.heads import NAME, answer_of, unavailable
from skitaid.upstream.cache.pipe import BodyPipe
from skitaid.upstream.cache.rules import Reuse, invalidates, judge
from skitaid.upstream.cache.stored import Stored
from skitaid.upstream.cache.ticket import Ticket
from skitaid.upstream.call import Call, Exchange, Receiver, ResponseHead, Tunnel
from skitaid.upstream.errors import Failure, UpstreamError

__all__ = ["CachedCluster", "Caller"]

_SCHEMES: Final = (b"http", b"https", b"")


class Caller(Protocol):
    """A cluster, as it is needed here."""

    def request(self, call: Call, receiver: Receiver) -> Exchange: ...


class CachedCluster:
    """Answers calls from the cache, or makes them. `space` tells targets of one cluster from those of another:
    `@alias`, or the origin of plain URLs (`http://host:port`)."""

    def __init__(self, cluster: Caller, cache: ResponseCache, space: bytes) -> None:
        self._cluster = cluster
        self._space = space
        self.cache = cache
        self.entry_limit_bytes = cache.entry_limit_bytes
        self.wall = cache.wall
        self.has_room = cache.has_room
        self.account = cache.account
        self.is_current = cache.is_current
        self.keep = cache.keep
        self.renew = cache.renew
        self.forget = cache.forget
        self.pass_on = cache.pass_on
        self.closed = cache.closed

    # ------------------------------------------------------------ callers

    def request(self, call: Call, receiver: Receiver) -> Exchange:
        """Have `receiver` told of the response, from wherever it comes; not before this has returned. Raises what the
        cluster raises."""
        if call.past_cache or call.method not in ("GET", "HEAD") or call.body != b"" or call.upgrade is not None:
            return self.watch(call, receiver, self._cluster.request)
        asked = asked_of(call.method, call.pairs())
        if asked.conditions - PROBING:
            # Those of the server alone (RFC 9111 section 4.3.2).
            return self._cluster.request(call, receiver)
        ticket = Ticket(call, asked, self.key(call.host, call.target, _scheme(asked)), receiver)
        self._look(ticket)
        ticket.is_new = False
        return ticket

    def key(self, host: bytes | None, target: bytes, scheme: bytes = b"") -> bytes:
        """What responses to GET with this Host field and target are kept by. `scheme`: the client's own, where a proxy
        tells the member of it, as many answer one of the two with a redirect to the other. For those who ask
        `ResponseCache.fresh` before they make a Call."""
        return b"%b %b %b %b" % (self._space, scheme, host or b"", target)

    # ------------------------------------------------------------ deciding

    def _look(self, ticket: Ticket) -> None:
        cache = self.cache
        stored = cache.find(ticket.key, ticket.asked)
        if stored is None and not ticket.has_looked and cache.may_lie_on_disk(ticket.key):
            ticket.has_looked = True
            cache.find_on_disk(ticket.key, ticket.asked, partial(self._found_on_disk, ticket))
        else:
            self._decide(ticket, stored)

    def _found_on_disk(self, ticket: Ticket, stored: Stored | None) -> None:
        if ticket.is_over:
            return
        if stored is not None and len(stored.body) > self.cache.memory.entry_limit_bytes and not self.cache.has_room():
            # Too many who are slow hold such responses in memory as it is.
            stored = None
        self._decide(ticket, stored)

    def _decide(self, ticket: Ticket, stored: Stored | None) -> None:
        asked = ticket.asked
        if stored is not None:
            reuse = judge(stored.policy, asked, self.wall())
            if reuse is not Reuse.VALIDATE:
                self._deliver_hit(ticket, stored, reuse)
                return
        ticket.status = self._reason(ticket, stored)
        if asked.control.only_if_cached:
            self._soon(ticket, lambda: ticket.answer(unavailable()))
        elif _is_beside_the_point(asked) or (stored is None and self._is_passed_on(ticket)):
            exchange = self._call(ticket.call, ticket.receiver, ticket)
            if exchange is not None:
                ticket.forward(exchange)
        else:
            self._fetch(ticket, stored)

    def _is_passed_on(self, ticket: Ticket) -> bool:
        return self.cache.is_passed_on(ticket.key, is_anonymous=ticket.asked.is_anonymous)

    def _reason(self, ticket: Ticket, stored: Stored | None) -> str:
        """Why the request goes on (RFC 9211 section 2.2)."""
        if stored is None:
            return "fwd=vary-miss" if self.cache.memory.get(ticket.key) else "fwd=uri-miss"
        return "fwd=stale" if stored.fresh_until <= self.wall() else "fwd=request"

    def _deliver_hit(self, ticket: Ticket, stored: Stored, reuse: Reuse) -> None:
        left = int(stored.policy.lifetime_s - stored.policy.age_s(self.wall()))
        self._soon(ticket, partial(self.deliver, ticket, stored, f"hit; ttl={left}"))
        if reuse is Reuse.REFRESH:
            self._refresh(ticket, stored)

    def _soon(self, ticket: Ticket, function: Callable[[], None]) -> None:
        """Now, or when whoever asks has the ticket."""
        if not ticket.is_new:
            function()
            return

        def then() -> None:
            if not ticket.is_over:
                function()

        self.cache.call_soon(then)

    # ------------------------------------------------------------ fetching

    def _fetch(self, ticket: Ticket, stored: Stored | None) -> None:
        """By a call that is under way already, or by a new one."""
        known = self.cache.fills.get(ticket.key)
        control = ticket.asked.control
        if known is not None and not control.no_cache and control.max_age != 0:
            if known.is_open and known.is_shareable and known.purpose.stale is stored and not ticket.has_waited:
                known.wait(ticket)
                return
            if known.can_join(ticket.asked):
                self._soon(ticket, partial(self._join, ticket, known))
                return
        self._start(ticket.call, ticket.asked, stored, leader=ticket)

    def _join(self, ticket: Ticket, fill: Fill) -> None:
        if self.cache.fills.get(ticket.key) is fill and fill.can_join(ticket.asked):
            fill.join(ticket)
        else:
            # It came to its end meanwhile, this way or that.
            self._look(ticket)

    def _refresh(self, ticket: Ticket, stored: Stored) -> None:
        """Beside what is sent meanwhile (RFC 5861 section 3)."""
        if ticket.key not in self.cache.fills and self.wall() >= stored.retry_at:
            stored.retry_at = self.wall() + 1.0
            self._start(replace(ticket.call, method="GET"), replace(ticket.asked, method="GET"), stored, leader=None)

    def _start(self, call: Call, asked: Asked, stored: Stored | None, *, leader: Ticket | None) -> None:
        key = self.key(call.host, call.target, _scheme(asked))
        if stored is not None:
            call = _validating(call, stored)
        purpose = Purpose(key, asked, self.cache.generations.of(key), stored, b"?" in call.target)
        fill = Fill(self, purpose, leader)
        self.cache.register(fill)
        fill.exchange = self._call(call, fill, leader)

    def _call(self, call: Call, receiver: Receiver, ticket: Ticket | None) -> Exchange | None:
        """Call a member. A caller who has no ticket yet learns from the exception what is wrong with its request."""
        try:
            return self._cluster.request(call, receiver)
        except SkitaidError as error:
            if ticket is not None and ticket.is_new:
                self.cache.fills.pop(ticket.key, None)
                raise
            told = error if isinstance(error, UpstreamError) else UpstreamError(Failure.INVALID, str(error))
            receiver.on_failure(told)
            return None

    # ------------------------------------------------------------ what fills ask

    def restart(self, ticket: Ticket) -> None:
        """What it waited for was not for it."""
        if not ticket.is_over:
            self._look(ticket)

    def deliver(self, ticket: Ticket, stored: Stored, status: str) -> None:
        """Tell of a stored response."""
        now = self.wall()
        told = f"{NAME}; {status}".encode("ascii")
        answer = answer_of(stored, ticket.asked, stored.policy.age_s(now), told)
        if not answer.body:
            ticket.answer(answer.head)
            return
        # What is in memory takes no more of it for one who is slow; what is not is counted.
        is_kept = stored in (self.cache.memory.get(ticket.key) or ())
        ticket.read(answer.head, BodyPipe(answer.body, None if is_kept else self.account))

    # ------------------------------------------------------------ what does not concern the cache, and what ends it

    def watch(self, call: Call, receiver: Receiver, request: Callable[[Call, Receiver], Exchange]) -> Exchange:
        """Make a call past the cache, by `request`; what it changes is noted. Raises what `request` raises."""
        if not invalidates(call.method, 200):
            return request(call, receiver)
        witness = _Witness(receiver, partial(self._changed, call))
        witness.exchange = request(call, witness)
        return witness.exchange

    def _changed(self, call: Call, head: ResponseHead, member: str) -> None:
        """RFC 9111 section 4.4."""
        if invalidates(call.method, head.status):
            self._invalidate(call.host, call.target)
            for name in (b"location", b"content-location"):
                target = _own_target(head.fields.get(name), call.host or member.encode("ascii", "replace"))
                if target is not None:
                    self._invalidate(call.host, target)

    def _invalidate(self, host: bytes | None, target: bytes) -> None:
        for scheme in _SCHEMES:
            self.cache.invalidate(self.key(host, target, scheme))


class _Witness:
    """A Receiver that hears a response on its way to another one."""

    __slots__ = ("_on_head", "exchange", "on_data", "on_end", "on_failure", "on_flush", "on_information", "on_writable",
                 "receiver")  # fmt: skip

    def __init__(self, receiver: Receiver, on_head: Callable[[ResponseHead, str], None]) -> None:
        self.receiver = receiver
        self.exchange: Exchange | None = None
        self._on_head = on_head
        self.on_information = receiver.on_information
        self.on_data = receiver.on_data
        self.on_flush = receiver.on_flush
        self.on_end = receiver.on_end
        self.on_failure = receiver.on_failure
        self.on_writable = receiver.on_writable

    def on_response(self, head: ResponseHead) -> None:
        self._on_head(head, "" if self.exchange is None else self.exchange.member)
        self.receiver.on_response(head)

    def on_upgrade(self, head: ResponseHead, tunnel: Tunnel) -> None:
        self.receiver.on_upgrade(head, tunnel)


def _scheme(asked: Asked) -> bytes:
    told = asked.values.get(b"x-forwarded-proto", b"")
    return told if told in _SCHEMES else b""


def _is_beside_the_point(asked: Asked) -> bool:
    """Whether nothing of the response can be kept or shared, whatever it is."""
    return asked.method != "GET" or asked.has_range or asked.control.no_store


def _validating(call: Call, stored: Stored) -> Call:
    """The same call, asking whether what is stored still holds (RFC 9111 section 4.3.1), if its server can tell."""
    fields = [pair for pair in call.pairs() if pair[0] not in CONDITIONAL]
    own = stored.validators
    if own.etag is not None:
        fields.append((b"if-none-match", own.etag))
    modified = stored.head.fields.get(b"last-modified")
    if own.modified is not None and modified is not None:
        fields.append((b"if-modified-since", modified))
    return replace(call, fields=fields, lines=b"")


def _own_target(location: bytes | None, host: bytes) -> bytes | None:
    """Path and query of a reference, if it leads to the same host."""
    if location is None:
        return None
    location = location.partition(b"#")[0]
    if location.startswith(b"//"):
        return _own_target(b"http:" + location, host)
    if location.startswith(b"/"):
        return location
    scheme, _, rest = location.partition(b"://")
    authority, slash, path = rest.partition(b"/")
    if scheme.lower() not in (b"http", b"https") or authority.lower() != host.lower():
        return None
    return slash + path or b"/"
