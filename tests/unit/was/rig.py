"""The other side of `was`, for tests: a worker whose loop is a thread of the test, and clusters that answer as told.

The clusters are driven through `Receiver`, in the order that skitaid.upstream.call lays down.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skitaid.protocols.headers import parse_lines
from skitaid.protocols.response_head import ResponseFields, ResponseHead
from skitaid.upstream.call import Call, Receiver
from skitaid.upstream.errors import UpstreamError
from skitaid.was import worker as worker_module
from skitaid.was.calls.order import Order, timeouts_for
from skitaid.was.messages.fields import Headers
from skitaid.was.messages.reply import Decoded, Reply
from skitaid.was.messages.target import parse_target
from skitaid.was.worker import Controls, Worker

PATIENCE_S = 10.0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what other threads do, where nothing of theirs can be waited for."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"in vain for {PATIENCE_S:g} s: {what}"
        time.sleep(0.001)


class FakePortal:
    """Makes calls on a thread of its own, which is the loop's as far as `was` can see."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], None] | None] = deque()
        self._wake = threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def call(self, function: Callable[[], None]) -> None:
        self._calls.append(function)
        self._wake.release()

    def run(self, function: Callable[[], Any]) -> Any:
        """Have it called, and wait for what it gives."""
        found: list[Any] = []
        done = threading.Event()

        def work() -> None:
            try:
                found.append(function())
            except BaseException as error:  # noqa: BLE001
                found.append(error)
            done.set()

        self.call(work)
        assert done.wait(PATIENCE_S)
        return found[0]

    def close(self) -> None:
        self._calls.append(None)
        self._wake.release()
        self.thread.join(PATIENCE_S)

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            function = self._calls.popleft()
            if function is None:
                return
            function()


@dataclass
class FakeExchange:
    """A call that has arrived. The test answers it, by whatever thread."""

    call: Call
    receiver: Receiver
    where: str
    portal: FakePortal
    index: int | None = None
    member: str = "127.0.0.1:1"
    is_cancelled: bool = False

    def send(self, data: bytes) -> bool:
        raise AssertionError("all of the body is in the call")

    def end(self, trailers: Any = ()) -> None:
        raise AssertionError("all of the body is in the call")

    def pause(self) -> None:
        """Not needed."""

    def resume(self) -> None:
        """Not needed."""

    def cancel(self) -> None:
        self.is_cancelled = True

    def answer(self, body: bytes = b"", *, status: int = 200, fields: bytes = b"") -> None:
        """The whole response."""
        self.portal.run(lambda: self._answer(body, status, fields))

    def begin(self, status: int = 200, fields: bytes = b"", length: int | None = None) -> None:
        """Its head alone."""
        self.portal.run(lambda: self.receiver.on_response(make_head(status, fields, length)))

    def data(self, data: bytes) -> None:
        """A piece of its body."""
        self.portal.run(lambda: self.receiver.on_data(data))

    def fail(self, error: UpstreamError) -> None:
        """None."""
        self.portal.run(lambda: self.receiver.on_failure(error))

    def _answer(self, body: bytes, status: int, fields: bytes) -> None:
        self.receiver.on_response(make_head(status, fields, len(body)))
        if body:
            self.receiver.on_data(body)
        self.receiver.on_end(())


def make_head(status: int, fields: bytes = b"", length: int | None = None) -> ResponseHead:
    return ResponseHead(status, b"OK", ResponseFields(parse_lines(fields)), content_length=length)


@dataclass
class FakeCluster:
    """Notes what arrives; `answers`, if there is any, is asked to answer at once."""

    world: World
    where: str

    def request(self, call: Call, receiver: Receiver) -> FakeExchange:
        return self._arrived(call, receiver, None)

    def request_member(self, index: int, call: Call, receiver: Receiver) -> FakeExchange:
        return self._arrived(call, receiver, index)

    def _arrived(self, call: Call, receiver: Receiver, index: int | None) -> FakeExchange:
        exchange = FakeExchange(call, receiver, self.where, self.world.portal, index)
        self.world.arrived(exchange)
        return exchange


class FakeUpstreams:
    def __init__(self, world: World) -> None:
        self._world = world

    def cluster(self, name: str) -> FakeCluster:
        return FakeCluster(self._world, f"@{name}")

    def origin(self, scheme: str, host: str, port: int) -> FakeCluster:
        return FakeCluster(self._world, f"{scheme}://{host}:{port}")


@dataclass
class FakeEngine:
    portal: FakePortal
    loop: Any = None
    disk: Any = None
    threads: Any = None


@dataclass
class World:
    """A worker and what arrives at the servers it calls. `auto` answers at once, if there is one."""

    portal: FakePortal
    exchanges: list[FakeExchange] = field(default_factory=list)
    auto: Callable[[FakeExchange], None] | None = None
    logged: list[tuple[str, str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def arrived(self, exchange: FakeExchange) -> None:
        with self._news:
            self.exchanges.append(exchange)
            self._news.notify_all()
        if self.auto is not None:
            answer = self.auto
            self.portal.call(lambda: answer(exchange))

    def exchange(self, index: int = 0) -> FakeExchange:
        """The call with that index, once it has arrived."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.exchanges) > index, PATIENCE_S)
            return self.exchanges[index]

    def settle(self) -> None:
        """Until everything that was left for the loop is done."""
        self.portal.run(lambda: None)


class FakeLoop:
    """`timers` are called when the test says so."""

    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        self.timers.append(function)

    def tick(self, world: World) -> None:
        world.settle()
        timers, self.timers = self.timers, []
        for function in timers:
            world.portal.run(function)


@contextmanager
def world(folder: Path, **settings: Any) -> Iterator[World]:
    """A worker is installed meanwhile."""
    portal = FakePortal()
    found = World(portal)
    controls = Controls(
        log=lambda kind, text, identifier: found.logged.append((kind, text, identifier)),
        log_error=lambda text, error, identifier: found.logged.append(("expt", f"{text}{error!r}", identifier)),
        restart=lambda: found.asked.append("restart"),
        shutdown=lambda: found.asked.append("shutdown"),
    )
    upstreams = FakeUpstreams(found)
    ident = portal.thread.ident
    assert ident is not None
    settings = {"aliases": {"one": 1, "three": 3}, "loop_ident": ident, **settings}
    worker = Worker(FakeEngine(portal), lambda: upstreams, folder, controls, **settings)
    worker_module.install(worker)
    try:
        yield found
    finally:
        worker.end()
        worker_module.install(None)
        portal.close()


def decode(reply: Reply) -> Decoded:
    """The body as text."""
    return Decoded(reply.status_code, reply.reason, Headers(reply.fields), reply.body, reply.body.decode())


def order(url: str = "http://x/", *, timeout: float | None = None, **more: Any) -> Order:
    """A GET."""
    target = parse_target(url)
    call = Call("GET", target.path.encode(), timeouts=timeouts_for(timeout))
    settings = {"decode": decode, "timeout_s": timeout, **more}
    return Order(target, call, **settings)
