"""A reverse proxy over an engine that is turned by hand, with a cluster that does what the test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from skitaid.engine.settings import EngineSettings
from skitaid.engine.spool import SpoolSettings
from skitaid.engine.timeouts import Timeouts
from skitaid.handlers.proxy.reverse import ProxySettings, ReverseProxy
from skitaid.handlers.router import Route, RouteKind
from skitaid.protocols.response_head import parse_response_head
from skitaid.upstream.call import Call, Receiver
from skitaid.upstream.errors import Failure, UpstreamError
from tests.unit.engine.rig import Rig


@dataclass
class Asked:
    """A call that was made, and the exchange that stands for it. `done` is what the caller did with it; `takes`: how
    many pieces of a body are taken before it is told to wait."""

    call: Call
    receiver: Receiver
    takes: int = 1 << 30
    member: str = "10.0.0.1:80"
    sent: list[bytes] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    # ------------------------------------------------------------ what the proxy does (upstream.call.Exchange)

    def send(self, data: bytes) -> bool:
        self.sent.append(data)
        self.takes -= 1
        return self.takes > 0

    def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.done.append("end")

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")

    def cancel(self) -> None:
        self.done.append("cancel")

    # ------------------------------------------------------------ what the member does

    def head(self, status: str = "200 OK", *fields: str) -> None:
        self.receiver.on_response(parse_response_head("\r\n".join((f"HTTP/1.1 {status}", *fields)).encode("latin-1")))

    def inform(self, status: str, *fields: str) -> None:
        raw = "\r\n".join((f"HTTP/1.1 {status}", *fields)).encode("latin-1")
        self.receiver.on_information(parse_response_head(raw))

    def respond(self, body: bytes = b"", *fields: str, status: str = "200 OK") -> None:
        """A whole response, with its length."""
        self.head(status, f"Content-Length: {len(body)}", *fields)
        if body:
            self.receiver.on_data(body)
        self.receiver.on_end(())

    def fail(self, failure: Failure, detail: str = "") -> None:
        self.receiver.on_failure(UpstreamError(failure, detail, member=self.member))

    @property
    def lines(self) -> list[str]:
        """The fields of the request."""
        return self.call.lines.decode("latin-1").split("\r\n")[:-1]

    @property
    def fields(self) -> dict[str, str]:
        return dict(line.split(": ", 1) for line in self.lines)


@dataclass
class ProxyRig(Rig):
    """`asked`: the calls so far, `told` the lines for the server's log. `refuse` is raised by the next call. `takes`:
    see Asked."""

    asked: list[Asked] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    refuse: UpstreamError | None = None
    takes: int = 1 << 30

    def proxy(self, path: str = "", **settings: Any) -> ReverseProxy:
        handler = ReverseProxy(
            self.engine, path, self, ProxySettings(path or "/", "back", **settings), write=self.told.append
        )
        self.mount(Route(path, RouteKind.PROXY, handler))
        return handler

    def request(self, call: Call, receiver: Receiver) -> Asked:
        """Of proxy.Requester."""
        if self.refuse is not None:
            raise self.refuse
        asked = Asked(call, receiver, self.takes)
        self.asked.append(asked)
        return asked

    def next_asked(self, count: int = 1) -> Asked:
        """The last of `count` calls."""
        self.until(lambda: len(self.asked) >= count, f"{count} calls")
        return self.asked[count - 1]


MakeProxyRig = Callable[..., ProxyRig]


@pytest.fixture
def make_proxy_rig(tmp_path: Any) -> Any:
    """Makes ProxyRigs: `spool_bytes` for bodies on disk, `trusted`, and any time-out of `Timeouts`."""
    rigs: list[ProxyRig] = []

    def make(*, spool_bytes: int = 0, trusted: tuple[str, ...] = (), **timeouts: float) -> ProxyRig:
        spool = SpoolSettings(str(tmp_path / "bodies"), spool_bytes) if spool_bytes else None
        rig = ProxyRig(EngineSettings(0, timeouts=Timeouts(**timeouts), trusted=trusted, spool=spool))
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def proxied(make_proxy_rig: MakeProxyRig) -> ProxyRig:
    """A rig with a proxy at its root."""
    rig = make_proxy_rig()
    rig.proxy()
    return rig
