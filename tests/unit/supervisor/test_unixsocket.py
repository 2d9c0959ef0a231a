from __future__ import annotations

import socket
from pathlib import Path

import pytest

from skitaid.supervisor.unixsocket import ADDRESS_MAX_BYTES, socket_address


def test_a_short_path_is_the_address() -> None:
    folder = Path("/run/skitaid")
    with socket_address(folder, "skitaid.sock") as address:
        assert address == "/run/skitaid/skitaid.sock"


@pytest.mark.parametrize("part", ["x" * 60, "é" * 30])
def test_a_socket_in_a_deep_folder_is_bound_and_found(tmp_path: Path, part: str) -> None:
    folder = tmp_path / part / part
    folder.mkdir(parents=True)
    assert len(str(folder).encode()) > ADDRESS_MAX_BYTES
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        with socket_address(folder, "wake") as address:
            ours.bind(address)
        assert (folder / "wake").is_socket()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client, socket_address(folder, "wake") as address:
            client.sendto(b"x", address)
        assert ours.recv(8) == b"x"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), socket_address(tmp_path / ("x" * 120), "wake"):
        pass
