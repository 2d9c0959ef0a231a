from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skitaid.engine.listener import Listener
from tests.unit.engine.rig import Rig, hello, request_bytes


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process may open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def caller(rig: Rig) -> Iterator[socket.socket]:
    """Calls the rig's listener, which is open; not accepted yet."""
    rig.app(hello)
    rig.engine._listeners.append(rig.listener)
    rig.listener.open()
    with socket.socket() as sock:
        sock.settimeout(10)
        sock.connect(rig.socket.getsockname())
        yield sock
    rig.turn(2)


def test_a_call_is_accepted_and_answered(rig: Rig, caller: socket.socket) -> None:
    rig.turn()
    assert rig.engine.connection_count == 1
    caller.sendall(request_bytes("/"))
    rig.until(lambda: rig.records)
    assert caller.recv(1000).endswith(b"hello")
    assert rig.records[0][1] == "127.0.0.1"


def test_a_call_that_waits_is_answered_though_nobody_listens_any_more(rig: Rig, caller: socket.socket) -> None:
    rig.engine.drain()
    with socket.socket() as late, pytest.raises(ConnectionRefusedError):
        late.connect(caller.getpeername())
    caller.sendall(request_bytes("/"))
    rig.until(lambda: rig.records)
    reply = caller.recv(1000)
    assert reply.endswith(b"hello")
    assert b"connection: close" in reply.lower()


def test_without_descriptors_nothing_spins_and_nothing_is_lost(
    rig: Rig, caller: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    with no_descriptors():
        rig.turn()
        assert rig.listener.is_paused
        assert rig.engine.connection_count == 0
        # The call waits in the kernel; nothing reports it all the time.
        rig.settle()
        rig.advance(3)
        assert rig.listener.is_paused
    rig.advance(1)
    rig.turn()
    assert not rig.listener.is_paused
    assert rig.engine.connection_count == 1
    caller.sendall(request_bytes("/"))
    rig.until(lambda: rig.records)
    assert caller.recv(1000).endswith(b"hello")
    assert capsys.readouterr().err == ""


def test_connections_that_are_open_go_on_without_descriptors(rig: Rig, caller: socket.socket) -> None:
    client = rig.client()
    with no_descriptors():
        rig.turn()
        assert client.get("/").body == b"hello"


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EAGAIN, errno.EINTR])
def test_a_caller_who_hung_up_is_none(
    rig: Rig, caller: socket.socket, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    accept = rig.listener._accept
    outcomes = [OSError(number, os.strerror(number))]

    def failing() -> tuple[socket.socket, object]:
        if outcomes:
            raise outcomes.pop()
        return accept()

    rig.listener._accept = failing
    rig.turn(2)
    assert rig.engine.connection_count == 1
    assert capsys.readouterr().err == ""


def test_an_error_nobody_knows_is_told_and_the_listener_goes_on(
    rig: Rig, caller: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    accept = rig.listener._accept
    outcomes = [OSError(errno.EPERM, "the firewall says no")]

    def failing() -> tuple[socket.socket, object]:
        if outcomes:
            raise outcomes.pop()
        return accept()

    rig.listener._accept = failing
    rig.turn(2)
    assert rig.engine.connection_count == 1
    assert "the firewall says no" in capsys.readouterr().err


def test_names_for_apps(rig: Rig, tmp_path: Path) -> None:
    port = rig.socket.getsockname()[1]
    assert (rig.listener.host, rig.listener.port, rig.listener.address) == ("127.0.0.1", str(port), ("127.0.0.1", port))
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        assert Listener(rig.engine, sock).host == socket.gethostname()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        listener = Listener(rig.engine, sock)
        assert (listener.host, listener.address) == ("localhost", (str(tmp_path / "socket"), None))
