"""The supervisor over real masters and workers: what a site's visitor sees when processes are killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid.supervisor.control import ask
from skitaid.supervisor.entry import Arguments
from tests.functional.running import wait_for

WAIT_S = 30.0
APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Site:
    """A daemon with one instance of two workers on a free port, in the foreground."""

    def __init__(self, root: Path) -> None:
        self.etc, self.run_path = root / "etc", root / "var" / "run"
        self.pids: set[int] = set()
        (self.etc / "servers-enabled").mkdir(parents=True)
        (self.etc / "hello.py").write_text(APP)
        self.conf = self.etc / "servers-enabled" / "site.conf"
        self.conf.write_text("[server]\nip = 127.0.0.1\nport = 0\nprocesses = 2\n[routes:line]\n/ = ../hello:app\n")
        self.start()

    def start(self) -> None:
        read_fd, write_fd = os.pipe()
        os.set_inheritable(write_fd, True)
        argv = Arguments(self.etc, ready_fd=write_fd).argv(sys.executable)
        self.daemon = subprocess.Popen(argv, pass_fds=[write_fd])
        os.close(write_fd)
        with open(read_fd) as lines:
            answer = json.loads(lines.readlines()[-1])
        assert answer["ok"], answer
        self.see()

    def status(self) -> dict[str, Any]:
        [figures] = ask(self.run_path, {"command": "status"}, timeout_s=WAIT_S)["instances"]
        return dict(figures)

    def log(self) -> str:
        return (self.etc.parent / "var" / "log" / "skitaid.log").read_text()

    def see(self) -> tuple[int, list[int]]:
        """The master and its workers; all that were ever seen must be gone in the end."""
        master = self.status()["pid"]
        workers = children(master)
        self.pids |= {self.daemon.pid, master, *workers}
        return master, workers

    def get(self) -> bytes:
        """Raises OSError when nobody answers."""
        host, _, port = self.status()["address"].rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=WAIT_S)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read()
        finally:
            connection.close()

    def serves(self) -> bool:
        try:
            return self.get() == b"hello"
        except (OSError, AttributeError, http.client.HTTPException):
            return False

    def leftovers(self) -> list[int]:
        return [pid for pid in self.pids if pid != self.daemon.pid and Path(f"/proc/{pid}").exists()]

    def end(self) -> None:
        if self.daemon.poll() is None:
            self.daemon.terminate()
        try:
            self.daemon.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.end()


def test_start_serve_stop(site: Site) -> None:
    assert site.get() == b"hello"
    assert [worker["state"] for worker in site.status()["workers"]] == ["ready", "ready"]
    assert ask(site.run_path, {"command": "stop"})["ok"]
    assert site.daemon.wait(WAIT_S) == 0
    wait_for(lambda: not site.leftovers(), "the end of every process")


def test_a_killed_worker_refuses_nobody_and_is_replaced(site: Site) -> None:
    master, workers = site.see()
    os.kill(workers[0], signal.SIGKILL)
    for _ in range(20):
        assert site.get() == b"hello"
    wait_for(lambda: len(children(master)) == 2 and workers[0] not in children(master), "another worker")
    wait_for(lambda: site.status()["workers_replaced"] == 1, "its being counted")
    assert site.see()[0] == master


def test_a_killed_master_is_replaced_at_once(site: Site) -> None:
    master, _ = site.see()
    os.kill(master, signal.SIGKILL)
    wait_for(lambda: site.status()["pid"] != master and site.serves(), "the new master's first answer")
    assert "BACKOFF" not in site.log()
    site.see()


def test_every_process_but_the_supervisor_killed_at_once(site: Site) -> None:
    master, workers = site.see()
    for pid in (master, *workers):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: site.status()["pid"] != master and site.serves(), "the new master's first answer")
    site.see()


def test_a_killed_supervisor_leaves_no_orphan_and_the_next_one_serves(site: Site) -> None:
    site.daemon.kill()
    site.daemon.wait(WAIT_S)
    site.start()
    assert site.get() == b"hello"
    assert "BACKOFF" not in site.log()
    _, workers = site.see()
    ask(site.run_path, {"command": "stop"})
    assert site.daemon.wait(WAIT_S) == 0
    wait_for(lambda: not site.leftovers(), "the end of every process")
    assert len(workers) == 2


def test_reload_serves_an_edited_app_and_refuses_nobody(site: Site) -> None:
    master, _ = site.see()
    (site.etc / "hello.py").write_text(APP.replace("hello", "changed"))
    reload = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; "
            "from skitaid.supervisor.control import ask; "
            "sys.exit(ask(Path(sys.argv[1]), {'command': 'reload'})['exit'])",
            str(site.run_path),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    answers = set()
    while reload.poll() is None:
        answers.add(site.get())
    assert reload.returncode == 0
    assert answers <= {b"hello", b"changed"}
    assert site.get() == b"changed"
    assert site.see()[0] == master


def test_a_failed_reload_keeps_the_old_workers(site: Site) -> None:
    _, workers = site.see()
    site.conf.write_text(site.conf.read_text() + "/more = ../nowhere:app\n")
    answer = ask(site.run_path, {"command": "reload"})
    assert (answer["ok"], answer["exit"]) == (False, 2)
    assert site.get() == b"hello"
    assert site.see()[1] == workers
