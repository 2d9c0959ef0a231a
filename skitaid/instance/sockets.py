"""The listening sockets of an instance. They belong to the master and outlive its workers."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Iterable

from skitaid.config.model import Listen
from skitaid.exceptions import SkitaidError

__all__ = ["BindError", "Sockets"]

BACKLOG = 2048
"""The kernel cuts it to net.core.somaxconn. What waits here while workers are replaced is served, not refused."""
PATIENCE_S = 6.0
"""How long an address may still be held by a master that is on its way out after its supervisor was killed."""
_LOOK_S = 0.05


class BindError(SkitaidError):
    """An address can't be listened on; the conf's author or the machine's administrator must act."""


class Sockets:
    """Addresses to listening sockets."""

    def __init__(self) -> None:
        self._by_listen: dict[Listen, socket.socket] = {}

    @property
    def all(self) -> list[socket.socket]:
        return list(self._by_listen.values())

    @property
    def addresses(self) -> list[str]:
        """As bound: a port that was given as 0 has its number here."""
        return [_bound_address(listen, sock) for listen, sock in self._by_listen.items()]

    def open(self, wanted: Iterable[Listen], *, patience_s: float = 0.0) -> list[Listen]:
        """Listen on those of `wanted` that are not open yet; gives them. Raises BindError, with nothing opened."""
        opened: list[Listen] = []
        try:
            for listen in wanted:
                if listen not in self._by_listen:
                    self._by_listen[listen] = _bind_patiently(listen, patience_s)
                    opened.append(listen)
        except BindError:
            self.close(opened)
            raise
        return opened

    def keep_only(self, wanted: Iterable[Listen]) -> None:
        """Close the others."""
        kept = set(wanted)
        self.close([listen for listen in self._by_listen if listen not in kept])

    def close(self, listens: Iterable[Listen]) -> None:
        for listen in listens:
            sock = self._by_listen.pop(listen)
            sock.close()
            if listen.path is not None:
                _remove(listen.path)

    def close_all(self) -> None:
        self.close(list(self._by_listen))


def _bind_patiently(listen: Listen, patience_s: float) -> socket.socket:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return _bind(listen)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise BindError(_explain(listen, error)) from error
        time.sleep(_LOOK_S)


def _bind(listen: Listen) -> socket.socket:
    if listen.path is not None:
        return _bind_unix(listen.path)
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without it the port stays closed for a minute after connections were open on it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # [::] and 0.0.0.0 may both be listed.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((listen.host, listen.port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_unix(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        # Like a TCP port: who may connect is said by the folder's rights.
        before = os.umask(0o111)
        try:
            sock.bind(path)
        finally:
            os.umask(before)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on. Raises OSError EADDRINUSE for one in use, or for another file."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EADDRINUSE, "a file that is no socket has this name")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            _remove(path)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _bound_address(listen: Listen, sock: socket.socket) -> str:
    if listen.path is not None:
        return f"unix:{listen.path}"
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _explain(listen: Listen, error: OSError) -> str:
    """What to do about it."""
    advice = {
        errno.EADDRINUSE: f"another program has it; see which: ss -ltnp 'sport = :{listen.port}'",
        errno.EACCES: "ports below 1024 are for root: start the daemon as root, it gives the workers' rights up",
        errno.EADDRNOTAVAIL: "this machine has no such address; ip addr shows those it has",
    }.get(error.errno or 0, "")
    where = f"{listen.origin}: " if listen.origin.line else ""
    return f"{where}cannot listen on {listen}: {error.strerror}" + (f" ({advice})" if advice else "")
