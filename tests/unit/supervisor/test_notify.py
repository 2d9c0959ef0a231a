from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.supervisor.notify import Notifier


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(10)
        yield listener


def test_messages_over_a_path(manager: socket.socket) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "notify")
        manager.bind(path)
        notifier = Notifier({"NOTIFY_SOCKET": path})
        notifier.ready("2 of 2\ninstances run")
        assert manager.recv(1000) == b"READY=1\nSTATUS=2 of 2 instances run"
        notifier.reloading()
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(1000))
        notifier.stopping("bye")
        assert manager.recv(1000) == b"STOPPING=1\nSTATUS=bye"
        notifier.status("well")
        assert manager.recv(1000) == b"STATUS=well"
        notifier.watchdog()
        assert manager.recv(1000) == b"WATCHDOG=1"


def test_abstract_socket(manager: socket.socket) -> None:
    name = f"skitaid-test-{os.getpid()}"
    manager.bind(b"\0" + name.encode())
    Notifier({"NOTIFY_SOCKET": f"@{name}"}).status("here")
    assert manager.recv(1000) == b"STATUS=here"


@pytest.mark.parametrize("address", ["", "vsock:2:1", "/nobody/listens/here"])
def test_silent_without_a_listener(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready("well")
    assert notifier.watchdog_s is None


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({}, None),
    ],
)
def test_watchdog_is_fed_at_half_time(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "@x", **environ}).watchdog_s == seconds
