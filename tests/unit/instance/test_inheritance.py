from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.config.model import Listen
from skitaid.instance.inheritance import Inheritance, InheritanceError, ask, give
from skitaid.supervisor.succession import Order, OrderReader, Word

LOCAL = Listen("127.0.0.1", 0)


@pytest.fixture
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The ends of the master that serves, and of the one that is to follow."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def inheritance(tmp_path: Path) -> Iterator[Inheritance]:
    lock_fd = os.open(tmp_path / "site.lock", os.O_RDWR | os.O_CREAT)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield Inheritance({LOCAL: sock}, lock_fd, ("/a (site.conf:3): broken",))
    os.close(lock_fd)


def descriptors_of(fd: int) -> int:
    """How many descriptors of this process are open on the file that `fd` is open on."""
    path = os.readlink(f"/proc/self/fd/{fd}")
    with os.scandir("/proc/self/fd") as entries:
        return sum(os.path.realpath(entry.path) == path for entry in entries)


def drop(inheritance: Inheritance) -> None:
    os.close(inheritance.lock_fd)
    for sock in inheritance.sockets.values():
        sock.close()


def test_descriptors_come_over(channel: tuple[socket.socket, socket.socket], inheritance: Inheritance) -> None:
    ours, theirs = channel
    give(ours, os.getpid(), inheritance)
    got = ask(theirs)
    assert got is not None
    assert got.failed == inheritance.failed
    assert list(got.sockets) == [LOCAL]
    assert got.sockets[LOCAL].getsockname() == inheritance.sockets[LOCAL].getsockname()
    assert os.path.sameopenfile(got.lock_fd, inheritance.lock_fd)
    assert not os.get_inheritable(got.lock_fd)
    assert not got.sockets[LOCAL].get_inheritable()
    assert OrderReader().feed(ours.recv(4096)) == [Order(Word.ASK, os.getpid())]
    drop(got)


def test_what_one_before_did_not_live_to_read_is_passed_over(
    channel: tuple[socket.socket, socket.socket], inheritance: Inheritance
) -> None:
    ours, theirs = channel
    give(ours, 1, Inheritance({}, inheritance.lock_fd))
    give(ours, os.getpid(), inheritance)
    got = ask(theirs)
    assert got is not None
    assert list(got.sockets) == [LOCAL]
    assert descriptors_of(inheritance.lock_fd) == 2  # ours, and the one that was asked for
    drop(got)
    assert descriptors_of(inheritance.lock_fd) == 1


def test_one_that_is_gone_leaves_nothing(channel: tuple[socket.socket, socket.socket]) -> None:
    channel[0].close()
    assert ask(channel[1]) is None


def test_nobody_waits_for_ever(channel: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(InheritanceError, match="stop and start instead"):
        ask(channel[1], 0.0)


def test_another_release(channel: tuple[socket.socket, socket.socket]) -> None:
    channel[0].send(b'{"all": "that I have"}\n')
    with pytest.raises(InheritanceError, match="of a release that is too different"):
        ask(channel[1])


def test_one_that_cannot_give_goes_on(channel: tuple[socket.socket, socket.socket], inheritance: Inheritance) -> None:
    """As when too many descriptors are on their way (ETOOMANYREFS): the one that serves is not to end for it."""
    give(channel[0], 1, Inheritance({}, -1))
    with pytest.raises(InheritanceError, match="in time"):
        ask(channel[1], 0.0)


def test_nobody_reads_what_is_given(channel: tuple[socket.socket, socket.socket], inheritance: Inheritance) -> None:
    ours, theirs = channel
    for _ in range(2000):
        give(ours, 1, Inheritance({}, inheritance.lock_fd))
    theirs.close()
    give(ours, 1, inheritance)
