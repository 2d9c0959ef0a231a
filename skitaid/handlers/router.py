"""Which handlers answer a path on a host, in order. Pure: nothing here serves anything.

The longest mount point wins. At one mount point the order of service is proxy, static files, websocket, app. A file
that is missing under a longer mount point falls through to an app there, then to the app at the nearest shorter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from skitaid.engine.stream import Stream

__all__ = ["HostTable", "Route", "RouteHandler", "RouteKind", "Router", "route_path"]

_MAX_KEPT: Final = 4096
_MAX_KEPT_CHARS: Final = 200


class RouteKind(IntEnum):
    """What is mounted; the value is the order of service at one mount point."""

    PROXY = 0
    STATIC = 1
    WEBSOCKET = 2
    APP = 3


class RouteHandler(Protocol):
    """What a route leads to."""

    def serve(self, stream: Stream, route: Route) -> bool:
        """Answer, now or later; or give False to let the next route answer. On the loop thread; must not block."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A mount. `path` is "" for the root, else begins with a slash and ends with none."""

    path: str
    kind: RouteKind
    handler: RouteHandler | None = None

    @property
    def is_last(self) -> bool:
        """Whether this route always answers."""
        return self.kind in (RouteKind.PROXY, RouteKind.APP)


def route_path(mount_path: str) -> str:
    """The path of a Route for a mount point as a conf has it: as requests have theirs, of which the engine reads the
    bytes as latin-1."""
    return "" if mount_path == "/" else mount_path.encode("utf-8").decode("latin-1")


class HostTable:
    """The mounts of one host block. Looking a path up costs one look-up per segment, however many mounts there are;
    a path met before costs one in all."""

    def __init__(self, names: Sequence[str], routes: Sequence[Route]) -> None:
        self.names = tuple(names)
        self._mounts: dict[str, list[Route]] = {}
        for route in routes:
            self._mounts.setdefault(route.path.rstrip("/"), []).append(route)
        for mounted in self._mounts.values():
            mounted.sort(key=lambda route: route.kind)
        self._kept: dict[str, tuple[Route, ...]] = {}

    def match(self, path: str) -> tuple[Route, ...]:
        """The routes to try for `path`, in order; empty when nothing is mounted there."""
        try:
            return self._kept[path]
        except KeyError:
            routes = self._find(path)
        if len(path) <= _MAX_KEPT_CHARS:
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[path] = routes
        return routes

    def _find(self, path: str) -> tuple[Route, ...]:
        found: list[Route] = []
        if not path.startswith("/"):
            # The targets of OPTIONS * and of CONNECT lie under no mount point (RFC 9112 section 3.2).
            return ()
        point = path.rstrip("/")
        while True:
            for route in self._mounts.get(point, ()):
                # Past the longest mount point only an app is a stand-in.
                if found and found[0].path != route.path and route.kind is not RouteKind.APP:
                    continue
                found.append(route)
                if route.is_last:
                    return tuple(found)
            if not point:
                return tuple(found)
            point = point.rpartition("/")[0]


class Router:
    """Host blocks to tables: an exact name, else the longest domain suffix (`.example.com` is that domain and all
    below it), else the default block."""

    def __init__(self, tables: Sequence[HostTable]) -> None:
        self.tables = tuple(tables)
        self._exact: dict[str, HostTable] = {}
        self._below: dict[str, HostTable] = {}
        self._default: HostTable | None = None
        for table in tables:
            self._add(table)
        self._kept: dict[bytes, HostTable | None] = {}

    def match(self, host: bytes, path: str) -> tuple[Route, ...]:
        """The routes to try for `path` on `host` (as the client names it, with or without a port)."""
        try:
            table = self._kept[host]
        except KeyError:
            table = self.table(host)
            if len(host) <= _MAX_KEPT_CHARS:
                if len(self._kept) >= _MAX_KEPT:
                    self._kept.clear()
                self._kept[host] = table
        return () if table is None else table.match(path)

    def table(self, host: bytes) -> HostTable | None:
        """The host block that answers for `host`."""
        name = _host_name(host)
        table = self._exact.get(name)
        below = name
        while table is None and below:
            table = self._below.get(below)
            below = below.partition(".")[2]
        return table or self._default

    def has_name(self, host: bytes) -> bool:
        """Whether a host block names `host`, so that not only the default one answers for it."""
        table = self.table(host)
        return table is not None and table is not self._default

    def _add(self, table: HostTable) -> None:
        if not table.names:
            self._default = self._default or table
        for name in table.names:
            if name.startswith("."):
                self._below.setdefault(name[1:], table)
            else:
                self._exact.setdefault(name, table)


def _host_name(host: bytes) -> str:
    """Lower case, without port and the final dot of a fully qualified name."""
    name = host.decode("latin-1").lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0].rstrip(".")
