"""One HTTP call as an app orders it, between those who make it of the app's words (skitaid.was.calls) and those who
carry it out (skitaid.was.calls.http_work). Pure vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from skitaid.upstream.call import Call, CallTimeouts
from skitaid.was.messages.reply import Decoder, Reply
from skitaid.was.messages.target import Target

if TYPE_CHECKING:
    from skitaid.was.messages.streamed import StreamedBody

__all__ = [
    "BACKGROUND_S", "CONNECT_S", "MAX_REPLY_BYTES", "Follow", "Order", "timeouts_for",
    "without_end",
]  # fmt: skip

MAX_REPLY_BYTES: Final = 64 << 20
CONNECT_S: Final = 3.0
BACKGROUND_S: Final = 300.0
"""How long a call that nobody waits for, and that has no time-out of its own, may go without a sign of life."""

_ENDLESS: Final = CallTimeouts(connect_s=CONNECT_S, stall_s=BACKGROUND_S)

Follow = Callable[[Reply], "Order | None"]


@dataclass(frozen=True, slots=True)
class Order:
    """A call to be made. Immutable, as it may be made several times (`.map`).

    `decode` makes what the app sees of a reply: in the thread that asks for it. `follow` looks at a reply and gives the
    next order instead (redirect, authentication), or None when the reply is the answer; it is called on the loop
    thread, so it must be quick; a SkitaidError that it raises is the result.

    `key`: equal for orders whose results are interchangeable (method, target, body, fields, authorization); None: its
    result is never kept. `use_cache`: True, False, or the time (seconds since the epoch) before which a kept result is
    too old; `is_cache_asked`: the app said so itself. `timeout_s`: from creation to the end of the reply.
    `streamed`: the body, where it is read while it is sent.
    """

    target: Target
    call: Call
    decode: Decoder
    follow: Follow | None = None
    key: Hashable | None = None
    use_cache: bool | float = True
    is_cache_asked: bool = False
    timeout_s: float | None = None
    max_bytes: int = MAX_REPLY_BYTES
    streamed: StreamedBody | None = None

    @property
    def url(self) -> str:
        """Where it goes, for people: the URL, or the alias and the path."""
        target = self.target
        scheme = "" if target.alias is not None else f"{target.scheme}://"
        return f"{scheme}{target.authority}{target.path}"

    @property
    def about(self) -> str:
        """Method and URL, for logs: without the query, where secrets may be."""
        return f"{self.call.method} {self.url.partition('?')[0]}"


def without_end(order: Order) -> Order:
    """The same, for those who look after its end themselves."""
    return replace(order, call=replace(order.call, timeouts=_ENDLESS), timeout_s=None)


def timeouts_for(timeout_s: float | None) -> CallTimeouts:
    """The call's time-outs for that of an app."""
    if timeout_s is None:
        return _ENDLESS
    return CallTimeouts(connect_s=min(CONNECT_S, timeout_s), stall_s=timeout_s, total_s=timeout_s)
