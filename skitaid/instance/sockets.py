"""The listening sockets of an instance. They belong to the master and outlive its workers."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable, Mapping

from skitaid.config.model import Listen
from skitaid.exceptions import SkitaidError
from skitaid.protocols.hosts import uri_host

__all__ = ["BindError", "BusyError", "Sockets", "bind_tcp"]

BACKLOG = 2048
"""The kernel cuts it to net.core.somaxconn. What waits here while workers are replaced is served, not refused."""


class BindError(SkitaidError):
    """An address can't be listened on; the conf's author or the machine's administrator must act."""


class BusyError(BindError):
    """Somebody else listens there, maybe not for long."""


class Sockets:
    """Addresses to listening sockets."""

    def __init__(self) -> None:
        self._by_listen: dict[Listen, socket.socket] = {}
        self._lent: set[Listen] = set()

    @property
    def addresses(self) -> list[str]:
        """As bound: a port that was given as 0 has its number here. Without those that only lead to the others."""
        return [_bound_address(listen, sock) for listen, sock in self._by_listen.items() if not listen.is_forward]

    def open(self, wanted: Iterable[Listen]) -> list[Listen]:
        """Listen on those of `wanted` that are not open yet; gives them. Raises BindError, with nothing opened."""
        opened: list[Listen] = []
        try:
            for listen in wanted:
                if listen not in self._by_listen:
                    self._by_listen[listen] = self._bind(listen)
                    opened.append(listen)
        except BindError:
            self.close(opened)
            raise
        return opened

    def take(self, wanted: Iterable[Listen]) -> list[socket.socket]:
        """In a forked worker: the sockets of `wanted`. The others are closed here; they stay open in the master."""
        kept = [self._by_listen.pop(listen) for listen in wanted]
        for sock in self._by_listen.values():
            sock.close()
        return kept

    def keep_only(self, wanted: Iterable[Listen]) -> None:
        """Close the others."""
        kept = list(wanted)
        self.close([listen for listen in self._by_listen if listen not in kept])
        # An address may lead elsewhere now, though its socket is the same.
        self._by_listen = {listen: self._by_listen[listen] for listen in kept}

    def close(self, listens: Iterable[Listen]) -> None:
        """A unix socket's name goes too, unless it is another master's."""
        for listen in listens:
            sock = self._by_listen.pop(listen)
            sock.close()
            if listen.path is not None and listen not in self._lent:
                _remove(listen.path)

    def close_all(self) -> None:
        self.close(list(self._by_listen))

    # ------------------------------------------------------------ two masters

    @property
    def everything(self) -> Mapping[Listen, socket.socket]:
        """For the master that is to take our place."""
        return dict(self._by_listen)

    def borrow(self, sockets: Mapping[Listen, socket.socket]) -> None:
        """Those of the master whose place we are to take. They are its own until `own`. A unix socket whose name
        somebody removed is out of reach: it is left out, and `open` makes another."""
        for listen, sock in sockets.items():
            if listen.path is not None and not os.path.lexists(listen.path):
                sock.close()
            else:
                self._by_listen[listen] = sock
                self._lent.add(listen)

    def own(self) -> None:
        """All are ours now."""
        self._lent.clear()

    def leave(self) -> None:
        """All are another master's now, which goes on with them: close our descriptors."""
        self._lent |= self._by_listen.keys()
        self.close_all()

    def _bind(self, listen: Listen) -> socket.socket:
        try:
            try:
                return bind_tcp(listen) if listen.path is None else _bind_unix(listen.path)
            except OSError as error:
                in_the_way = self._in_the_way(listen)
                if error.errno != errno.EADDRINUSE or not in_the_way:
                    raise
                return _bind_beside(listen, in_the_way)
        except OSError as error:
            kind = BusyError if error.errno == errno.EADDRINUSE else BindError
            raise kind(_explain(listen, error)) from error

    def _in_the_way(self, listen: Listen) -> list[socket.socket]:
        """Sockets of ours whose address includes this one, or is included: 0.0.0.0:5000 and 127.0.0.1:5000."""
        if listen.path is not None:
            return []
        return [
            sock
            for other, sock in self._by_listen.items()
            if other.path is None
            and other.port == listen.port
            and (":" in other.host) == (":" in listen.host)
            and (_is_wildcard(other) or _is_wildcard(listen))
        ]


def _bind_beside(listen: Listen, ours: Iterable[socket.socket]) -> socket.socket:
    """While sockets of ours are open that the kernel allows nobody else to listen beside. Raises OSError."""
    for sock in ours:
        # Without an effect on the connections it has. The kernel lets nobody else share the port but this user.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return bind_tcp(listen, is_shared=True)


def bind_tcp(listen: Listen, *, is_shared: bool = False) -> socket.socket:
    """A socket that listens on a TCP address. `is_shared`: beside others that allow it. Raises OSError."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without it the port stays closed for a minute after connections were open on it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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
    """Remove a socket that nobody listens on. Raises OSError: EADDRINUSE for one in use, EEXIST for another file."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "a file that is not a socket has this name")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # Not to be held up by a server that takes no connections: it is in use as well.
        probe.setblocking(False)
        if probe.connect_ex(path) in (errno.ECONNREFUSED, errno.ENOENT):
            _remove(path)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _is_wildcard(listen: Listen) -> bool:
    return listen.host in ("", "0.0.0.0", "::")


def _bound_address(listen: Listen, sock: socket.socket) -> str:
    if listen.path is not None:
        return f"unix:{listen.path}"
    host, port = sock.getsockname()[:2]
    return f"{uri_host(host)}:{port}"


def _explain(listen: Listen, error: OSError) -> str:
    """What happened and what to do about it."""
    table = _TCP_ADVICE if listen.path is None else _UNIX_ADVICE
    advice = table.get(error.errno or 0, "").format(port=listen.port, path=listen.path)
    reason = error.strerror or str(error)
    return f"{_where(listen)}cannot listen on {listen}: {reason}" + (f" ({advice})" if advice else "")


def _where(listen: Listen) -> str:
    return f"{listen.origin}: " if listen.origin.line else ""


_TCP_ADVICE = {
    errno.EADDRINUSE: "another program has it; see which: ss -ltnp 'sport = :{port}'",
    errno.EACCES: "ports below 1024 are for root: start the daemon as root, it gives the workers' rights up",
    errno.EADDRNOTAVAIL: "this machine has no such address; ip addr shows those it has",
}
_UNIX_ADVICE = {
    errno.EADDRINUSE: "another program listens there; see which: ss -lxp 'src {path}'",
    errno.EEXIST: "remove it, or name another",
    errno.ENOENT: "make its folder",
    errno.EACCES: "make its folder writable for the user who starts the daemon",
}
