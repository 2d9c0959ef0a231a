"""Websockets and the like through a proxy: bytes both ways after the member switched protocols."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from skitaid.handlers.proxy.tunnel import DRAIN_S
from skitaid.protocols.response_head import parse_response_head
from tests.unit.engine.rig import Client, request_bytes
from tests.unit.handlers.proxy.rig import MakeProxyRig, ProxyRig

UPGRADE = request_bytes("/ws", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x")
SWITCHED = parse_response_head(
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y"
)


@dataclass
class Joined:
    """Both ends of a tunnel."""

    rig: ProxyRig
    client: Client
    member: socket.socket
    got: bytes = b""
    is_ended: bool = False

    def take(self) -> None:
        """What both got."""
        if self.client.socket.fileno() >= 0:
            self.client.take()
        try:
            while data := self.member.recv(1 << 20):
                self.got += data
            self.is_ended = True
        except BlockingIOError:
            return
        except ConnectionError:
            self.is_ended = True

    def until(self, condition: object) -> None:
        assert callable(condition)
        self.rig.until(lambda: (self.take(), condition())[1])

    def write(self, data: bytes) -> None:
        """Of the member."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.member.send(view) :]
            except BlockingIOError:
                self.rig.turn()
                self.take()


class _Tunnel:
    def __init__(self, sock: socket.socket, data: bytes) -> None:
        self._what = sock, data

    def take(self) -> tuple[object, bytes]:
        return self._what


@pytest.fixture
def joined(make_proxy_rig: MakeProxyRig) -> Iterator[Joined]:
    """A websocket that is open: the client's handshake, and a byte behind it, are with the member."""
    proxied = make_proxy_rig()
    proxied.proxy(tunnel_s=20.0)
    client = proxied.client()
    client.send(UPGRADE + b"c")
    asked = proxied.next_asked()
    assert asked.call.upgrade == b"websocket"
    assert asked.fields["sec-websocket-key"] == "x"
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    asked.receiver.on_upgrade(SWITCHED, _Tunnel(theirs, b"m"))
    made = Joined(proxied, client, ours)
    made.until(lambda: client.received.endswith(b"\r\n\r\nm") and made.got == b"c")
    assert client.received.startswith(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nsec-websocket-accept: y\r\n"
    )
    client.received = made.got = b""
    yield made
    ours.close()


def test_bytes_pass_both_ways(joined: Joined) -> None:
    joined.write(b"\x81\x05hello")
    joined.client.send(b"\x81\x85\0\0\0\0hello")
    joined.until(lambda: joined.got and joined.client.received)
    assert (joined.client.received, joined.got) == (b"\x81\x05hello", b"\x81\x85\0\0\0\0hello")


def test_much_passes_both_ways(joined: Joined) -> None:
    for _ in range(60):
        joined.write(b"m" * 50_000)
        joined.client.send(b"c" * 50_000)
        joined.take()
    joined.until(lambda: len(joined.got) == len(joined.client.received) == 3_000_000)


def test_a_client_that_does_not_read_holds_back_the_member(joined: Joined) -> None:
    sent = 0
    for _ in range(2000):
        try:
            sent += joined.member.send(b"m" * 50_000)
        except BlockingIOError:
            joined.rig.turn()
            if sent > 3_000_000:
                break
    assert sent < 3_000_000
    joined.until(lambda: len(joined.client.received) == sent)
    joined.write(b"on")
    joined.until(lambda: joined.client.received.endswith(b"on"))


def test_a_member_that_does_not_read_holds_back_the_client(joined: Joined) -> None:
    sent = 0
    for _ in range(2000):
        try:
            sent += joined.client.socket.send(b"c" * 50_000)
        except BlockingIOError:
            joined.rig.turn()
            if sent > 3_000_000:
                break
    assert sent < 3_000_000
    joined.until(lambda: len(joined.got) == sent)
    joined.client.send(b"on")
    joined.until(lambda: joined.got.endswith(b"on"))


def test_the_members_end_is_passed_on_behind_what_it_sent(joined: Joined) -> None:
    joined.write(b"m" * 500_000)
    joined.member.shutdown(socket.SHUT_WR)
    joined.until(lambda: joined.client.is_ended)
    assert len(joined.client.received) == 500_000
    joined.client.send(b"still heard")
    joined.until(lambda: joined.got == b"still heard")
    joined.client.close()
    joined.until(lambda: joined.client.is_closed)


def test_the_clients_end_is_passed_on_behind_what_it_sent(joined: Joined) -> None:
    joined.client.send(b"c" * 500_000)
    joined.client.socket.shutdown(socket.SHUT_WR)
    joined.until(lambda: joined.is_ended)
    assert len(joined.got) == 500_000
    joined.write(b"still heard")
    joined.member.close()
    assert joined.client.end() == b"still heard"
    joined.rig.until(lambda: joined.client.is_closed)


def test_a_client_that_vanishes(joined: Joined) -> None:
    joined.write(b"m" * 100)
    joined.client.close()
    for _ in range(100):
        if joined.client.is_closed:
            break
        try:
            joined.member.send(b"m" * 1000)
        except ConnectionError:
            break
        joined.rig.turn()
    joined.rig.until(lambda: joined.client.is_closed)
    joined.until(lambda: joined.is_ended)


def test_nothing_passes_for_too_long(joined: Joined) -> None:
    joined.rig.advance(15.0)
    joined.write(b"m")
    joined.until(lambda: joined.client.received == b"m")
    joined.rig.advance(15.0)
    assert not joined.client.is_ended
    joined.rig.advance(7.0)
    joined.until(lambda: joined.is_ended and joined.client.is_ended)


def test_a_worker_that_ends_ends_it_after_a_while(joined: Joined) -> None:
    joined.rig.engine.drain()
    joined.rig.advance(DRAIN_S - 2)
    joined.write(b"m")
    joined.until(lambda: joined.client.received == b"m")
    joined.rig.advance(4.0)
    joined.until(lambda: joined.is_ended and joined.client.is_ended)
    joined.client.close()
    joined.rig.until(lambda: joined.rig.engine.connection_count == 0)


def test_it_counts_as_a_connection_and_is_one_line_of_the_log(joined: Joined) -> None:
    rig = joined.rig
    assert rig.engine.connection_count == 1
    joined.write(b"12345")
    joined.client.send(b"123")
    joined.until(lambda: joined.client.received and joined.got)
    assert not rig.records
    joined.member.close()
    joined.client.close()
    rig.until(lambda: rig.records)
    (record,) = rig.records
    assert (record[4], record[6], record[7], record[8]) == ("/ws", 4, 101, 6)


def test_the_loop_ends_with_tunnels_open(joined: Joined) -> None:
    joined.rig.engine.close(1.0)
    joined.take()
    assert joined.client.is_ended
