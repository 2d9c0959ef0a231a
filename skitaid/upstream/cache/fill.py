"""A response on its way from a member: told to all who wait for it, and kept if it may be. On the loop thread.

It belongs to none of those who wait: who leaves, leaves the others their response, and the cache its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from skitaid.protocols.dates import http_date
from skitaid.upstream.cache.asked import Asked, join
from skitaid.upstream.cache.freshness import Moments, Policy, policy_of, told_age_s
from skitaid.upstream.cache.heads import is_unchanged, not_modified, shared_head, with_status
from skitaid.upstream.cache.pipe import Pipe
from skitaid.upstream.cache.rules import ERRORS, freshened, is_for, may_answer_error, refusal, stored_fields
from skitaid.upstream.cache.stored import Origin, Pairs, Stored
from skitaid.upstream.cache.ticket import Ticket
from skitaid.upstream.cache.vary import Variant, selects, variant_of, vary_names
from skitaid.upstream.call import Exchange, Fields, ResponseHead, Tunnel
from skitaid.upstream.errors import UpstreamError

__all__ = ["Fill", "FillOwner"]

_PIECE_BYTES: Final = 64
"""What Python needs for a piece beside its bytes."""


class FillOwner(Protocol):
    """The cache, as a fill sees it."""

    entry_limit_bytes: int

    def wall(self) -> float: ...
    def has_room(self) -> bool: ...
    def account(self, count: int) -> None: ...
    def is_current(self, key: bytes, generation: int) -> bool: ...
    def keep(self, stored: Stored) -> None: ...
    def renew(self, stale: Stored, fresh: Stored) -> None: ...
    def forget(self, stored: Stored) -> None: ...
    def pass_on(self, key: bytes, asked: Asked) -> None: ...
    def closed(self, fill: Fill) -> None: ...
    def restart(self, ticket: Ticket) -> None: ...
    def deliver(self, ticket: Ticket, stored: Stored, status: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the response will be when it is complete."""

    line: tuple[int, bytes]
    fields: Pairs
    variant: Variant
    policy: Policy
    moments: Moments

    def stored(self, key: bytes, body: bytes, generation: int) -> Stored:
        return Stored(Origin(key, self.variant, generation), self.line, self.fields, body, self.moments)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a fill is for: the request it is made with, and the stored response that it validates, if there is one.
    `has_query`: of its target."""

    key: bytes
    asked: Asked
    generation: int
    stale: Stored | None = None
    has_query: bool = False


class Fill:
    """A Receiver. `is_open`: nothing was heard yet, so that others with the same request may wait for it too.
    `is_shareable`: they may at all."""

    def __init__(self, owner: FillOwner, purpose: Purpose, leader: Ticket | None) -> None:
        self.purpose = purpose
        self.is_open = True
        self.is_shareable = not purpose.asked.conditions or purpose.stale is not None
        self.exchange: Exchange | None = None
        self._owner = owner
        self._leader = leader
        self._waiting: list[Ticket] = []
        self._pipe: Pipe | None = None
        self._length: int | None = None
        self._recipe: Recipe | None = None
        self._size = 0
        self._requested_at = owner.wall()
        if leader is not None:
            self.wait(leader)

    @property
    def member(self) -> str:
        """The address of the member that has the call, for logs."""
        return "" if self.exchange is None else self.exchange.member

    # ------------------------------------------------------------ those who wait

    def wait(self, ticket: Ticket) -> None:
        """Have `ticket` told of what comes; while `is_open`."""
        ticket.place = self
        self._waiting.append(ticket)

    def can_join(self, asked: Asked) -> bool:
        """Whether what has come already, and the rest, is for such a request."""
        return self._pipe is not None and self._is_for(asked)

    def join(self, ticket: Ticket) -> None:
        """Have `ticket` told of it; it can join."""
        pipe, recipe = self._pipe, self._recipe
        assert pipe is not None
        assert recipe is not None
        ticket.place = self
        self._tell(ticket, self._shared_head(recipe, ticket), pipe)

    def _shared_head(self, recipe: Recipe, ticket: Ticket) -> ResponseHead:
        """For those who did not ask for it themselves: what is kept, and nothing that is for the one alone who did."""
        age_s = recipe.policy.age_s(self._owner.wall())
        return shared_head(recipe.line, recipe.fields, self._length, age_s=age_s, status=f"{ticket.status}; collapsed")

    def leave(self, ticket: Ticket) -> None:
        """It needs nothing any more."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)
        self._stop_if_useless()

    def _is_for(self, asked: Asked) -> bool:
        recipe = self._recipe
        if recipe is None or not self._owner.is_current(self.purpose.key, self.purpose.generation):
            return False
        names = (name for name, _ in recipe.variant)
        return selects(recipe.variant, asked.values.get) and is_for(asked, recipe.policy.control, names)

    def _tell(self, ticket: Ticket, head: ResponseHead, pipe: Pipe) -> None:
        if ticket.asked.conditions and self.is_shareable and self._is_unchanged(ticket.asked):
            ticket.answer(not_modified(head, []))
        else:
            ticket.read(head, pipe)

    def _is_unchanged(self, asked: Asked) -> bool:
        """The client's conditions were not the server's to judge, as the request was made with others, or another's."""
        recipe = self._recipe
        return recipe is not None and is_unchanged(recipe.stored(b"", b"", 0), asked)

    def _stop_if_useless(self) -> None:
        """Nobody waits: go on only with what will be kept."""
        if self._waiting or self._recipe is not None or (self._pipe is not None and self._pipe.readers):
            return
        if self._leader is None and self.is_open:
            # Made for the cache alone.
            return
        if self.exchange is not None:
            self.exchange.cancel()
            self._close()

    # ------------------------------------------------------------ what the member says (Receiver)

    def on_information(self, head: ResponseHead) -> None:
        leader = self._leader
        if leader is not None and leader in self._waiting:
            leader.receiver.on_information(head)

    def on_response(self, head: ResponseHead) -> None:
        self.is_open = False
        stale = self.purpose.stale
        if stale is not None and head.status == 304 and stale.has_validators:
            self._validated(stale, head)
        elif stale is not None and head.status in ERRORS and self._answers_error(stale):
            self._cancel()
            self._give_stale(stale, f"fwd=stale; fwd-status={head.status}")
        else:
            self._begin(head)

    def on_data(self, data: bytes) -> None:
        pipe = self._pipe
        if pipe is None:
            return
        if self._recipe is not None:
            self._size += len(data) + _PIECE_BYTES
            if self._size > self._owner.entry_limit_bytes or not self._owner.has_room():
                self._recipe = None
                pipe.let_go()
                self._owner.closed(self)
        pipe.add(data)
        self._stop_if_useless()

    def on_flush(self) -> None:
        if self._pipe is not None:
            self._pipe.flush()

    def on_end(self, trailers: Fields) -> None:
        pipe, recipe = self._pipe, self._recipe
        self._close()
        if pipe is None:
            return
        if recipe is not None:
            purpose = self.purpose
            body = b"".join(pipe.pieces)
            if self._owner.is_current(purpose.key, purpose.generation):
                self._owner.keep(recipe.stored(purpose.key, body, purpose.generation))
        pipe.end(trailers)
        pipe.let_go()

    def on_failure(self, error: UpstreamError) -> None:
        self.is_open = False
        self._recipe = None
        self._close()
        stale = self.purpose.stale
        if stale is not None and self._pipe is None and self._answers_error(stale):
            self._give_stale(stale, "fwd=stale; detail=failure")
        waiting, self._waiting = self._waiting, []
        for ticket in waiting:
            ticket.is_over = True
            ticket.receiver.on_failure(error)
        if self._pipe is not None:
            self._pipe.fail(error)
            self._pipe.let_go()

    def on_writable(self) -> None:
        """No body is sent."""

    def on_upgrade(self, head: ResponseHead, tunnel: Tunnel) -> None:
        """None was asked for."""

    # ------------------------------------------------------------ a response

    def _begin(self, head: ResponseHead) -> None:
        purpose = self.purpose
        values = join(head.fields.pairs)
        moments = self._moments(values)
        policy = policy_of(head.status, values, moments)
        why = self._why_not(head, values, policy)
        pipe = self._pipe = Pipe(self._hold_back, self._owner.account)
        self._length = head.content_length
        if why is None:
            variant = variant_of(_varies_by(values), purpose.asked.values.get)
            fields = _dated(stored_fields(head.fields.pairs, policy.control), values, moments)
            self._recipe = Recipe((head.status, head.reason), fields, variant, policy, moments)
        else:
            pipe.is_kept = False
            if head.status < 500:
                self._owner.pass_on(purpose.key, purpose.asked)
            self._owner.closed(self)
        if purpose.stale is not None and head.status < 500:
            self._owner.forget(purpose.stale)
        self._tell_all(head, pipe, why)
        self._stop_if_useless()

    def _moments(self, values: dict[bytes, bytes]) -> Moments:
        return Moments(self._requested_at, self._owner.wall(), self.purpose.has_query, told_age_s(values))

    def _why_not(self, head: ResponseHead, values: dict[bytes, bytes], policy: Policy) -> str | None:
        why = refusal(self.purpose.asked, head.status, values, policy)
        if why is not None:
            return why.value
        length = head.content_length
        if length is None and not head.fields.is_chunked and not head.is_persistent:
            # It ends with its connection: whether it is complete nobody can tell.
            return "no-length"
        if (length or 0) > self._owner.entry_limit_bytes or not self._owner.has_room():
            return "size"
        return None if self._owner.is_current(self.purpose.key, self.purpose.generation) else "invalidated"

    def _tell_all(self, head: ResponseHead, pipe: Pipe, why: str | None) -> None:
        waiting, self._waiting = self._waiting, []
        for ticket in waiting:
            if ticket is self._leader:
                told = f"fwd-status={head.status}; " if self.purpose.stale is not None else ""
                told += "stored" if why is None else f"detail={why}"
                self._tell(ticket, with_status(head, f"{ticket.status}; {told}"), pipe)
            elif self._recipe is not None and self._is_for(ticket.asked):
                self._tell(ticket, self._shared_head(self._recipe, ticket), pipe)
            else:
                self._restart(ticket)

    def _restart(self, ticket: Ticket) -> None:
        ticket.place = None
        ticket.has_waited = True
        self._owner.restart(ticket)

    # ------------------------------------------------------------ what is stored still holds, or has to do

    def _validated(self, stale: Stored, head: ResponseHead) -> None:
        """304 (RFC 9111 section 4.3.3)."""
        self._close()
        news = join(head.fields.pairs)
        etag = news.get(b"etag")
        is_other = etag is not None and stale.validators.etag is not None and _tag(etag) != _tag(stale.validators.etag)
        if is_other or b"set-cookie" in news:
            # It speaks of another response than the one that was asked about; or to one user alone, who is to get it
            # from the server itself.
            self._owner.forget(stale)
            for ticket in self._take_waiting():
                self._restart(ticket)
            return
        moments = self._moments(news)
        control = policy_of(stale.status, news, moments).control
        told = _dated(head.fields.pairs, news, moments)
        fresh = self._freshened(stale, freshened(stale.fields, told, control), moments)
        for ticket in self._take_waiting():
            if ticket is self._leader or is_for(ticket.asked, fresh.policy.control, dict(fresh.origin.variant)):
                self._owner.deliver(ticket, fresh, f"{ticket.status}; fwd-status=304")
            else:
                self._restart(ticket)

    def _freshened(self, stale: Stored, fields: Pairs, moments: Moments) -> Stored:
        purpose = self.purpose
        fresh = stale.with_fields(fields, moments, purpose.generation)
        why = refusal(purpose.asked, fresh.status, join(fresh.fields), fresh.policy)
        if why is None and self._owner.is_current(purpose.key, purpose.generation):
            self._owner.renew(stale, fresh)
        else:
            self._owner.forget(stale)
        return fresh

    def _answers_error(self, stale: Stored) -> bool:
        now = self._owner.wall()
        asked = [ticket.asked for ticket in self._waiting] or [self.purpose.asked]
        return any(may_answer_error(stale.policy, each, now) for each in asked)

    def _give_stale(self, stale: Stored, status: str) -> None:
        now = self._owner.wall()
        stale.retry_at = now + 1.0
        for ticket in self._take_waiting():
            if may_answer_error(stale.policy, ticket.asked, now):
                self._owner.deliver(ticket, stale, status)
            else:
                self._restart(ticket)

    # ------------------------------------------------------------ ends

    def _take_waiting(self) -> list[Ticket]:
        waiting, self._waiting = self._waiting, []
        for ticket in waiting:
            ticket.place = None
        return waiting

    def _hold_back(self, is_on: bool) -> None:
        if self.exchange is not None:
            if is_on:
                self.exchange.pause()
            else:
                self.exchange.resume()

    def _cancel(self) -> None:
        if self.exchange is not None:
            self.exchange.cancel()
        self._close()

    def _close(self) -> None:
        """No call is under way any more."""
        self.is_open = False
        self._owner.closed(self)


def _varies_by(values: dict[bytes, bytes]) -> tuple[bytes, ...]:
    """The fields that tell its variants apart. A coded body is only for clients that can read it, also where its server
    forgot to say so."""
    names = vary_names(values.get(b"vary"))
    if b"content-encoding" in values and b"accept-encoding" not in names:
        return tuple(sorted((*names, b"accept-encoding")))
    return names


def _dated(fields: Pairs, values: dict[bytes, bytes], moments: Moments) -> Pairs:
    """With a Date, as a recipient with a clock has to add it (RFC 9110 section 6.6.1)."""
    if b"date" in values:
        return fields
    return (*fields, (b"date", http_date(moments.received_at).encode("ascii")))


def _tag(etag: bytes) -> bytes:
    """For the weak comparison (RFC 9110 section 8.8.3.2)."""
    return etag.removeprefix(b"W/")
