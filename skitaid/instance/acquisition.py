"""How a master comes to its lock and its addresses: by itself, or from the master whose place it is to take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from skitaid.instance.arguments import Conf
from skitaid.instance.inheritance import Inheritance
from skitaid.instance.lock import HeldError, InstanceLock
from skitaid.instance.sockets import BusyError, Sockets

__all__ = ["acquire"]

PREDECESSOR_S: Final = 6.0
"""How long a master that is on its way out, or the workers of one that was killed, may still be in the way."""
_LOOK_S: Final = 0.05

_Got = TypeVar("_Got")


def acquire(conf: Conf, sockets: Sockets, given: Inheritance | None, is_unwanted: Callable[[], bool]) -> InstanceLock:
    """The lock of the instance, with `sockets` open: those that the master before has `given`, or our own. While
    another master is in the way it is tried again, until `is_unwanted`. Raises RefusedError, BindError."""
    lock = _lock(conf, sockets, given, is_unwanted)
    patience_s = PREDECESSOR_S if lock.follows_a_killed_one else 0.0
    _patiently(lambda: sockets.open(conf.instance.server.listen), patience_s, is_unwanted)
    return lock


def _lock(conf: Conf, sockets: Sockets, given: Inheritance | None, is_unwanted: Callable[[], bool]) -> InstanceLock:
    if given is not None:
        sockets.borrow(given.sockets)
        return InstanceLock(given.lock_fd)
    run_path = conf.main.global_.run_path
    return _patiently(lambda: InstanceLock.take(run_path, conf.instance.name), PREDECESSOR_S, is_unwanted)


def _patiently(attempt: Callable[[], _Got], patience_s: float, is_unwanted: Callable[[], bool]) -> _Got:
    """Try again while somebody else is in the way, for `patience_s`. Raises what `attempt` raises."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return attempt()
        except (HeldError, BusyError):
            if is_unwanted() or time.monotonic() >= deadline:
                raise
        time.sleep(_LOOK_S)
