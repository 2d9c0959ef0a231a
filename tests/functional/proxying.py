"""A reverse proxy on an engine that runs in a thread of the test's own process, in front of real members."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skitaid.engine.server import Engine
from skitaid.engine.settings import EngineSettings
from skitaid.engine.spool import SpoolSettings
from skitaid.handlers.proxy.reverse import ProxySettings, ReverseProxy
from skitaid.handlers.router import HostTable, Route, RouteKind, Router
from skitaid.handlers.site import Site
from skitaid.upstream.settings import ClusterSettings, MemberSettings
from skitaid.upstream.upstreams import Upstreams
from tests.functional.engines import PATIENCE_S, Wire, until

__all__ = ["Proxied"]


class Proxied:
    """`told`: lines of the server's log. `cluster`: settings of the cluster; everything else is of the mount."""

    def __init__(
        self,
        members: Sequence[MemberSettings],
        *,
        spool: Path | None = None,
        cluster: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.told: list[str] = []
        self.records: list[Any] = []
        site = Site(Router([]))
        bodies = None if spool is None else SpoolSettings(str(spool), 1 << 30)
        self.engine = site.engine = Engine(EngineSettings(threads=0, spool=bodies), site, log=self.records.append)
        self.upstreams = Upstreams(
            self.engine, {"back": ClusterSettings("back", tuple(members), **(cluster or {}))}, report=self.told.append
        )
        self.cluster = self.upstreams.cluster("back")
        made = ProxySettings("/", "back", **settings)
        proxy = ReverseProxy(self.engine, "", self.cluster, made, write=self.told.append)
        site.router = Router([HostTable((), [Route("", RouteKind.PROXY, proxy)])])
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self.engine.listen(self._listener)
        self._thread = threading.Thread(target=self._run, name="loop")
        self._thread.start()

    def _run(self) -> None:
        self.engine.loop.run_forever()
        self.upstreams.close()
        self.engine.close(PATIENCE_S)

    def connect(self) -> Wire:
        """A connection of a client's."""
        return Wire(socket.AF_INET, ("127.0.0.1", self.port))

    def is_at_rest(self) -> bool:
        """Whether no call is under way."""
        return self.cluster.in_flight == 0

    def close(self) -> None:
        self.engine.loop.call_soon_threadsafe(self.engine.loop.stop)
        self._thread.join(PATIENCE_S * 2)
        assert not self._thread.is_alive(), "the loop does not end"
        self._listener.close()

    def __enter__(self) -> Proxied:
        return self

    def __exit__(self, *_: object) -> None:
        until(self.is_at_rest, "the end of all calls")
        self.close()
