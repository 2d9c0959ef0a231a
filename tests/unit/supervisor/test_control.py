from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.exceptions import PeerError, RefusedError
from skitaid.supervisor import listener as listening
from skitaid.supervisor.control import REQUEST_MAX_BYTES, SOCKET_FILE, Request, ask, parse_request
from skitaid.supervisor.listener import ControlListener
from skitaid.supervisor.loop import Loop
from skitaid.supervisor.reply import Answer, Reply


def test_requests() -> None:
    assert parse_request(b'{"command": "stop", "name": "a", "fast": true}') == Request("stop", "a", True)
    assert parse_request(b'{"command": "status", "name": null}') == Request("status")
    assert parse_request(b'{"command": "status", "name": ""}') == Request("status")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"[]",
        b"null",
        b"{}",
        b'{"command": "dance"}',
        b'{"command": ["stop"]}',
        b'{"command": "stop", "name": 1}',
        b'{"command": "stop", "fast": "yes"}',
        b"\xff",
    ],
)
def test_what_is_no_request(line: bytes) -> None:
    with pytest.raises(PeerError, match="a request"):
        parse_request(line)


class Server:
    """A listener whose loop turns when the test says so."""

    def __init__(self, run_path: Path) -> None:
        self.run_path = run_path
        self.loop = Loop()
        self.asked: list[tuple[Request, Reply]] = []
        self.fault: Exception | None = None
        self.listener = ControlListener(self.loop, run_path, self._requested)

    def _requested(self, request: Request, reply: Reply) -> None:
        self.asked.append((request, reply))
        if self.fault is not None:
            raise self.fault

    def turn(self, until: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 20
        while not until():
            assert time.monotonic() < deadline
            self.loop.turn(0.05)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(str(self.run_path / SOCKET_FILE))
        return client

    def close(self) -> None:
        self.listener.stop_listening()
        self.listener.close()
        self.loop.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:  # short: tmp_path may be too long for a socket's address
        made = Server(Path(folder))
        yield made
        made.close()


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []

    def keep() -> None:
        try:
            results.append(call())
        except RefusedError as error:
            results.append(error)

    thread = threading.Thread(target=keep)
    thread.start()
    return thread, results


def test_ask_gets_progress_and_answer(server: Server) -> None:
    told: list[str] = []
    thread, results = in_thread(lambda: ask(server.run_path, {"command": "stop", "name": "a"}, told.append))
    server.turn(lambda: server.asked)
    request, reply = server.asked[0]
    assert request == Request("stop", "a")
    reply.progress("working")
    reply.finish(Answer(False, "no", 1, {"more": [1]}))
    thread.join(20)
    assert told == ["working"]
    assert results == [{"ok": False, "message": "no", "exit": 1, "more": [1]}]


def test_ask_without_a_daemon(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RefusedError, match="skitaid is not running"):
            ask(path, {"command": "ping"})


def test_ask_of_one_that_goes_away(server: Server) -> None:
    thread, results = in_thread(lambda: ask(server.run_path, {"command": "stop"}))
    server.turn(lambda: server.asked)
    server.listener.close()
    thread.join(20)
    assert "went away before it answered" in str(results[0])


def test_ask_of_one_that_is_silent(server: Server) -> None:
    with pytest.raises(RefusedError, match="did not answer within 0 s"):
        ask(server.run_path, {"command": "ping"}, timeout_s=0.01)


def test_a_stale_socket_is_replaced(server: Server) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(f"{folder}/{SOCKET_FILE}")
        stale.close()
        fresh = Server(Path(folder))
        fresh.connect().close()
        fresh.close()
        assert list(Path(folder).iterdir()) == []


def test_a_request_in_pieces(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b'{"command": ')
        server.turn(lambda: server.listener.client_count)
        server.loop.turn(0.2)
        assert server.asked == []
        client.sendall(b'"ping"}\n')
        server.turn(lambda: server.asked)
    assert server.asked[0][0] == Request("ping")


def test_a_line_too_long_ends_the_connection(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b"x" * (REQUEST_MAX_BYTES + 1))
        server.turn(lambda: server.listener.client_count)
        server.turn(lambda: not server.listener.client_count)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                client.sendall(b"x")


def test_a_fault_of_ours_is_answered(server: Server) -> None:
    """Else the command line would wait for ever."""
    server.fault = ImportError("of another release")
    with server.connect() as client:
        client.sendall(b'{"command": "restart"}\n')
        with pytest.raises(ImportError):
            server.turn(lambda: False)
        assert json.loads(client.makefile().readline()) == {
            "ok": False,
            "message": "skitaid failed at this: its log (skitaid.log) says how",
            "exit": 1,
        }


def test_a_client_that_left_is_no_trouble_for_the_answer(server: Server) -> None:
    client = server.connect()
    client.sendall(b'{"command": "stop"}\n')
    server.turn(lambda: server.asked)
    client.close()
    server.loop.turn(10)
    server.asked[0][1].progress("still here?")
    assert not server.listener.client_count
    server.asked[0][1].finish(Answer(True, "done"))


def test_a_client_that_has_said_all_still_gets_the_answer(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b'{"command": "stop"}\n')
        client.shutdown(socket.SHUT_WR)
        server.turn(lambda: server.asked)
        server.loop.turn(0.2)
        began = time.monotonic()
        server.loop.turn(0.2)
        assert time.monotonic() - began >= 0.2  # its end of file does not wake the loop again and again
        server.asked[0][1].progress("working")
        server.asked[0][1].finish(Answer(True, "done"))
        with client.makefile() as lines:
            assert [next(iter(json.loads(line))) for line in lines] == ["progress", "ok"]


def test_no_more_than_so_many_clients(server: Server) -> None:
    clients = [server.connect() for _ in range(listening.CLIENTS_MAX)]
    server.turn(lambda: server.listener.client_count == listening.CLIENTS_MAX)
    with server.connect() as one_more:
        server.loop.turn(0.5)
        assert one_more.recv(1) == b""
    for client in clients:
        client.close()


def test_silent_clients_are_let_go_and_waiting_ones_are_not(server: Server) -> None:
    silent, waiting = server.connect(), server.connect()
    waiting.sendall(b'{"command": "stop"}\n')
    server.turn(lambda: server.asked and server.listener.client_count == 2)
    server.listener.tick(time.monotonic() + listening.IDLE_S + 1)
    assert silent.recv(1) == b""
    server.asked[0][1].finish(Answer(True, "done"))
    assert json.loads(waiting.recv(1000))["message"] == "done"
    silent.close()
    waiting.close()


def test_an_answer_larger_than_the_sockets_buffer_arrives_whole(server: Server) -> None:
    thread, results = in_thread(lambda: ask(server.run_path, {"command": "status"}))
    server.turn(lambda: server.asked)
    server.asked[0][1].finish(Answer(True, "x" * 2_000_000))
    server.turn(lambda: not server.listener.client_count)
    thread.join(20)
    assert len(results[0]["message"]) == 2_000_000


def test_a_client_that_does_not_read_is_let_go(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b'{"command": "status"}\n')
        server.turn(lambda: server.asked)
        for _ in range(6):
            server.asked[0][1].progress("x" * 1_000_000)
        assert not server.listener.client_count
