"""Figures of skitaid alone: memory, how soon it is ready, how soon `status` answers, many idle connections."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Load
from benchmarks.machine import Cores, pinned, process_tree, pss_mb
from benchmarks.rounds import Bench
from benchmarks.servers import APPS, ROOT, SERVERS, Place, Running, StartError, end, free_port, start

__all__ = ["ALONE", "Daemon", "Measured"]

COMMAND_LIMIT_S = 60.0
IDLE_OPEN_LIMIT_S = 60.0
TIMES = 5
# What a browser would ask for first, so that every app and template is loaded.
SAMPLE_PAGES = ("/", "/hello", "/flask", "/guestbook", "/static/style.css")


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure and its most, both in `unit`."""

    text: str
    value: float
    unit: str
    bound: float | None = None
    goal: float | None = None

    @property
    def limit(self) -> float | None:
        return self.bound if self.bound is not None else self.goal


class Daemon:
    """A skitaid of our own, with the conf files of one folder."""

    def __init__(self, etc: Path) -> None:
        self._etc = etc

    def command(self, *words: str) -> str:
        """Run skitaid with `words` and give what it printed. Raises StartError when it refuses or hangs."""
        argv = [sys.executable, str(ROOT / "bin" / "skitaid.py"), "--etc", str(self._etc), *words]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=COMMAND_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise StartError(f"skitaid.py {' '.join(words)} did not end within {COMMAND_LIMIT_S:.0f} s") from error
        if done.returncode:
            raise StartError(f"skitaid.py {' '.join(words)} failed: {(done.stdout + done.stderr).strip()[-500:]}")
        return done.stdout

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        return int(json.loads(self.command("status", "--json"))["daemon"]["pid"])

    @contextmanager
    def running(self) -> Iterator[int]:
        """Started, and ended however it goes; gives the supervisor's pid."""
        try:
            self.command("start")
        except StartError:
            # It stays to try again.
            self._stop()
            raise
        try:
            yield self.pid
        finally:
            self._stop()

    def _stop(self) -> None:
        try:
            pids = process_tree(self.pid)
        except StartError:
            return
        try:
            self.command("stop")
        except StartError:
            for pid in pids:
                end(pid)


def memory(bench: Bench) -> list[Measured]:
    """The sample site, idle: as it comes up, and after somebody looked at every page."""
    port = free_port()
    etc = _copy_of_sample(bench.folder / "memory", port)
    with Daemon(etc).running() as pid:
        fresh = _settled(pid)
        for page in SAMPLE_PAGES:
            _get(port, page)
        used = _settled(pid)
        supervisor = pss_mb(pid)
    return [
        Measured("memory of the supervisor", supervisor, "MB", 15.0),
        Measured("memory of supervisor, master and a worker with the sample apps", fresh, "MB", 60.0),
        Measured("the same, after every page was looked at", used, "MB", 60.0),
    ]


def _settled(pid: int) -> float:
    """The sum of all processes, a little after the last thing that happened."""
    time.sleep(1.5)
    return sum(map(pss_mb, process_tree(pid)))


def _copy_of_sample(folder: Path, port: int) -> Path:
    """The sample site's conf on another port; its apps stay where they are."""
    conf = (ROOT / "etc/skitaid/servers-enabled/sample.conf").read_text()
    conf = conf.replace("; port = 5000", f"port = {port}").replace("= ../sample", f"= {ROOT}/etc/skitaid/sample")
    enabled = folder / "etc" / "servers-enabled"
    enabled.mkdir(parents=True)
    (enabled / "sample.conf").write_text(conf)
    return enabled.parent


def readiness(bench: Bench) -> list[Measured]:
    """From the command line to the first answer, with one instance; and `status` meanwhile."""
    port = free_port()
    enabled = bench.folder / "ready" / "etc" / "servers-enabled"
    enabled.mkdir(parents=True)
    (enabled / "hello.conf").write_text(f"[server]\nip = 127.0.0.1\nport = {port}\n[routes:line]\n/ = {APPS}/hello\n")
    daemon = Daemon(enabled.parent)
    started, answered, told = [], [], []
    for _ in range(TIMES):
        begun = time.monotonic()
        with daemon.running():
            _get(port, "/")
            answered.append(time.monotonic() - begun)
            told.append(_seconds(lambda: daemon.command("status")))
        started.append(_seconds(lambda: daemon.command("start")))
        daemon.command("stop")
    return [
        Measured("`start` of a daemon with one instance, until it is ready", statistics.median(started), "s", 1.0),
        Measured("`status`", statistics.median(told), "s", 0.3),
    ]


def idle_connections(bench: Bench) -> list[Measured]:
    """What 1,000 and 10,000 connections that do next to nothing cost, and what others notice of them."""
    return [figure for count in (1000, 10_000) for figure in _idle(bench, count)]


def _idle(bench: Bench, count: int) -> list[Measured]:
    place = Place(free_port(), bench.folder / f"idle-{count}", bench.static)
    running = start(SERVERS["skitaid/idle"], place, bench.plan.cores)
    try:
        bench.sample(running, [Load()])
        before = _settled(running.pid)
        with _clients(running, count, bench.plan.cores):
            grown = _settled(running.pid) - before
            samples = [bench.sample(running, [Load()]) for _ in range(bench.plan.rounds)]
    finally:
        running.stop()
    is_most = count == 10_000
    p99s = [sample.p99_ms for sample in samples if sample.p99_ms is not None]
    return [
        Measured(f"memory for {count:,} idle connections", grown, "MB", goal=150.0 if is_most else None),
        Measured(f"p99 of 64 busy connections beside {count:,} idle ones",
                 statistics.median(p99s), "ms", goal=20.0 if is_most else None),
    ]  # fmt: skip


@contextmanager
def _clients(running: Running, count: int, cores: Cores) -> Iterator[None]:
    argv = [sys.executable, str(ROOT / "benchmarks" / "idle_clients.py"), str(running.port), str(count)]
    with pinned(cores.load):
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "open\n":
            raise StartError(f"{count} idle connections could not be opened; `ulimit -n` may be too low")
        yield
    finally:
        process.kill()
        process.communicate()


def _get(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    connection.getresponse().read()
    connection.close()


def _seconds(call: Callable[[], object]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


ALONE: Mapping[str, Callable[[Bench], list[Measured]]] = {
    "memory": memory,
    "ready": readiness,
    "idle": idle_connections,
}
"""By the name that `--only` takes."""
