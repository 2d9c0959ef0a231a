"""How the numbers are read that a wait for a task is given. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skitaid.was.tasks.result import CACHED

__all__ = ["Wait", "read_wait"]


@dataclass(frozen=True, slots=True)
class Wait:
    """What a wait was told. `timeout_s` from the creation of the task, None: not said. `cache_s`: keep the result for
    so long, 0: don't; `cache_if`: the codes it is kept with. `status`: what to answer if it fails, None: as the failure
    has it."""

    timeout_s: float | None = None
    cache_s: float = 0.0
    cache_if: Sequence[int] = CACHED
    status: str | None = None


def read_wait(
    given: Sequence[Any],
    *,
    timeout: float | None = None,
    cache: float | None = None,
    cache_if: Sequence[int] | int | None = None,
) -> Wait:
    """`dispatch(5)`: a time-out. `dispatch(60, timeout=5)`: cache seconds. `dispatch(5, 60)`: both. A tuple among them
    is `cache_if`, a string the status to answer with. Raises TypeError for more numbers than that."""
    numbers: list[float] = []
    status = None
    for each in given:
        if isinstance(each, str):
            status = each
        elif isinstance(each, (tuple, list, set, frozenset)):
            cache_if = tuple(each)
        elif isinstance(each, (int, float)):
            numbers.append(each)
        elif each is not None:
            raise TypeError(f"{each!r}: expected seconds, a tuple of status codes, or a status ('502 Bad Gateway')")
    if timeout is None and numbers:
        timeout = numbers.pop(0)
    if cache is None and numbers:
        cache = numbers.pop(0)
    if numbers:
        raise TypeError(f"{numbers[0]!r} is one number too many: they are time-out and cache seconds")
    codes = CACHED if cache_if is None else (cache_if,) if isinstance(cache_if, int) else tuple(cache_if)
    return Wait(timeout, cache or 0.0, codes, status)
