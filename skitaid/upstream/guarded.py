"""Names to those of their addresses that somebody may be led to. What is connected to is what was judged: a name that
has another address a moment later leads nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.resolver import Answer, OnAnswer, Portal, Resolver

__all__ = ["GuardedResolver", "TargetRefusedError"]


class TargetRefusedError(UpstreamError):
    """None of the addresses that a name has may be connected to."""

    def __init__(self, host: str) -> None:
        super().__init__(Failure.UNREACHABLE, f"{host} is not to be reached by here", is_unsent=True)


class GuardedResolver(Resolver):
    """A resolver that leaves out what a client must not reach. `admits(host, address)` is asked for each address, each
    time."""

    def __init__(self, portal: Portal, *, clock: Callable[[], float], admits: Callable[[str, str], bool]) -> None:
        super().__init__(portal, clock=clock)
        self._admits = admits

    def resolve(self, host: str, port: int, on_answer: OnAnswer) -> None:
        """See Resolver; what is not admitted is left out, and TargetRefusedError given when nothing is left."""
        super().resolve(host, port, partial(self._judge, host, on_answer))

    def _judge(self, host: str, on_answer: OnAnswer, answer: Answer | UpstreamError) -> None:
        if isinstance(answer, UpstreamError):
            on_answer(answer)
            return
        admitted = tuple(address for address in answer if self._admits(host, str(address.sockaddr[0])))
        on_answer(admitted or TargetRefusedError(host))
