"""What the tests of running instances share: a folder of conf and apps, a master or a daemon on it, and a client."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM, Signals
from typing import Any

from skitaid.exceptions import RefusedError
from skitaid.supervisor.control import ask
from skitaid.supervisor.lifeline import Lifeline
from skitaid.supervisor.report import Event, Report, ReportReader
from skitaid.supervisor.spawn import BOOT

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "bin" / "skitaid.py"
WAIT_S = 30.0

APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{answer}"]
"""
PID_APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
CONF = "[server]\nlisten = 127.0.0.1:0\n{server}\n[routes:line]\n{routes}\n{more}"


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"in vain for {timeout_s:g} s: {what}")
        time.sleep(0.02)


# ---------------------------------------------------------------- a client


def connect(address: str, timeout_s: float = WAIT_S) -> socket.socket:
    """To `127.0.0.1:80`, `[::1]:80` or `unix:/path`."""
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout_s)
        try:
            sock.connect(address.removeprefix("unix:"))
        except OSError:
            sock.close()
            raise
        return sock
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout_s)


class Client(http.client.HTTPConnection):
    """A connection to any kind of address, kept alive."""

    def __init__(self, address: str, timeout_s: float = WAIT_S) -> None:
        super().__init__("localhost")
        self.sock = connect(address, timeout_s)

    def get(self, path: str = "/") -> tuple[int, str]:
        self.request("GET", path)
        response = self.getresponse()
        return response.status, response.read().decode()


def get(address: str, path: str = "/", timeout_s: float = WAIT_S) -> tuple[int, str]:
    """Status and body. Raises OSError or HTTPException."""
    client = Client(address, timeout_s)
    try:
        return client.get(path)
    finally:
        client.close()


def text(address: str, path: str = "/") -> str:
    """The body of a request that went well."""
    status, body = get(address, path)
    assert status == 200, f"{status}: {body}"
    return body


def serves(address: str, answer: str | None = None) -> bool:
    """Whether a new connection is answered with 200 (and `answer`)."""
    try:
        status, body = get(address, timeout_s=3.0)
    except (OSError, http.client.HTTPException):
        return False
    return status == 200 and answer in (None, body)


def is_refused(address: str) -> bool:
    try:
        connect(address, 3.0).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    return False


def can_bind(address: str) -> bool:
    """Whether a server could listen there now, as skitaid does."""
    host, _, port = address.rpartition(":")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, int(port)))
            sock.listen()
        except OSError:
            return False
    return True


@dataclass
class Hammer:
    """New connections, one after another, from several threads; what went wrong is kept."""

    address: str
    threads: int = 3
    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                status, body = get(self.address)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            else:
                (self.answers if status == 200 else self.failures).append(body)

    @contextmanager
    def at_work(self) -> Iterator[Hammer]:
        threads = [threading.Thread(target=self._run) for _ in range(self.threads)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: self.answers or self.failures, "the first answer")
            yield self
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()


# ---------------------------------------------------------------- processes


def session_members(*sessions: int) -> dict[int, str]:
    """Pid to state letter of the processes of these sessions. A zombie counts when one of them is to reap it: an
    orphan's is init's business."""
    found: dict[int, tuple[str, int]] = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            state, parent, _, session = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) in sessions:
                found[int(entry.name)] = state, int(parent)
    return {pid: state for pid, (state, parent) in found.items() if state != "Z" or parent in found}


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens on; the system gives it to nobody else for a while."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


# ---------------------------------------------------------------- conf and apps


class Place:
    """A folder `root` with `etc`, apps and logs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.etc = root / "etc"
        self.apps = root / "apps"
        (self.etc / "servers-enabled").mkdir(parents=True)
        self.apps.mkdir()

    def app(self, name: str, source: str) -> Path:
        """Write a file of the apps' folder, as a whole at once."""
        path = self.apps / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(source)
        fresh.rename(path)
        return path

    def answer(self, answer: str, name: str = "app") -> None:
        self.app(name, APP.format(answer=answer))

    def conf(self, text: str, name: str = "site") -> Path:
        path = self.etc / "servers-enabled" / f"{name}.conf"
        fresh = path.with_name(f".{name}.new")
        fresh.write_text(text)
        fresh.rename(path)
        return path

    def site(self, server: str = "", *, routes: str = "/ = ../../apps/app", more: str = "", name: str = "site") -> None:
        """A conf. `server` may name addresses of its own."""
        made = CONF.format(server=server, routes=routes, more=more)
        if re.search(r"^(listen|port)", server, re.MULTILINE):
            made = made.replace("listen = 127.0.0.1:0\n", "", 1)
        self.conf(made, name)

    def log(self, kind: str, name: str = "site") -> str:
        path = self.root / "var" / "log" / "instances" / name / f"{kind}.log"
        return path.read_text() if path.is_file() else ""

    @property
    def run_path(self) -> Path:
        return self.root / "var" / "run"


# ---------------------------------------------------------------- a master


class Master:
    """A real master without a supervisor: its lifeline, its reports and its end."""

    def __init__(self, place: Place, *, boot: Path = BOOT, python: str = sys.executable, **environ: str) -> None:
        self.place = place
        self._lifeline = Lifeline.create()
        self._reports, report_end = os.pipe()
        self._reader = ReportReader()
        self.heard: list[Report] = []
        fds = {"SKITAID_LIFELINE_FD": self._lifeline.read_fd, "SKITAID_REPORT_FD": report_end}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SKITAID_")}
        self.process = subprocess.Popen(
            [python, str(boot), "-f", "site", "--etc", str(place.etc)],
            text=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=list(fds.values()),
            env={**inherited, **{name: str(fd) for name, fd in fds.items()}, **environ},
        )
        os.close(report_end)
        os.set_blocking(self._reports, False)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def workers(self) -> list[int]:
        return children(self.pid)

    @property
    def address(self) -> str:
        return self.addresses[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        return next(report.addresses for report in reversed(self.heard) if report.addresses)

    def listen(self) -> list[Report]:
        """All that was reported so far."""
        with suppress(BlockingIOError):
            self.heard += self._reader.feed(os.read(self._reports, 65536))
        return self.heard

    def until(self, event: Event, count: int = 1) -> Report:
        """The report that makes `count` of them."""

        def found() -> list[Report] | None:
            assert self.process.poll() is None, f"the master ended:\n{self.place.log('server')}"
            reports = [report for report in self.listen() if report.event is event]
            return reports if len(reports) >= count else None

        return list(wait_for(found, f"{event} of the master:\n{self.place.log('server')}"))[-1]

    def ready(self) -> Master:
        self.until(Event.READY)
        return self

    def signal(self, number: Signals) -> None:
        self.process.send_signal(number)

    def reload(self) -> Report:
        """Ask for a reload and wait for its outcome."""
        before = len([report for report in self.listen() if report.event in _OUTCOMES])
        self.signal(SIGHUP)

        def found() -> list[Report] | None:
            reports = [report for report in self.listen() if report.event in _OUTCOMES]
            return reports if len(reports) > before else None

        return list(wait_for(found, f"the end of the reload:\n{self.place.log('server')}"))[-1]

    def cut_lifeline(self) -> None:
        """As if the supervisor had been killed."""
        self._lifeline.close()

    def ended(self, timeout_s: float = WAIT_S) -> int:
        """The exit code, once it has ended."""
        return self.process.wait(timeout_s)

    def stop(self, number: Signals = SIGTERM) -> int:
        self.signal(number)
        return self.ended()

    @property
    def stderr(self) -> str:
        """What was printed by a master that ended before it had a log."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def end(self) -> None:
        """Whatever happened: nobody stays."""
        for pid in session_members(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)
        self.process.wait(WAIT_S)
        if self.process.stderr is not None:
            self.process.stderr.close()
        os.close(self._reports)
        with suppress(OSError):
            self._lifeline.close()


_OUTCOMES = (Event.RELOADED, Event.RELOAD_FAILED)


@contextmanager
def running(place: Place) -> Iterator[Master]:
    """A master that is ready, and gone afterwards."""
    master = Master(place)
    try:
        yield master.ready()
    finally:
        master.end()


# ---------------------------------------------------------------- the daemon


class Daemon:
    """The command line, the supervisor that it starts, and every process there ever was."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.sessions: set[int] = set()
        self.before_exec: Callable[[], None] | None = None

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SKITAID_")}
        return subprocess.run(
            [sys.executable, str(PROGRAM), "--etc", str(self.place.etc), *words],
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=WAIT_S * 2,
            check=False,
            env=inherited,
            preexec_fn=self.before_exec,
        )

    def start(self) -> Daemon:
        done = self("start")
        assert done.returncode == 0, done.stdout + done.stderr + self.log
        self.see()
        return self

    @property
    def log(self) -> str:
        path = self.place.root / "var" / "log" / "skitaid.log"
        return path.read_text() if path.is_file() else ""

    @property
    def pid(self) -> int:
        """Of the supervisor, as its pid file says."""
        return int((self.place.run_path / "skitaid.pid").read_text())

    def status(self) -> dict[str, dict[str, Any]]:
        """The instances by name; empty when no daemon answers. Asked without the command line, which takes longer."""
        try:
            answer = ask(self.place.run_path, {"command": "status"}, timeout_s=WAIT_S)
        except RefusedError:
            return {}
        return {item["name"]: item for item in answer["instances"]}

    def see(self) -> dict[str, Any]:
        """The figures of the instance `site`; the processes there are now are remembered."""
        with suppress(OSError, ValueError):
            self.sessions.add(os.getsid(self.pid))
        items = self.status()
        self.sessions |= {item["pid"] for item in items.values() if item["pid"]}
        return items.get("site", {})

    @property
    def members(self) -> dict[int, str]:
        return session_members(*self.sessions)

    def kill_supervisor(self) -> None:
        os.kill(self.pid, SIGKILL)

    def end(self) -> None:
        self.see()
        self("terminate")
        for pid in self.members:
            with suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)
