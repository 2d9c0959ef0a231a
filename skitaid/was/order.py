"""One HTTP call as an app orders it, between those who make it of the app's words (skitaid.was.calls) and those who
carry it out (skitaid.was.carrier). Pure vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from skitaid.protocols.headers import HeaderBlock
from skitaid.upstream.call import Call, CallTimeouts, Fields
from skitaid.was.calls.target import Target
from skitaid.was.result import Result

__all__ = ["BACKGROUND_S", "MAX_REPLY_BYTES", "Order", "Reply", "timeouts_for"]

MAX_REPLY_BYTES = 64 << 20
CONNECT_S = 3.0
BACKGROUND_S = 300.0
"""How long a call that nobody waits for, and that has no time-out of its own, may go without a sign of life."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete response, as it came: neither unpacked nor decoded."""

    status: int
    reason: str
    fields: HeaderBlock
    content: bytes
    trailers: Fields = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A call to be made. Immutable, as it may be made several times (`.map`).

    `read` makes the Result of a reply: on the loop thread, so it must be quick; what takes time (unpacking, decoding)
    is left to the Result, which does it when it is asked. `follow` looks at a reply and gives the next order instead
    (redirect, authentication), or None when the reply is the answer; on the loop thread too.

    `key`: equal for orders whose results are interchangeable (method, target, body, fields, authorization); None: its
    result is never kept. `use_cache`: True, False, or the time (seconds since the epoch) before which a kept result is
    too old; `is_cache_asked`: the app said so itself. `timeout_s`: from creation to the end of the reply.
    """

    target: Target
    call: Call
    read: Callable[[Reply], Result]
    follow: Callable[[Reply], Order | None] | None = None
    key: Hashable | None = None
    use_cache: bool | float = True
    is_cache_asked: bool = False
    timeout_s: float | None = None
    max_bytes: int = MAX_REPLY_BYTES


def timeouts_for(timeout_s: float | None) -> CallTimeouts:
    """The call's time-outs for that of an app."""
    if timeout_s is None:
        return CallTimeouts(connect_s=CONNECT_S, stall_s=BACKGROUND_S)
    return CallTimeouts(connect_s=min(CONNECT_S, timeout_s), stall_s=timeout_s, total_s=timeout_s)
