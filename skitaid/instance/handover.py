"""A generation of workers that is to take over: what is decided about it. The master performs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from skitaid.config.model import Listen
from skitaid.instance.arguments import Conf
from skitaid.instance.worker_pool import WorkerPool

__all__ = ["Incoming", "Verdict", "judge", "newly_failed"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A generation of workers that is to take over. `opened`: the addresses that nobody listened on before. `deadline`:
    when all must be ready, monotonic. `broken_before`: what the workers that serve could not load, each "MOUNT (…):
    why". None: nobody serves yet, so nothing could go on instead, and an app that does not load stops nobody: it
    answers 500, and the others are served.
    """

    conf: Conf
    generation: int
    deadline: float
    opened: tuple[Listen, ...] = ()
    broken_before: tuple[str, ...] | None = None

    @property
    def size(self) -> int:
        return self.conf.instance.server.processes


class Verdict(Enum):
    """What becomes of an incoming generation. WAIT: not all its workers are ready. TAKE_OVER: they are. GIVE_UP: they
    will not be, or serve less than before."""

    WAIT = "wait"
    TAKE_OVER = "take over"
    GIVE_UP = "give up"


def judge(incoming: Incoming, pool: WorkerPool, now: float) -> tuple[Verdict, str]:
    """What becomes of it at the time `now` (monotonic), and if it is given up, why."""
    if not pool.is_ready(incoming.generation, incoming.size):
        if now < incoming.deadline:
            return Verdict.WAIT, ""
        start_timeout_s = incoming.conf.instance.server.start_timeout_s
        return Verdict.GIVE_UP, f"not ready within {start_timeout_s:g} s (start_timeout)"
    failed = (text for worker in pool.of(incoming.generation) for text in worker.failed)
    broken = newly_failed(incoming.broken_before, failed)
    if broken:
        return Verdict.GIVE_UP, f"this app cannot be loaded: {broken}"
    return Verdict.TAKE_OVER, ""


def newly_failed(before: Iterable[str] | None, now: Iterable[str]) -> str:
    """What failed for a mount that the workers before served, or did not know; "" if nothing did, or if there were none
    (None)."""
    if before is None:
        return ""
    known = {_mount(text) for text in before}
    return next((text for text in now if _mount(text) not in known), "")


def _mount(text: str) -> str:
    return text.partition(" ")[0]
