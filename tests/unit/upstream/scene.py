"""A cluster turned by hand: its members are unix sockets that the test answers for, its clock stands still, and nothing
happens but in a turn."""

from __future__ import annotations

import heapq
import itertools
import select
import shutil
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.engine.portal import Portal
from skitaid.engine.selector import EngineSelector
from skitaid.upstream.call import Call, Fields, ResponseHead
from skitaid.upstream.cluster import Cluster
from skitaid.upstream.context import UpstreamContext
from skitaid.upstream.errors import UpstreamError
from skitaid.upstream.exchange import ClusterExchange
from skitaid.upstream.pool import Pool
from skitaid.upstream.settings import ClusterSettings, MemberSettings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENCE_S = 20.0


class Loop:
    """As much of an asyncio loop as upstream uses, on the scene's clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        self.call_later(0, callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Handle:
        heapq.heappush(self._due, (self.now + delay, next(self._numbers), callback, args))
        return Handle()

    def run(self) -> None:
        while self._due and self._due[0][0] <= self.now:
            _, _, callback, args = heapq.heappop(self._due)
            callback(*args)

    @property
    def next_at(self) -> float | None:
        return self._due[0][0] if self._due else None


class Handle:
    def cancel(self) -> None:
        """Never needed before the scene is over."""


class Engine:
    """What upstream sees of an engine."""

    def __init__(self) -> None:
        self.selector = EngineSelector()
        self.portal = Portal(self.selector)
        self.loop = Loop()
        self.on_tick: list[Callable[[], None]] = []

    @property
    def now(self) -> float:
        return self.loop.now


class Heard:
    """A receiver. `told` are its calls; pieces of a body that follow each other are one."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.head: ResponseHead | None = None
        self.body = b""
        self.error: UpstreamError | None = None
        self.tunnel: Any = None
        self.hooks: dict[str, Callable[[], object]] = {}

    def _tell(self, what: Any) -> None:
        self.told.append(what)
        hook = self.hooks.pop(what if isinstance(what, str) else what[0], None)
        if hook is not None:
            hook()

    def on_information(self, head: ResponseHead) -> None:
        self._tell(("information", head.status))

    def on_response(self, head: ResponseHead) -> None:
        self.head = head
        self._tell(("response", head.status))

    def on_data(self, data: bytes) -> None:
        self.body += data
        if self.told[-1] != "data":
            self._tell("data")

    def on_flush(self) -> None:
        self._tell("flush")

    def on_end(self, trailers: Fields) -> None:
        self._tell(("end", tuple(trailers)) if trailers else "end")

    def on_failure(self, error: UpstreamError) -> None:
        self.error = error
        self._tell(("failure", error.failure.name))

    def on_writable(self) -> None:
        self._tell("writable")

    def on_upgrade(self, head: ResponseHead, tunnel: Any) -> None:
        self.head, self.tunnel = head, tunnel
        self._tell(("upgrade", head.status))

    @property
    def is_complete(self) -> bool:
        return bool(self.told) and self.told[-1] == "end"

    @property
    def failure(self) -> str | None:
        return self.error.failure.name if self.error else None


class Peer:
    """A member's end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(PATIENCE_S)

    def heard(self) -> bytes:
        """What came and was not asked for yet; b"" when nothing did."""
        data = b""
        while select.select([self.socket], [], [], 0)[0]:
            piece = self.socket.recv(1 << 20)
            if not piece:
                break
            data += piece
        return data

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    @property
    def is_closed(self) -> bool:
        """Whether the other end closed."""
        if not select.select([self.socket], [], [], 0)[0]:
            return False
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()


class Server:
    """A member."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.peers: list[Peer] = []
        self._listener: socket.socket | None = None
        self.up()

    def up(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(100)

    def down(self) -> None:
        """It refuses connections; those that are open stay so."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def accept(self) -> Peer:
        """The connection that was made first, of those not accepted yet."""
        assert self._listener is not None
        self._listener.settimeout(PATIENCE_S)
        peer = Peer(self._listener.accept()[0])
        self.peers.append(peer)
        return peer

    @property
    def is_called(self) -> bool:
        """Whether a connection waits to be accepted."""
        return self._listener is not None and bool(select.select([self._listener], [], [], 0)[0])

    def close(self) -> None:
        self.down()
        for peer in self.peers:
            peer.close()


class Scene:
    """`cluster` over `servers`; `reports` are what it says of members."""

    def __init__(self, count: int = 1, **settings: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="up"))
        self.engine = Engine()
        self.reports: list[str] = []
        self.context = UpstreamContext(self.engine, self.reports.append)  # type: ignore[arg-type]
        self.servers = [Server(self.folder / f"{number}") for number in range(count)]
        members = tuple(MemberSettings("", path=str(server.path)) for server in self.servers)
        self.cluster = Cluster(ClusterSettings("test", members, **settings), self.context)
        self.receivers: list[Heard] = []

    @property
    def server(self) -> Server:
        return self.servers[0]

    @property
    def pool(self) -> Pool:
        """That of the first member."""
        return self.cluster.members[0].pools[0]

    def request(self, call: Call | None = None, **parts: Any) -> tuple[ClusterExchange, Heard]:
        """A call, GET / if nothing else is said."""
        heard = Heard()
        call = call or Call(**({"method": "GET", "target": b"/"} | parts))
        exchange = self.cluster.request(call, heard)
        # As if a batch of events had been served, and the call was made in it.
        self.engine.selector.end_batch()
        return exchange, heard

    def turn(self, times: int = 3) -> None:
        """What has happened is noticed."""
        for _ in range(times):
            self.engine.selector.select(0)
            self.engine.loop.run()

    def advance(self, seconds: float) -> None:
        """Time passes."""
        loop = self.engine.loop
        end = loop.now + seconds
        while loop.next_at is not None and loop.next_at <= end:
            loop.now = max(loop.now, loop.next_at)
            loop.run()
            self.turn(1)
        loop.now = end
        self.cluster.tick()
        self.turn()

    def answered(self, **parts: Any) -> Peer:
        """A call is made on a new connection and answered: that connection is idle now."""
        _, heard = self.request(**parts)
        peer = self.server.accept()
        peer.heard()
        peer.send(OK)
        self.turn()
        assert heard.is_complete
        return peer

    def close(self) -> None:
        self.cluster.close()
        for server in self.servers:
            server.close()
        self.engine.portal.close()
        self.engine.selector.close()
        shutil.rmtree(self.folder)


RESET = struct.pack("ii", 1, 0)
MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene() -> Iterator[MakeScene]:
    scenes: list[Scene] = []

    def make(count: int = 1, **settings: Any) -> Scene:
        scenes.append(Scene(count, **settings))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.close()


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene()
