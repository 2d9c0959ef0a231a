"""Clusters over real sockets: TLS, IPv6, servers that lie, and members that die under load."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from skitaid.upstream.call import Call, CallTimeouts
from skitaid.upstream.cluster import Cluster
from skitaid.upstream.health import HealthSettings, State
from skitaid.upstream.settings import HttpVersion, MemberSettings, PoolSettings, TlsSettings
from tests.functional.callers import Callers, Rogue, callers
from tests.functional.engines import until
from tests.functional.running import free_port
from tests.unit.upstream.scene import Heard

__all__ = ["callers"]

MEMBER = Path(__file__).parent / "fake" / "member.py"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


# ---------------------------------------------------------------- servers that lie

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "ending", "failure"),
    [
        (b"", "close", "RESET"),
        (b"", "reset", "RESET"),
        (b"HTTP/1.1 200 O", "close", "TRUNCATED"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "close", "TRUNCATED"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "reset", "TRUNCATED"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil it closes", "reset", "TRUNCATED"),
        (CHUNKED + b"5\r\nhello\r\n", "close", "TRUNCATED"),
        (CHUNKED + b"5\r\nhel", "close", "TRUNCATED"),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", "close", "TRUNCATED"),
        (CHUNKED + b"zz\r\nhello\r\n", "keep", "INVALID"),
        (CHUNKED + b"2\r\nhello\r\n", "keep", "INVALID"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "keep", "INVALID"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000, "keep", "INVALID"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "keep", "INVALID"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "keep", "INVALID"),
    ],
)  # fmt: skip
def test_a_lie_is_a_failure(callers: Callers, answer: bytes, ending: str, failure: str) -> None:
    rogue = Rogue((answer, ending))
    heard = callers.fetch(callers.cluster(rogue.member))
    assert heard.failure == failure
    assert len(rogue.heads) == 1
    rogue.close()


def test_a_body_until_the_end_of_file_is_complete(callers: Callers) -> None:
    rogue = Rogue((b"HTTP/1.1 200 OK\r\n\r\nall of it", "close"))
    heard = callers.fetch(callers.cluster(rogue.member))
    assert (heard.body, heard.error) == (b"all of it", None)
    rogue.close()


def test_whoever_hangs_is_given_up(callers: Callers) -> None:
    rogue = Rogue((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "keep"))
    heard = callers.fetch(callers.cluster(rogue.member), timeouts=CallTimeouts(stall_s=0.3))
    assert (heard.failure, heard.body) == ("READ_TIMEOUT", b"short")
    rogue.close()


def test_a_stale_connection_costs_a_get_nothing(callers: Callers) -> None:
    rogue = Rogue((OK, "close"), (OK, "reset"), (OK, "close"))
    cluster = callers.cluster(rogue.member)
    for _ in range(3):
        assert callers.fetch(cluster).body == b"ok"
    assert len(rogue.heads) == 3
    assert cluster.members[0].health.fails == 0
    rogue.close()


def test_an_early_answer_to_a_long_body(callers: Callers) -> None:
    rogue = Rogue((b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", "keep"))
    heard = callers.fetch(callers.cluster(rogue.member), method="POST", body=b"x" * 30_000_000)
    assert (heard.told[0], heard.body) == (("response", 413), b"no")
    rogue.close()


# ---------------------------------------------------------------- ways to connect


def test_ipv6(callers: Callers) -> None:
    try:
        rogue = Rogue((OK, "keep"), host="::1")
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    heard = callers.fetch(callers.cluster(rogue.member))
    assert heard.body == b"ok"
    assert f"Host: [::1]:{rogue.member.port}".encode() in rogue.heads[0]
    rogue.close()


def test_a_name_with_an_address_that_does_not_answer(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two addresses, of which the first is a port where nobody listens."""
    rogue = Rogue((OK, "keep"))
    port = rogue.member.port
    real = socket.getaddrinfo

    def look_up(host: str, *args: object, **kwargs: object) -> object:
        if host != "two.example":
            return real(host, *args, **kwargs)  # type: ignore[arg-type]
        stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*stream, ("127.0.0.1", free_port())), (*stream, ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    heard = callers.fetch(callers.cluster(MemberSettings("two.example", port)))
    assert heard.body == b"ok"
    rogue.close()


def test_nobody_there(callers: Callers) -> None:
    heard = callers.fetch(callers.cluster(MemberSettings("127.0.0.1", free_port())))
    assert heard.failure == "UNREACHABLE"
    heard = callers.fetch(callers.cluster(MemberSettings("", path="/no/such.sock")))
    assert heard.failure == "UNREACHABLE"


def test_nobody_who_accepts(callers: Callers) -> None:
    """A queue of connections that is full: the kernel answers nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        member = MemberSettings(*listener.getsockname())
        cluster = callers.cluster(member)
        for connect_s, state in ((0.3, State.UP), (1.0, State.EJECTED)):
            heard = callers.fetch(cluster, timeouts=CallTimeouts(connect_s=connect_s))
            assert heard.failure == "CONNECT_TIMEOUT"
            assert cluster.members[0].health.state is state
        for filler in fillers:
            filler.close()


# ---------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of `localhost`, signed by itself; with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    pem = folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", str(pem), "-out", str(folder / "cert.pem"), "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_text(pem.read_text() + (folder / "cert.pem").read_text())
    return pem


class TlsRogue(Rogue):
    """Speaks TLS. "close" ends without a word of TLS', "bye" with it."""

    def __init__(self, certificate: Path, *acts: tuple[bytes, str], version: ssl.TLSVersion | None = None) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        if version is not None:
            self._context.maximum_version = version
        super().__init__(*acts)

    def _serve(self, answer: bytes, ending: str) -> None:
        sock = self._context.wrap_socket(self._listener.accept()[0], server_side=True)
        self._open.append(sock)
        self.heads.append(sock.recv(65536))
        sock.sendall(answer)
        if ending == "bye":
            sock = sock.unwrap()
        if ending != "keep":
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def test_tls(callers: Callers, certificate: Path) -> None:
    body = os.urandom(300_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + body
    rogue = TlsRogue(certificate, (answer, "keep"))
    tls = TlsSettings(ca=str(certificate))
    heard = callers.fetch(callers.cluster(MemberSettings("localhost", rogue.member.port), tls=tls))
    assert heard.body == body
    rogue.close()


@pytest.mark.parametrize(
    ("host", "tls", "failure"),
    [
        ("localhost", TlsSettings(), "UNTRUSTED"),
        ("127.0.0.1", TlsSettings(ca="CA"), "UNTRUSTED"),
        ("127.0.0.1", TlsSettings(ca="CA", server_name="localhost"), None),
        ("127.0.0.1", TlsSettings(verify=False), None),
        ("localhost", TlsSettings(ca="/no/such/file"), "UNTRUSTED"),
    ],
)
def test_whom_tls_trusts(callers: Callers, certificate: Path, host: str, tls: TlsSettings, failure: str | None) -> None:
    rogue = TlsRogue(certificate, (OK, "keep"))
    ca = str(certificate) if tls.ca == "CA" else tls.ca
    tls = TlsSettings(tls.verify, ca, tls.server_name)
    heard = callers.fetch(callers.cluster(MemberSettings(host, rogue.member.port), tls=tls, version=HttpVersion.HTTP1))
    assert heard.failure == failure
    assert failure is None or b"".join(rogue.heads) == b""
    rogue.close()


def test_tls_with_someone_who_does_not_speak_it(callers: Callers) -> None:
    rogue = Rogue((b"what?\r\n\r\n", "keep"))
    cluster = callers.cluster(rogue.member, tls=TlsSettings(verify=False))
    assert callers.fetch(cluster, timeouts=CallTimeouts(connect_s=0.3)).failure in ("UNTRUSTED", "CONNECT_TIMEOUT")
    rogue.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("ending", "failure"), [("bye", None), ("close", "TRUNCATED")])
def test_a_body_until_the_end_is_complete_when_tls_says_so(
    callers: Callers, certificate: Path, version: ssl.TLSVersion, ending: str, failure: str | None
) -> None:
    rogue = TlsRogue(certificate, (b"HTTP/1.1 200 OK\r\n\r\nall of it", ending), version=version)
    cluster = callers.cluster(rogue.member, tls=TlsSettings(verify=False), version=HttpVersion.HTTP1)
    heard = callers.fetch(cluster)
    assert (heard.body, heard.failure) == (b"all of it", failure)
    rogue.close()


# ---------------------------------------------------------------- members that die


@dataclass
class Process:
    """A member that can be killed, stopped and started again."""

    port: int
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        command = [sys.executable, str(MEMBER), str(self.port), str(self.log)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


class Load:
    """Calls without end, so many at a time, every fourth a POST with a body of its own."""

    def __init__(self, callers: Callers, cluster: Cluster, timeouts: CallTimeouts) -> None:
        self.callers, self.cluster, self.timeouts = callers, cluster, timeouts
        self.number = self.under_way = 0
        self.is_over = False
        self.failed: dict[str, list[str]] = {"GET": [], "POST": []}
        self.answered: Counter[bytes] = Counter()
        self.posted: list[bytes] = []

    def start(self, count: int) -> None:
        self.callers.on_loop(lambda: [self._next() for _ in range(count)])

    def _next(self) -> None:
        self.number += 1
        self.under_way += 1
        method = "GET" if self.number % 4 else "POST"
        body = b"" if method == "GET" else b"%d" % self.number
        heard = Heard()
        heard.hooks["end"] = lambda: self._done(method, heard)
        heard.hooks["failure"] = lambda: self._done(method, heard)
        self.cluster.request(Call(method, b"/", body=body, timeouts=self.timeouts), heard)

    def _done(self, method: str, heard: Heard) -> None:
        self.under_way -= 1
        if heard.error is not None:
            self.failed[method].append(str(heard.error))
        elif method == "GET":
            self.answered[heard.body] += 1
        else:
            self.posted.append(heard.body)
        if not self.is_over:
            self._next()

    def serves(self, process: Process) -> None:
        """Wait until a member has answered some more."""
        name = b"%d" % process.process.pid
        before = self.answered[name]
        until(lambda: self.answered[name] > before + 20, "answers of a member")

    def go_on(self, count: int) -> None:
        """Wait until so many calls more were made."""
        before = self.number
        until(lambda: self.number > before + count, "more calls")

    def stop(self) -> None:
        self.is_over = True
        until(lambda: not self.under_way, "the end of all calls")


@contextmanager
def members(folder: Path) -> Iterator[list[Process]]:
    processes = [Process(free_port(), folder / f"{number}") for number in range(3)]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.signal(signal.SIGCONT)
            process.end()


def test_members_that_die_and_come_back_under_load(callers: Callers, tmp_path: Path) -> None:
    """No GET fails, and no POST is executed twice."""
    health = HealthSettings(fails=3, first_s=0.2, longest_s=1.0)
    timeouts = CallTimeouts(connect_s=1.0, stall_s=0.7)
    with members(tmp_path) as processes:
        settings = [MemberSettings("127.0.0.1", process.port) for process in processes]
        cluster = callers.cluster(*settings, health=health, pool=PoolSettings(keep_alive_s=5))
        load = Load(callers, cluster, timeouts)
        load.start(24)
        for process in processes:
            load.serves(process)
        processes[0].end()
        until(lambda: cluster.members[0].health.state is not State.UP, "the dead member is left alone")
        load.go_on(500)
        processes[0].start()
        load.serves(processes[0])
        processes[1].signal(signal.SIGSTOP)
        until(lambda: cluster.members[1].health.state is not State.UP, "the stopped member is left alone")
        load.go_on(500)
        processes[1].signal(signal.SIGCONT)
        load.serves(processes[1])
        load.stop()
    executed = Counter(line for number in range(3) for line in (tmp_path / f"{number}").read_bytes().split())
    assert load.failed["GET"] == []
    assert max(executed.values()) == 1
    assert set(load.posted) <= set(executed)
    assert cluster.in_flight == 0
    assert any("left alone" in line for line in callers.reports)
    assert any("is back" in line for line in callers.reports)


def test_thousands_of_calls_leave_nothing_behind(callers: Callers, tmp_path: Path) -> None:
    def is_open(fd: str) -> bool:
        with suppress(OSError):
            return bool(os.readlink(f"/proc/self/fd/{fd}"))
        return False

    # Other tests may have left some on their way out.
    threads = set(threading.enumerate())
    with members(tmp_path) as processes:
        cluster = callers.cluster(
            *[MemberSettings("127.0.0.1", process.port) for process in processes], pool=PoolSettings(max_connections=8)
        )
        before = sum(map(is_open, os.listdir("/proc/self/fd")))
        heard = [Heard() for _ in range(1000)]
        call = Call("GET", b"/", timeouts=CallTimeouts(stall_s=30))
        callers.on_loop(lambda: [cluster.request(call, one) for one in heard])
        until(lambda: all(one.told and one.told[-1] == "end" for one in heard), "a thousand answers")
        assert sum(pool.open for member in cluster.members for pool in member.pools) <= 24
        callers.on_loop(cluster.close)
        assert sum(map(is_open, os.listdir("/proc/self/fd"))) <= before
    until(lambda: set(threading.enumerate()) <= threads, "the end of all threads but the loop")
