"""Whether an address can be listened on, and the next free port."""

from __future__ import annotations

import errno
import os
import socket
import stat
from enum import Enum

from skitaid.config.model import Listen
from skitaid.instance.sockets import bind_tcp

PORTS_TRIED = 100


class Availability(Enum):
    """Whether an address can be listened on, and if not, why."""

    FREE = "free"
    TAKEN = "taken"
    FORBIDDEN = "forbidden"
    UNKNOWN_ADDRESS = "unknown address"


def availability(listen: Listen) -> Availability:
    """Try to listen on an address for an instant."""
    if listen.path is not None:
        return _unix_availability(listen.path)
    try:
        bind_tcp(listen).close()
    except OSError as error:
        return _meaning(error)
    return Availability.FREE


def _meaning(error: OSError) -> Availability:
    if error.errno == errno.EADDRINUSE:
        return Availability.TAKEN
    if error.errno in (errno.EACCES, errno.EPERM):
        return Availability.FORBIDDEN
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) or isinstance(error, socket.gaierror):
        return Availability.UNKNOWN_ADDRESS
    raise error


def _unix_availability(path: str) -> Availability:
    """A socket file that nobody listens on is stale, so the address is free."""
    if not os.access(os.path.dirname(path) or ".", os.W_OK | os.X_OK):
        return Availability.FORBIDDEN
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except FileNotFoundError:
        return Availability.FREE
    return Availability.TAKEN if not is_socket or _answers(path) else Availability.FREE


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def next_free_port(host: str, port: int) -> int | None:
    """The first port above `port` that can be listened on, None when the next hundred are taken."""
    candidates = range(port + 1, min(port + 1 + PORTS_TRIED, 65536))
    return next((one for one in candidates if availability(Listen(host, one)) is Availability.FREE), None)
