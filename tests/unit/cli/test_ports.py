from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.cli.ports import Availability, availability, next_free_port
from skitaid.config.model import Listen


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_taken(taken: int) -> None:
    assert availability(Listen("127.0.0.1", taken)) is Availability.TAKEN
    assert availability(Listen("", taken)) is Availability.TAKEN
    assert availability(Listen("127.0.0.1", 0)) is Availability.FREE


def test_an_address_of_another_machine_is_unknown() -> None:
    assert availability(Listen("192.0.2.1", 0)) is Availability.UNKNOWN_ADDRESS


def test_the_next_free_port_is_above(taken: int) -> None:
    port = next_free_port("127.0.0.1", taken)
    assert port is not None
    assert taken < port <= taken + 100
    assert next_free_port("127.0.0.1", 65535) is None


def test_a_unix_socket_is_taken_while_somebody_answers(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    assert availability(Listen(path=path)) is Availability.FREE
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert availability(Listen(path=path)) is Availability.TAKEN
    assert availability(Listen(path=path)) is Availability.FREE
    assert availability(Listen(path=str(tmp_path / "missing" / "s"))) is Availability.FORBIDDEN
