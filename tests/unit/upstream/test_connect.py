"""Connections in the making: one address after the other, beside each other when one is slow, within one time-out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from skitaid.engine.poller import WRITE
from skitaid.upstream.connect import FALLBACK_S, Connected, Dial, Endpoint
from skitaid.upstream.errors import UpstreamError
from skitaid.upstream.resolver import Address, unix_address
from skitaid.upstream.settings import MemberSettings
from tests.unit.upstream.scene import Scene


class Addresses:
    """A resolver that knows one name."""

    def __init__(self, *addresses: Address) -> None:
        self.answer: Any = addresses
        self.waiting: list[Any] = []

    def resolve(self, host: str, port: int, on_answer: Any) -> None:
        if self.answer:
            on_answer(self.answer)
        else:
            self.waiting.append(on_answer)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listener(stack: ExitStack, backlog: int = 10) -> socket.socket:
    return stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=backlog))


def address_of(sock: socket.socket) -> Address:
    return Address(socket.AF_INET, sock.getsockname())


def hanging(stack: ExitStack) -> Address:
    """Where nobody answers: the queue of connections is full."""
    full = listener(stack, backlog=0)
    for _ in range(4):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
    return address_of(full)


def refusing() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return address_of(gone)


class Dialling:
    """A dial and what came of it."""

    def __init__(self, scene: Scene, stack: ExitStack, *addresses: Address, connect_s: float = 3.0) -> None:
        self.resolver = scene.context.resolver = Addresses(*addresses)  # type: ignore[assignment]
        self.results: list[Any] = []
        deadline = scene.engine.now + connect_s
        self.dial = Dial(scene.context, Endpoint(MemberSettings("name", 80)), deadline, self._done)
        self._stack = stack
        self.dial.start()

    def _done(self, dial: Dial, result: Connected | UpstreamError) -> None:
        assert dial is self.dial
        self.results.append(result)
        if isinstance(result, Connected):
            self._stack.callback(result.socket.close)

    @property
    def peer(self) -> Any:
        """Whom it is connected to."""
        assert isinstance(self.results[0], Connected)
        return self.results[0].socket.getpeername()  # type: ignore[attr-defined]

    @property
    def failures(self) -> list[str]:
        return [result.failure.name for result in self.results]


def test_the_first_address_that_answers(scene: Scene, stack: ExitStack) -> None:
    server = listener(stack)
    dialling = Dialling(scene, stack, refusing(), address_of(server), address_of(listener(stack)))
    scene.turn()
    assert dialling.peer == server.getsockname()
    assert len(dialling.results) == 1


def test_the_next_is_tried_beside_one_that_is_slow(scene: Scene, stack: ExitStack) -> None:
    server = listener(stack)
    dialling = Dialling(scene, stack, hanging(stack), address_of(server))
    scene.advance(FALLBACK_S - 0.1)
    assert dialling.results == []
    scene.advance(0.2)
    assert dialling.peer == server.getsockname()


def test_all_refuse(scene: Scene, stack: ExitStack) -> None:
    dialling = Dialling(scene, stack, refusing(), refusing())
    scene.turn()
    assert dialling.failures == ["UNREACHABLE"]
    assert dialling.results[0].is_unsent
    assert "refused" in str(dialling.results[0])


def test_none_answers(scene: Scene, stack: ExitStack) -> None:
    dialling = Dialling(scene, stack, hanging(stack), hanging(stack), connect_s=2.0)
    scene.advance(1.8)
    assert dialling.results == []
    scene.advance(0.4)
    assert dialling.failures == ["CONNECT_TIMEOUT"]
    assert scene.engine.selector._served.keys() == {scene.engine.portal._read_fd}


def test_the_name_counts_as_well(scene: Scene, stack: ExitStack) -> None:
    dialling = Dialling(scene, stack, connect_s=1.0)
    scene.advance(1.2)
    assert dialling.failures == ["CONNECT_TIMEOUT"]
    dialling.resolver.waiting[0]((address_of(listener(stack)),))
    scene.turn()
    assert len(dialling.results) == 1


def test_a_unix_socket_that_is_not_there(scene: Scene, stack: ExitStack) -> None:
    dialling = Dialling(scene, stack, unix_address(str(scene.folder / "none")))
    assert dialling.failures == ["UNREACHABLE"]


def test_giving_up(scene: Scene, stack: ExitStack) -> None:
    dialling = Dialling(scene, stack, hanging(stack))
    dialling.dial.cancel()
    scene.advance(10)
    assert dialling.results == []
    assert scene.engine.selector._served.keys() == {scene.engine.portal._read_fd}


def test_an_event_of_another_socket_that_had_the_number(scene: Scene, stack: ExitStack) -> None:
    """Two events of one batch: the first closes a socket and opens another under its number, the second is the old
    one's."""
    dialling = Dialling(scene, stack, hanging(stack))
    connecting = dialling.dial._pending[0]
    connecting.on_event(WRITE)
    assert dialling.results == []
    dialling.dial.cancel()
