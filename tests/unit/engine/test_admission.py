"""Connections that are let in, and those that are not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from skitaid.engine.connection import Connection
from skitaid.engine.quota import QuotaSettings
from skitaid.engine.settings import EngineSettings
from tests.unit.engine.rig import Rig, request_bytes

FAR, NEAR = "203.0.113.9", "192.168.1.5"


class Door:
    """Lets clients of any address come to the engine of a rig."""

    def __init__(self, quota: QuotaSettings) -> None:
        self.rig = Rig(EngineSettings(0, quota=quota))
        self.rig.engine._listeners.append(self.rig.listener)
        self.rig.handler(lambda stream: stream.respond("200 OK", [], b"hello"))
        self.ends: list[socket.socket] = []

    def come(self, address: str = FAR) -> tuple[socket.socket, Connection | None]:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        self.ends.append(ours)
        return ours, self.rig.engine.accepted(self.rig.listener, theirs, (address, "1"))


@pytest.fixture
def doors() -> Iterator[list[Door]]:
    made: list[Door] = []
    yield made
    for door in made:
        for end in door.ends:
            end.close()
        door.rig.close()


def test_one_more_of_an_address_is_closed_at_once(doors: list[Door]) -> None:
    door = Door(QuotaSettings(per_address=3))
    doors.append(door)
    let_in = [door.come()[1] for _ in range(3)]
    assert all(let_in)
    end, refused = door.come()
    assert refused is None
    assert end.recv(1) == b""
    # Nobody else is concerned, and who leaves makes room.
    assert door.come("203.0.113.10")[1] is not None
    door.ends[0].close()
    door.rig.until(lambda: let_in[0] not in door.rig.engine._connections, "the first is gone")
    assert door.come()[1] is not None


def test_a_proxy_nearby_passes_on_many(doors: list[Door]) -> None:
    door = Door(QuotaSettings(per_address=1))
    doors.append(door)
    assert all(door.come(NEAR)[1] for _ in range(5))


def test_idle_connections_make_room_the_longest_idle_first(doors: list[Door]) -> None:
    door = Door(QuotaSettings(connections=4))
    doors.append(door)
    first, connection = door.come()
    for _ in range(3):
        door.rig.advance(1.5)
        door.come()
    assert first.recv(1) == b""
    first.close()
    door.rig.until(lambda: connection not in door.rig.engine._connections, "the longest idle one is gone")
    assert door.rig.engine.connection_count == 3
    assert door.come()[1] is not None


def test_when_all_are_busy_new_ones_wait_outside(doors: list[Door]) -> None:
    door = Door(QuotaSettings(connections=2))
    doors.append(door)
    for _ in range(2):
        end, _ = door.come()
        end.send(request_bytes()[:-2])
        door.rig.turn()
    # Both are within a request: nothing was closed, and the listener rests.
    assert door.rig.engine.connection_count == 2
    assert door.rig.listener.is_paused
    with pytest.raises(BlockingIOError):
        door.ends[0].recv(1)
    door.ends[0].close()
    door.rig.until(lambda: door.rig.engine.connection_count == 1, "one is gone")
    door.rig.advance(1.5)
    assert not door.rig.listener.is_paused
