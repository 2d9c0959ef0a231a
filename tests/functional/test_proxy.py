"""The reverse proxy over real sockets: members that lie, hang or die, and clients that try to get something past it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect as open_websocket
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websockets

from skitaid.handlers.body_rules import BodyRules
from skitaid.upstream.call import CallTimeouts
from skitaid.upstream.health import HealthSettings, State
from skitaid.upstream.settings import MemberSettings
from tests.functional.callers import Rogue
from tests.functional.engines import PATIENCE_S, until
from tests.functional.proxying import Proxied
from tests.functional.test_upstream import members

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SOON = CallTimeouts(connect_s=1.0, stall_s=0.4)


# ---------------------------------------------------------------- members that lie


def answered(proxied: Proxied, request: bytes) -> bytes | None:
    """All that a client gets until its connection is closed; None when it is reset."""
    wire = proxied.connect()
    try:
        wire.send(request)
        return wire.end()
    except ConnectionResetError:
        return None
    finally:
        wire.close()


@pytest.mark.parametrize(
    ("answer", "ending", "status"),
    [
        (b"", "close", 502),
        (b"HTTP/1.1 200 O", "close", 502),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "keep", 502),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000, "keep", 502),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "keep", 502),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100, "keep", 502),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "keep", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "keep", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", "keep", 502),
        (b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\n\r\n", "keep", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "close", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "reset", None),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil it closes", "reset", None),
        (CHUNKED + b"5\r\nhello\r\n", "close", None),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", "close", None),
        (CHUNKED + b"5\r\nhello\r\nzz\r\n", "keep", None),
        (CHUNKED + b"5\r\nhello\r\n2\r\nhello\r\n", "keep", None),
        (b"", "keep", 504),
        (b"HTTP/1.1 200 OK\r\nX: 1\r\n", "keep", 504),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "keep", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_lie_is_never_passed_on_as_the_truth(answer: bytes, ending: str, status: int | None, version: str) -> None:
    """A page of ours while nothing was sent; else a connection that is reset."""
    rogue = Rogue((answer, ending))
    request = f"POST / HTTP/{version}\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
    with Proxied([rogue.member], timeouts=SOON) as proxied:
        got = answered(proxied, request)
        assert len(rogue.heads) == 1
        if status is None:
            # What came with the head is found out before anything is sent.
            assert got is None or got.startswith(b"HTTP/1.1 502 ")
        else:
            assert got is not None
            final = re.search(rb"^HTTP/1\.1 [2-9].*?\r\n\r\n", got, re.MULTILINE | re.DOTALL)
            assert final is not None
            assert int(final[0][9:12]) == status
            if version == "1.0":
                assert got.startswith(final[0])
        assert any("/ @back:" in line for line in proxied.told)
    rogue.close()


def test_a_body_until_the_end_of_the_connection_is_passed_on() -> None:
    rogue = Rogue((b"HTTP/1.0 200 OK\r\n\r\nall of it", "close"))
    with Proxied([rogue.member]) as proxied:
        wire = proxied.connect()
        assert wire.get()[2] == b"all of it"
        wire.close()
    rogue.close()


def test_what_follows_a_response_is_nobodys() -> None:
    """A second response behind the first must not become the answer to the next request, which may be another's."""
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    rogue = Rogue((OK + poison, "keep"), (OK, "keep"))
    with Proxied([rogue.member]) as proxied:
        wire = proxied.connect()
        assert wire.get()[2] == b"ok"
        assert wire.get()[2] == b"ok"
        wire.close()
    rogue.close()


# ---------------------------------------------------------------- much, and slowly


@contextlib.contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[MemberSettings]:
    """A member that handles each connection in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def work(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            sock.settimeout(PATIENCE_S)
            handle(sock)

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock = listener.accept()[0]
                threads.append(threading.Thread(target=work, args=(sock,), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=run, daemon=True)
    acceptor.start()
    yield MemberSettings("127.0.0.1", listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    acceptor.join(PATIENCE_S)


def read_head(sock: socket.socket) -> tuple[bytes, bytes]:
    """A head, and what came behind it; empty at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return b"", b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


@pytest.mark.parametrize("form", ["sized", "chunked"])
def test_a_hundred_megabytes_to_a_client_that_takes_its_time(form: str) -> None:
    block, count = os.urandom(1 << 20), 100

    def handle(sock: socket.socket) -> None:
        read_head(sock)
        if form == "sized":
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(block) * count))
        else:
            sock.sendall(CHUNKED)
        for _ in range(count):
            sock.sendall(block if form == "sized" else b"%x\r\n%b\r\n" % (len(block), block))
        if form == "chunked":
            sock.sendall(b"0\r\n\r\n")

    with serving(handle) as member, Proxied([member]) as proxied:
        wire = proxied.connect()
        wire.send(b"GET / HTTP/1.0\r\n\r\n")
        # Until the kernel's buffers are full: then nobody reads, and nothing is collected in between.
        until(lambda: proxied.engine.connection_count == 1, "the connection")
        (connection,) = proxied.engine._connections
        until(lambda: connection.is_congested, "a full queue")
        assert connection.outgoing_bytes < 2_000_000
        body = wire.end().partition(b"\r\n\r\n")[2]
        assert len(body) == len(block) * count
        assert hashlib.sha1(body).digest() == hashlib.sha1(block * count).digest()
        wire.close()


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_long_upload(tmp_path: Path, is_streamed: bool) -> None:
    sent = os.urandom(1 << 20) * 20
    got = hashlib.sha1()

    def handle(sock: socket.socket) -> None:
        head, data = read_head(sock)
        assert b"Content-Length: %d" % len(sent) in head
        got.update(data)
        left = len(sent) - len(data)
        while left:
            data = sock.recv(65536)
            got.update(data)
            left -= len(data)
        sock.sendall(OK)

    bodies = BodyRules(is_streamed=is_streamed)
    with serving(handle) as member, Proxied([member], spool=tmp_path / "bodies", bodies=bodies) as proxied:
        client = http.client.HTTPConnection("127.0.0.1", proxied.port, timeout=PATIENCE_S)
        client.request("POST", "/", sent)
        assert client.getresponse().read() == b"ok"
        client.close()
    assert got.digest() == hashlib.sha1(sent).digest()


def test_events_arrive_as_they_are_sent() -> None:
    go_on = threading.Event()

    def handle(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(CHUNKED + b"7\r\ndata: 1\r\n")
        go_on.wait(PATIENCE_S)
        sock.sendall(b"7\r\ndata: 2\r\n0\r\n\r\n")

    with serving(handle) as member, Proxied([member]) as proxied:
        wire = proxied.connect()
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        got = b""
        while b"data: 1" not in got:
            got += wire.socket.recv(65536)
        assert b"data: 2" not in got
        go_on.set()
        while not got.endswith(b"0\r\n\r\n"):
            got += wire.socket.recv(65536)
        wire.close()


def test_a_client_that_leaves_takes_its_call_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its goodbye could be that of one that still listens; the kernel knows better once it is told something."""
    monkeypatch.setattr("skitaid.handlers.proxy.proxied_request._PROBE_S", 0.1)
    left = threading.Event()

    def handle(sock: socket.socket) -> None:
        read_head(sock)
        if not sock.recv(1):
            left.set()

    with serving(handle) as member, Proxied([member]) as proxied:
        wire = proxied.connect()
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: not proxied.is_at_rest(), "the call")
        wire.close()
        assert left.wait(PATIENCE_S)
        until(proxied.is_at_rest, "the end of the call")


def test_a_member_that_never_asks_for_a_body_gets_it_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skitaid.handlers.proxy.upload._EXPECT_S", 0.1)

    def handle(sock: socket.socket) -> None:
        head, data = read_head(sock)
        assert b"expect: 100-continue" in head
        while b"0\r\n\r\n" not in data:
            data += sock.recv(65536)
        sock.sendall(OK)

    with serving(handle) as member, Proxied([member], bodies=BodyRules(is_streamed=True)) as proxied:
        wire = proxied.connect()
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        assert wire.socket.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(b"3\r\nabc\r\n0\r\n\r\n")
        assert wire.reply()[2] == b"ok"
        wire.close()


# ---------------------------------------------------------------- smuggling


class Naive:
    """A member that reads a request as simply as can be: Content-Length bytes behind the head, chunks for anything that
    says chunked, and whatever follows is the next request. `requests`: heads and bodies as it understood them."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes]] = []

    def __call__(self, sock: socket.socket) -> None:
        data = b""
        while True:
            while b"\n\r\n" not in data and b"\n\n" not in data:
                piece = sock.recv(65536)
                if not piece:
                    if data:
                        self.requests.append((data, b"unfinished"))
                    return
                data += piece
            head, data = re.split(rb"\r?\n\r?\n", data, maxsplit=1)
            body, data = self._body(sock, head, data)
            self.requests.append((head, body))
            sock.sendall(OK)

    @staticmethod
    def _body(sock: socket.socket, head: bytes, data: bytes) -> tuple[bytes, bytes]:
        lower = head.lower().replace(b"_", b"-")
        if b"chunked" in lower:
            while b"0\r\n\r\n" not in data:
                data += sock.recv(65536)
            body, _, rest = data.partition(b"0\r\n\r\n")
            return body, rest
        lengths = re.findall(rb"content-length\s*:\s*(\d+)", lower)
        length = int(lengths[-1]) if lengths else 0
        while len(data) < length:
            data += sock.recv(65536)
        return data[:length], data[length:]


HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(HIDDEN)
FRAMINGS = [
    b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(HIDDEN),
    LENGTH + b"Transfer-Encoding: chunked\r\n",
    LENGTH + b"Transfer-Encoding : chunked\r\n",
    LENGTH + b"Transfer-Encoding: xchunked\r\n",
    LENGTH + b"Transfer-Encoding: chunked, identity\r\n",
    LENGTH + b"Transfer-Encoding:\x0bchunked\r\n",
    LENGTH + b"Transfer_Encoding: chunked\r\n",
    LENGTH + b"X: y\nTransfer-Encoding: chunked\r\n",
    LENGTH + b"X: y\rTransfer-Encoding: chunked\r\n",
    LENGTH + b"Connection: content-length\r\n",
    LENGTH + b"Connection: transfer-encoding\r\n",
    b"Content_Length: %d\r\n" % len(HIDDEN),
    b"Content-Length : %d\r\n" % len(HIDDEN),
    b"Content-Length: +%d\r\n" % len(HIDDEN),
    b"Content-Length: 0, %d\r\n" % len(HIDDEN),
    b" Content-Length: %d\r\n" % len(HIDDEN),
    b"X: y\r\n Content-Length: %d\r\n" % len(HIDDEN),
    b"X: y\0\r\nContent-Length: %d\r\n" % len(HIDDEN),
    b"Expect: 100-continue\r\n" + LENGTH,
    b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n" + LENGTH,
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + LENGTH,
    b"Connection: close\r\n" + LENGTH,
]


@pytest.fixture(scope="module")
def naive() -> Iterator[tuple[Naive, Proxied]]:
    member = Naive()
    with serving(member) as settings, Proxied([settings]) as proxied:
        yield member, proxied


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_member_sees_no_request_that_we_do_not(naive: tuple[Naive, Proxied], framing: bytes, method: bytes) -> None:
    """What we take for one request is one request to the most naive member, or the hidden one is a request of its own
    to us as well."""
    member, proxied = naive
    member.requests.clear()
    records = len(proxied.records)
    wire = proxied.connect()
    wire.send(method + b" /seen HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n" + HIDDEN)
    wire.socket.shutdown(socket.SHUT_WR)
    with contextlib.suppress(ConnectionResetError):
        wire.end()
    wire.close()
    until(proxied.is_at_rest, "the end of all calls")
    targets = [head.split()[1] for head, _ in member.requests]
    seen = [record[4].encode() for record in proxied.records[records:] if record[7] == 200]
    assert targets == seen
    for head, body in member.requests:
        assert not re.search(rb"hidden", head) or head.startswith(b"GET /hidden HTTP/1.1\r\n")
        assert body in (b"", HIDDEN)


def test_chunk_extensions_and_trailers_stay_here(naive: tuple[Naive, Proxied]) -> None:
    member, proxied = naive
    member.requests.clear()
    wire = proxied.connect()
    wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    wire.send(b"3;a=b\r\nabc\r\n0;x\r\nContent-Length: 50\r\nX-User: root\r\n\r\n")
    assert wire.reply()[2] == b"ok"
    wire.close()
    ((head, body),) = member.requests
    assert body == b"abc"
    assert b"root" not in head
    assert b"Content-Length: 3" in head


# ---------------------------------------------------------------- websockets


def test_a_websocket(monkeypatch: pytest.MonkeyPatch) -> None:
    def echo(websocket: ServerConnection) -> None:
        for message in websocket:
            websocket.send(message)

    monkeypatch.delenv("http_proxy", raising=False)
    with serve_websockets(echo, "127.0.0.1", 0, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with Proxied([MemberSettings("127.0.0.1", server.socket.getsockname()[1])]) as proxied:
            with open_websocket(f"ws://127.0.0.1:{proxied.port}/chat", max_size=None, proxy=None) as websocket:
                for message in ("hello", b"\0" * 70_000, "x" * 3_000_000):
                    websocket.send(message)
                    assert websocket.recv(PATIENCE_S) == message
            until(lambda: proxied.records, "its line in the log")
            assert (proxied.records[0][4], proxied.records[0][7]) == ("/chat", 101)
            until(lambda: not proxied.engine.connection_count, "the end of the connection")
        server.shutdown()
        thread.join(PATIENCE_S)


def test_a_member_that_refuses_to_switch() -> None:
    rogue = Rogue((b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "keep"))
    with Proxied([rogue.member]) as proxied:
        wire = proxied.connect()
        assert wire.get("/", "Connection: Upgrade", "Upgrade: websocket")[0] == 403
        wire.close()
    assert b"Upgrade: websocket" in rogue.heads[0]
    rogue.close()


# ---------------------------------------------------------------- members that die


class Visitors:
    """Clients that ask without end, every fourth time with a POST whose body nobody else has."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._is_over = threading.Event()
        self._number = iter(range(1 << 30))
        self.failed: dict[str, list[str]] = {"GET": [], "POST": []}
        self.answered: Counter[bytes] = Counter()
        self.posted: list[bytes] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        while not self._is_over.is_set():
            number = next(self._number)
            method = "GET" if number % 4 else "POST"
            try:
                client.request(method, "/", None if method == "GET" else b"%d" % number)
                response = client.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.failed[method].append(repr(error))
                client.close()
                continue
            if response.status != 200:
                self.failed[method].append(f"{response.status}")
            elif method == "GET":
                self.answered[body] += 1
            else:
                self.posted.append(body)
        client.close()

    def sees(self, pid: int) -> None:
        """Wait until a member has answered some more."""
        name = b"%d" % pid
        before = self.answered[name]
        until(lambda: self.answered[name] > before + 5, "answers of a member")

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)


def test_visitors_do_not_notice_when_members_die(tmp_path: Path) -> None:
    health = HealthSettings(fails=3, first_s=0.2, longest_s=1.0)
    timeouts = CallTimeouts(connect_s=1.0, stall_s=0.7)
    with members(tmp_path) as processes:
        settings = [MemberSettings("127.0.0.1", process.port) for process in processes]
        with Proxied(settings, cluster={"health": health}, timeouts=timeouts) as proxied:
            visitors = Visitors(proxied.port, 6)
            states = [member.health for member in proxied.cluster.members]
            for process in processes:
                visitors.sees(process.process.pid)
            processes[0].end()
            until(lambda: states[0].state is not State.UP, "the dead member is left alone")
            processes[1].signal(signal.SIGSTOP)
            until(lambda: states[1].state is not State.UP, "the stopped member is left alone")
            visitors.sees(processes[2].process.pid)
            processes[0].start()
            processes[1].signal(signal.SIGCONT)
            begun = time.monotonic()
            for process in processes:
                visitors.sees(process.process.pid)
            # A second at most until the next probe; the rest is the machine.
            assert time.monotonic() - begun < 10.0
            visitors.stop()
    executed = Counter(line for number in range(3) for line in (tmp_path / f"{number}").read_bytes().split())
    assert visitors.failed["GET"] == []
    assert max(executed.values()) == 1
    assert set(visitors.posted) <= set(executed)
    assert any("left alone" in line for line in proxied.told)
