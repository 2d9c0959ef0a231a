from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from skitaid.config.model import Listen, Origin
from skitaid.instance.sockets import BindError, BusyError, Sockets

LOCAL = Listen("127.0.0.1", 0)


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    made = Sockets()
    yield made
    made.close_all()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def test_addresses_are_told_as_bound(sockets: Sockets, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    assert sockets.open([LOCAL, Listen(path=str(path))]) == [LOCAL, Listen(path=str(path))]
    tcp, unix = sockets.addresses
    assert unix == f"unix:{path}"
    host, port = tcp.split(":")
    assert host == "127.0.0.1"
    socket.create_connection((host, int(port))).close()


def test_what_is_open_stays_so(sockets: Sockets) -> None:
    sockets.open([LOCAL])
    before = sockets.addresses
    assert sockets.open([LOCAL]) == []
    assert sockets.addresses == before


def test_all_or_nothing(sockets: Sockets, taken: int) -> None:
    with pytest.raises(BusyError):
        sockets.open([LOCAL, Listen("127.0.0.1", taken)])
    assert sockets.addresses == []


def test_keep_only(sockets: Sockets, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    unix = Listen(path=str(path))
    sockets.open([LOCAL, unix])
    sockets.keep_only([LOCAL])
    assert len(sockets.addresses) == 1
    assert not path.exists()


def test_a_worker_takes_its_own_and_closes_the_others(sockets: Sockets, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    unix = Listen(path=str(path))
    sockets.open([LOCAL, unix])
    [sock] = sockets.take([unix])
    assert sock.getsockname() == str(path)
    assert path.exists()
    sock.close()


def test_a_taken_port_says_where_and_what_to_do(sockets: Sockets, taken: int) -> None:
    with pytest.raises(BusyError) as caught:
        sockets.open([Listen("127.0.0.1", taken, origin=Origin("/etc/site.conf", 4))])
    assert str(caught.value) == (
        f"/etc/site.conf:4: cannot listen on 127.0.0.1:{taken}: Address already in use "
        f"(another program has it; see which: ss -ltnp 'sport = :{taken}')"
    )


def test_an_address_of_another_machine(sockets: Sockets) -> None:
    with pytest.raises(BindError, match="this machine has no such address") as caught:
        sockets.open([Listen("192.0.2.1", 0)])
    assert not isinstance(caught.value, BusyError)


def reached(sockets: Sockets, port: int) -> str:
    """Which of our addresses a client of 127.0.0.1 gets to."""
    with socket.create_connection(("127.0.0.1", port)):
        ready, _, _ = select.select(list(sockets.everything.values()), [], [], 10.0)
        [(listen, sock)] = [(each, sock) for each, sock in sockets.everything.items() if sock in ready]
        sock.accept()[0].close()
        return listen.host


@pytest.mark.parametrize(("before", "after"), [("127.0.0.1", ""), ("", "127.0.0.1")])
def test_our_own_address_is_not_in_the_way(sockets: Sockets, before: str, after: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    old, new = Listen(before, port), Listen(after, port)
    sockets.open([old])
    sockets.open([new])
    assert reached(sockets, port) == "127.0.0.1"
    sockets.keep_only([new])
    assert reached(sockets, port) == after


def test_the_address_of_another_is_in_the_way_though_one_of_ours_is_too(sockets: Sockets) -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]
        sockets.open([Listen("127.0.0.1", port)])
        with pytest.raises(BusyError, match="another program has it"):
            sockets.open([Listen("", port)])
    assert sockets.addresses == [f"127.0.0.1:{port}"]


def test_both_families_on_one_port(sockets: Sockets) -> None:
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sockets.open([Listen("", port), Listen("::", port)])
    assert sockets.addresses == [f"0.0.0.0:{port}", f"[::]:{port}"]


# ---------------------------------------------------------------- unix sockets


def test_everybody_who_may_enter_the_folder_may_connect(sockets: Sockets, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        sockets.open([Listen(path=str(tmp_path / "a.sock"))])
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.sock").stat().st_mode) == 0o666


def test_a_stale_one_is_replaced(sockets: Sockets, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    sockets.open([Listen(path=str(path))])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("backlog", [16, 0])
def test_one_in_use_is_left_alone(sockets: Sockets, tmp_path: Path, backlog: int) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(backlog)
        waiting.connect(str(path))  # fills a queue of length 0: a second connect would block
        with pytest.raises(BusyError, match="another program listens there"):
            sockets.open([Listen(path=str(path))])
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no/such/folder/a.sock", "No such file or directory (make its folder)"),
        ("file", "a file that is not a socket has this name (remove it, or name another)"),
        ("a" * 200, "AF_UNIX path too long"),
    ],
)
def test_paths_that_cannot_be(sockets: Sockets, tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(BindError) as caught:
        sockets.open([Listen(path=str(tmp_path / name))])
    assert str(caught.value).endswith(expected)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_path_that_somebody_removed_is_no_error_at_the_end(sockets: Sockets, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    sockets.open([Listen(path=str(path))])
    path.unlink()
    sockets.close_all()
    assert sockets.addresses == []


# ---------------------------------------------------------------- two masters


@pytest.fixture
def successor(sockets: Sockets, tmp_path: Path) -> Iterator[Sockets]:
    """Has duplicates of a unix socket's and a TCP socket's descriptors, as over a channel."""
    sockets.open([LOCAL, Listen(path=str(tmp_path / "a.sock"))])
    made = Sockets()
    made.borrow({listen: sock.dup() for listen, sock in sockets.everything.items()})
    yield made
    made.close_all()


def test_what_is_borrowed_is_not_bound_anew(sockets: Sockets, successor: Sockets, tmp_path: Path) -> None:
    assert successor.open([LOCAL, Listen(path=str(tmp_path / "a.sock"))]) == []
    assert successor.addresses == sockets.addresses


def test_a_unix_socket_whose_name_was_removed_is_made_anew(sockets: Sockets, tmp_path: Path) -> None:
    path, other = tmp_path / "a.sock", Listen(path=str(tmp_path / "b.sock"))
    sockets.open([Listen(path=str(path)), other])
    for listen in (path, tmp_path / "b.sock"):
        listen.unlink()
    successor = Sockets()
    successor.borrow({listen: sock.dup() for listen, sock in sockets.everything.items()})
    assert successor.open([Listen(path=str(path))]) == [Listen(path=str(path))]
    assert successor.addresses == [f"unix:{path}"]
    successor.close_all()
    assert not path.exists()


def test_one_that_fails_takes_no_name_away(sockets: Sockets, successor: Sockets, tmp_path: Path) -> None:
    other = Listen(path=str(tmp_path / "b.sock"))
    successor.open([other])
    successor.close_all()
    assert (tmp_path / "a.sock").exists()
    assert not (tmp_path / "b.sock").exists()
    sockets.close_all()
    assert not (tmp_path / "a.sock").exists()


def test_one_that_leaves_takes_no_name_away(sockets: Sockets, successor: Sockets, tmp_path: Path) -> None:
    successor.own()
    sockets.leave()
    assert sockets.addresses == []
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "a.sock"))
    successor.keep_only([LOCAL])
    assert not (tmp_path / "a.sock").exists()
