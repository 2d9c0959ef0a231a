"""A job that runs on one machine of many (ONE_MACHINE): whoever writes its key in Redis first runs it.

The key names the job and the time it was to run, so clocks that differ by seconds do not matter, and it outlives any
difference of clocks that can be.
"""

from __future__ import annotations

import socket
from typing import Final

from skitaid.exceptions import SkitaidError

__all__ = ["ClaimError", "claim"]

KEPT_S: Final = 3 * 3600
TIMEOUT_S: Final = 5.0
_NONSENSE: Final = (AttributeError, TypeError, LookupError, RecursionError)
"""What the package raises over answers that are not Redis's."""


class ClaimError(SkitaidError):
    """Nobody knows whether another machine runs it: Redis could not be asked."""


def claim(url: str, key: str, at: float) -> bool:
    """Is the run of `key` at the time `at` ours? Waits for 5 s at most for each answer. Raises ClaimError."""
    try:
        import redis  # never in the agent itself: only a runner of such a job asks
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise ClaimError("the package redis is not installed; pip install redis") from error
    # Asked again after an answer was lost, Redis would say that somebody has it, and mean us.
    once = Retry(NoBackoff(), 0)
    try:
        with redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=once
        ) as client:
            name = f"skitaid:cron:{key}:{int(at)}"
            return bool(client.set(name, socket.gethostname(), nx=True, px=KEPT_S * 1000))
    except (redis.RedisError, ValueError, OSError, *_NONSENSE) as error:
        raise ClaimError(f"Redis of [state] backend does not answer: {error}") from error
