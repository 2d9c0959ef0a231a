"""A cached cluster whose members are played by the test, and clients who note what they hear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from skitaid.protocols.headers import FieldLine
from skitaid.protocols.response_head import ResponseFields, ResponseHead
from skitaid.upstream.cache.cache import CacheSettings, ResponseCache
from skitaid.upstream.cache.cluster import CachedCluster
from skitaid.upstream.cache.disk import DiskStore
from skitaid.upstream.call import Call, Exchange, Fields, Receiver, Tunnel
from skitaid.upstream.errors import Failure, UpstreamError

START = 1_700_000_000.0


def head(status: int = 200, *fields: str, length: int | None = 0, reason: str = "OK") -> ResponseHead:
    """A member's head; each field as `Name: value`. `length` None: the body is chunked."""
    lines = []
    for text in fields:
        name, _, value = text.partition(":")
        lines.append(FieldLine(name.lower().encode(), value.strip().encode()))
    if length is None:
        lines.append(FieldLine(b"transfer-encoding", b"chunked"))
    return ResponseHead(status, reason.encode(), ResponseFields(lines), content_length=length)


@dataclass
class Heard:
    """A Receiver."""

    exchange: Exchange | None = None
    head: ResponseHead | None = None
    pieces: list[bytes] = field(default_factory=list)
    information: list[int] = field(default_factory=list)
    trailers: Fields | None = None
    failure: UpstreamError | None = None
    flushes: int = 0
    on_head: Callable[[], None] | None = None
    on_piece: Callable[[], None] | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def is_ended(self) -> bool:
        return self.trailers is not None

    @property
    def status(self) -> int:
        assert self.head is not None, "no head yet"
        return self.head.status

    def get(self, name: str) -> str | None:
        assert self.head is not None, "no head yet"
        value = self.head.fields.get(name.encode())
        return None if value is None else value.decode()

    def on_information(self, head: ResponseHead) -> None:
        self.information.append(head.status)

    def on_response(self, head: ResponseHead) -> None:
        assert self.exchange is not None, "heard before the exchange was given"
        assert self.head is None, "a second head"
        self.head = head
        if self.on_head is not None:
            self.on_head()

    def on_data(self, data: bytes) -> None:
        assert self.head is not None
        assert not self.is_ended
        self.pieces.append(data)
        if self.on_piece is not None:
            self.on_piece()

    def on_flush(self) -> None:
        self.flushes += 1

    def on_end(self, trailers: Fields) -> None:
        assert self.head is not None
        assert self.trailers is None
        assert self.failure is None
        self.trailers = trailers

    def on_failure(self, error: UpstreamError) -> None:
        assert self.trailers is None
        assert self.failure is None
        self.failure = error

    def on_writable(self) -> None: ...
    def on_upgrade(self, head: ResponseHead, tunnel: Tunnel) -> None: ...


@dataclass
class Asked:
    """A call that a member got; an Exchange."""

    call: Call
    receiver: Receiver
    member: str = "10.0.0.1:80"
    is_paused: bool = False
    is_cancelled: bool = False

    @property
    def fields(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.call.pairs()}

    def send(self, data: bytes) -> bool:
        return True

    def end(self, trailers: Fields = ()) -> None: ...

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def cancel(self) -> None:
        self.is_cancelled = True

    # ------------------------------------------------------------ the member's side

    def answer(self, status: int = 200, *fields: str, body: bytes = b"") -> None:
        """All of a response at once."""
        self.begin(status, *fields, length=len(body))
        if body and not self.is_cancelled:
            self.receiver.on_data(body)
        if not self.is_cancelled:
            self.receiver.on_end(())

    def begin(self, status: int = 200, *fields: str, length: int | None = 0) -> None:
        assert not self.is_cancelled, "nobody listens"
        self.receiver.on_response(head(status, *fields, length=length))

    def data(self, data: bytes) -> None:
        assert not self.is_cancelled, "nobody listens"
        self.receiver.on_data(data)

    def finish(self, trailers: Fields = ()) -> None:
        assert not self.is_cancelled, "nobody listens"
        self.receiver.on_end(trailers)

    def fail(self, failure: Failure = Failure.RESET) -> None:
        assert not self.is_cancelled, "nobody listens"
        self.receiver.on_failure(UpstreamError(failure))


class Scene:
    """`calls`: what members were asked, in order. Time stands still until told otherwise."""

    def __init__(
        self,
        memory_bytes: int = 1 << 20,
        *,
        disk_bytes: int = 0,
        folder: str | None = None,
        disk: DiskStore | None = None,
    ) -> None:
        self.now = START
        self.calls: list[Asked] = []
        self._soon: list[Callable[[], None]] = []
        settings = CacheSettings(memory_bytes, disk_bytes, folder)
        self.cache = ResponseCache(settings, self._soon.append, disk=disk, wall=lambda: self.now)
        self.cluster = CachedCluster(self, self.cache, b"@api")

    def request(self, call: Call, receiver: Receiver) -> Asked:
        """As the cluster behind the cache."""
        asked = Asked(call, receiver)
        self.calls.append(asked)
        return asked

    def turn(self) -> None:
        """What was left for later happens."""
        while self._soon:
            self._soon.pop(0)()

    def ask(
        self, target: str = "/", *fields: str, method: str = "GET", heard: Heard | None = None, host: bytes = b"x"
    ) -> Heard:
        """A client's request, as far as it goes by itself."""
        heard = Heard() if heard is None else heard
        parts = [text.partition(":") for text in fields]
        pairs = [(name.lower().encode(), value.strip().encode()) for name, _, value in parts]
        call = Call(method, target.encode(), pairs, host=host)
        heard.exchange = self.cluster.request(call, heard)
        self.turn()
        return heard

    def fetch(self, target: str = "/", *fields: str, asks: tuple[str, ...] = (), body: bytes = b"hello") -> Heard:
        """A request that a member answers."""
        count = len(self.calls)
        heard = self.ask(target, *asks)
        assert len(self.calls) == count + 1, "answered without a member"
        self.calls[-1].answer(200, *fields, body=body)
        assert heard.is_ended
        return heard

    @property
    def last(self) -> Asked:
        return self.calls[-1]
