"""A generation of workers that is to take over: what is decided about it. The master performs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from skitaid.config.model import Listen
from skitaid.instance.arguments import Conf
from skitaid.instance.crew import Crew, Worker

__all__ = ["Incoming", "Verdict", "judge", "newly_failed"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """`opened`: the addresses that nobody listened on before. `deadline`: when all must be ready, monotonic."""

    conf: Conf
    generation: int
    deadline: float
    opened: tuple[Listen, ...] = ()

    @property
    def size(self) -> int:
        return self.conf.instance.server.processes


class Verdict(Enum):
    WAIT = "wait"
    TAKE_OVER = "take over"
    GIVE_UP = "give up"


def judge(
    incoming: Incoming, crew: Crew, now: float, *, broken_before: Iterable[str] | None
) -> tuple[Verdict, str]:
    """What becomes of it, and why. `broken_before`: what the workers that serve could not load. None: there are no such
    workers, nothing could go on instead, so an app that does not load stops nobody: it answers 500, and the others are
    served."""
    if not crew.is_ready(incoming.generation, incoming.size):
        start_timeout_s = incoming.conf.instance.server.start_timeout_s
        return (Verdict.GIVE_UP, f"not ready within {start_timeout_s:g} s (start_timeout)") if (
            now >= incoming.deadline) else (Verdict.WAIT, "")
    broken = "" if broken_before is None else newly_failed(broken_before, crew.of(incoming.generation))
    if broken:
        return Verdict.GIVE_UP, f"this app cannot be loaded: {broken}"
    return Verdict.TAKE_OVER, ""


def newly_failed(before: Iterable[str], new: Iterable[Worker]) -> str:
    """What failed for a mount that the old workers serve, or do not know; "" if nothing did."""
    known = {_mount(text) for text in before}
    texts = (text for worker in new for text in worker.failed)
    return next((text for text in texts if _mount(text) not in known), "")


def _mount(text: str) -> str:
    return text.partition(" ")[0]
