"""A restart that refuses nobody: two masters at once, and what becomes of it when one of the processes dies."""

from __future__ import annotations

import http.client
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from skitaid.supervisor.control import ask
from tests.functional.running import (
    Client,
    Daemon,
    Hammer,
    Place,
    children,
    connect,
    free_port,
    is_refused,
    serves,
    text,
    wait_for,
)

APP = """
import os, sys, time

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(sys.executable if environ["PATH_INFO"] == "/python" else os.environ["ANSWER"]).encode()]
"""
GATED = (
    """
import os, time
open({begun!r}, "a").close()
while not os.path.exists({go!r}):
    time.sleep(0.02)
"""
    + APP
)
SLOW = """
import os, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open({begun!r}, "a").close()
        while not os.path.exists({go!r}):
            time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getppid()).encode()]
"""


class Kept(Hammer):
    """Requests on connections that are kept until the server says that it will close them."""

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                self._use(Client(self.address))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))

    def _use(self, client: Client) -> None:
        with closing(client):
            is_open = True
            while is_open and not self._is_over.is_set():
                client.request("GET", "/")
                response = client.getresponse()
                body = response.read().decode()
                (self.answers if response.status == 200 else self.failures).append(body)
                is_open = not response.will_close


class Site:
    """A daemon with one instance of two workers on a port and a unix socket."""

    def __init__(self, root: Path) -> None:
        self.place = Place(root)
        self.daemon = Daemon(self.place)
        self.port = free_port()
        self.unix = f"unix:{root}/site.sock"
        self.go, self.begun = root / "go", root / "begun"
        self.place.app("app", APP)
        self.conf()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def conf(self, answer: str = "hello", server: str = "", listen: str = "") -> None:
        listen = listen or f"{self.address}, {self.unix}"
        self.place.site(f"listen = {listen}\nprocesses = 2\n{server}", more=f"[environment]\nANSWER = {answer}\n")

    def app(self, source: str) -> None:
        self.place.app("app", source.format(begun=str(self.begun), go=str(self.go)) if "{go" in source else source)

    def start(self) -> Site:
        self.daemon.start()
        return self

    def ask(self, command: str) -> dict[str, Any]:
        return ask(self.place.run_path, {"command": command, "name": "site"}, timeout_s=60.0)

    @property
    def masters(self) -> list[int]:
        """All there are, in the order of their birth."""
        found = children(self.daemon.pid)
        self.daemon.sessions |= set(found)
        return found

    @property
    def pid(self) -> int:
        """Of the master that serves."""
        return int(self.daemon.see()["pid"])

    def is_alone(self) -> bool:
        """One master with two workers that are ready, and nobody else."""
        site = self.daemon.see()
        known = {self.daemon.pid, site["pid"], *(worker["pid"] for worker in site["workers"])}
        return site["state"] == "running" and self.masters == [site["pid"]] and set(self.daemon.members) == known

    def until_alone(self) -> int:
        wait_for(self.is_alone, f"one master alone; log:\n{self.daemon.log}")
        return self.pid


class Asking(threading.Thread):
    """A restart that somebody waits for."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site
        self.answer: dict[str, Any] = {}
        self.start()

    def run(self) -> None:
        self.answer = self._site.ask("restart")

    def end(self) -> dict[str, Any]:
        self.join(60.0)
        return self.answer


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.go.touch()
    assert made.masters is not None
    made.daemon.end()


def second_master(site: Site) -> int:
    """Of a restart that was begun with a gated app: its workers are loading that."""
    wait_for(site.begun.exists, f"a worker of the new master; log:\n{site.daemon.log}")
    old, new = site.masters
    assert old == site.pid
    return new


# ---------------------------------------------------------------- it works


def test_nobody_is_refused_and_the_conf_of_now_applies(site: Site) -> None:
    before = site.start().pid
    with ExitStack() as stack:
        hammers = [
            stack.enter_context(hammer.at_work())
            for hammer in (
                Hammer(site.address, threads=2),
                Hammer(site.unix, threads=1),
                Kept(site.address, threads=1),
                Kept(site.unix, threads=1),
            )
        ]
        for number in range(5):
            site.conf(f"answer {number}")
            answer = site.ask("restart")
            assert answer["ok"], answer
            # Who asked meets the new one only.
            assert text(site.address) == text(site.unix) == f"answer {number}"
    for hammer in hammers:
        assert hammer.failures == []
        assert {f"answer {number}" for number in range(4)} <= set(hammer.answers)
    assert site.until_alone() != before
    assert site.daemon.see()["restarts"] == 0


def test_another_python_and_another_port(site: Site, tmp_path: Path) -> None:
    """What can't be had of a reload; and the old port is served until the new is."""
    before = site.start().pid
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    old, site.port = site.address, free_port()
    site.conf(server=f"python = {python}")
    site.app(GATED)
    asking = Asking(site)
    new = second_master(site)
    assert text(old) == "hello"
    site.go.touch()
    assert asking.end()["ok"]
    assert new == site.until_alone() != before
    assert text(site.address, "/python") == str(python)
    assert text(site.address) == text(site.unix) == "hello"
    assert is_refused(old)


def test_a_request_in_flight_is_answered(site: Site) -> None:
    site.app(SLOW)
    before = site.start().pid
    with connect(site.address) as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(site.begun.exists, "the app to begin")
        assert site.ask("restart")["ok"]
        assert site.pid != before
        assert site.masters == [before, site.pid]
        wait_for(lambda: site.daemon.see()["leaving"][0]["connections"] == 1, "the connection in the figures")
        (leaving,) = site.daemon.see()["leaving"]
        assert leaving["pid"] == before
        assert 200 < leaving["left_s"] < 311
        assert leaving["rss_bytes"] > 0
        site.go.touch()
        assert sock.recv(65536).endswith(str(before).encode())
    site.until_alone()
    assert site.daemon.see()["leaving"] == []


# ---------------------------------------------------------------- the new one does not come up


def broken_app(site: Site) -> str:
    """One worker is ready before the other: nobody is to see its error page in the meantime."""
    site.app(
        f"import os, time\ntry:\n    os.mkdir({str(site.begun)!r} + str(os.getppid()))\n"
        "except OSError:\n    time.sleep(0.5)\nimport no_such_module_anywhere\n"
    )
    return "this app cannot be loaded: / "


def no_such_address(site: Site) -> str:
    site.conf(listen=f"{site.address}, {site.unix}, 192.0.2.1:80")
    return "cannot listen on 192.0.2.1:80"


@pytest.mark.parametrize("spoil", [broken_app, no_such_address])
def test_one_that_fails_leaves_the_old(site: Site, spoil: Callable[[Site], str]) -> None:
    before = site.start().pid
    reason = spoil(site)
    with Hammer(site.address, threads=1).at_work() as hammer, Kept(site.unix, threads=1).at_work() as kept:
        answer = site.ask("restart")
        assert not site.ask("reload")["ok"]
    assert (answer["ok"], answer["exit"]) == (False, 1)
    assert answer["message"].startswith("site: restart failed, what served goes on: ")
    assert reason in answer["message"]
    assert hammer.failures == kept.failures == []
    assert site.until_alone() == before
    assert "Traceback" not in site.place.log("stderr")
    # The next one is not harmed by it.
    site.app(APP)
    site.conf("next")
    assert site.ask("restart")["ok"]
    assert text(site.address) == text(site.unix) == "next"


# ---------------------------------------------------------------- somebody dies


def test_the_new_master_is_killed(site: Site) -> None:
    before = site.start().pid
    site.app(GATED)
    asking = Asking(site)
    os.kill(second_master(site), signal.SIGKILL)
    answer = asking.end()
    assert (answer["ok"], answer["exit"]) == (False, 1)
    assert "the new master killed by signal 9" in answer["message"]
    assert text(site.address) == text(site.unix) == "hello"
    site.go.touch()
    assert site.until_alone() == before


def test_the_old_master_is_killed_while_the_new_one_starts(site: Site) -> None:
    """The new one has the addresses: who connects in the meantime waits, and is served."""
    before = site.start().pid
    site.app(GATED)
    asking = Asking(site)
    new = second_master(site)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: site.daemon.see()["pid"] == new, "the new one's being the master")
    # Another restart does not stop the only one that has the addresses.
    control = connect(f"unix:{site.place.run_path}/skitaid.sock")
    control.sendall(b'{"command": "restart", "name": "site"}\n')
    site.ask("ping")
    # Until its workers saw their lifeline cut they might answer.
    wait_for(lambda: set(site.daemon.members) == {site.daemon.pid, new, *children(new)}, "the end of the old workers")
    with connect(site.address) as tcp, connect(site.unix) as unix:
        for sock in (tcp, unix):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        site.go.touch()
        assert tcp.recv(65536).endswith(b"hello")
        assert unix.recv(65536).endswith(b"hello")
    assert asking.end()["ok"]
    with control:
        assert b"site: restarted, ready" in b"".join(iter(lambda: control.recv(65536), b""))
    assert site.until_alone() != new


def test_the_masters_are_killed_while_one_drains(site: Site) -> None:
    """One that drains holds neither lock nor addresses: another can begin beside it."""
    site.app(SLOW)
    before = site.start().pid
    with connect(site.address) as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(site.begun.exists, "the app to begin")
        assert site.ask("restart")["ok"]
        killed = site.pid
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: site.daemon.see()["pid"] not in (None, killed) and serves(site.address), "another master")
        assert before in site.masters
        os.kill(before, signal.SIGKILL)
        assert text(site.address) == text(site.unix) == str(site.pid)
    assert site.until_alone() not in (before, killed)


def test_the_supervisor_is_killed(site: Site) -> None:
    site.start()
    site.app(GATED)
    asking = threading.Thread(target=lambda: site.daemon("-f", "site", "restart"))
    asking.start()
    second_master(site)
    site.go.touch()
    site.daemon.kill_supervisor()
    wait_for(lambda: not site.daemon.members, "the end of everybody")
    asking.join()
    site.start()
    assert text(site.address) == text(site.unix) == "hello"


def test_a_unix_socket_whose_name_is_gone(site: Site) -> None:
    site.start()
    Path(site.unix.removeprefix("unix:")).unlink()
    assert site.ask("restart")["ok"]
    assert text(site.unix) == "hello"
    site.until_alone()


# ---------------------------------------------------------------- others want something


def test_a_stop_while_it_restarts(site: Site) -> None:
    site.start()
    site.app(GATED)
    asking = Asking(site)
    second_master(site)
    assert site.ask("stop")["message"] == "site: stopped"
    assert site.masters == []
    answer = asking.end()
    assert (answer["ok"], answer["exit"]) == (False, 1)
    assert "stop was asked for" in answer["message"]
    assert is_refused(site.address)
    assert is_refused(site.unix)
    site.go.touch()
    assert site.ask("start")["ok"]
    site.until_alone()


def test_a_stop_while_the_old_one_drains(site: Site) -> None:
    site.app(SLOW)
    site.start()
    with connect(site.address) as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(site.begun.exists, "the app to begin")
        assert site.ask("restart")["ok"]
        assert len(site.masters) == 2
        assert site.ask("terminate")["ok"]
        assert site.masters == []
        wait_for(lambda: set(site.daemon.members) == {site.daemon.pid}, "the end of everybody")


def test_a_restart_starts_what_came_once(site: Site) -> None:
    """A conf file that only the restart finds: the supervisor is stopped while the file and the request come."""
    site.start()
    os.kill(site.daemon.pid, signal.SIGSTOP)
    site.place.site(name="other")
    with connect(f"unix:{site.place.run_path}/skitaid.sock", 60.0) as control:
        control.sendall(b'{"command": "restart"}\n')
        os.kill(site.daemon.pid, signal.SIGCONT)
        assert b'"ok": true' in b"".join(iter(lambda: control.recv(65536), b""))
    site.daemon.see()
    assert site.daemon.status()["other"]["state"] == "running"
    assert "info:other] STARTING -> STOPPING" not in site.daemon.log


def test_a_restart_and_a_reload_while_it_restarts(site: Site) -> None:
    """What was edited since counts for those who ask later."""
    site.start()
    site.app(GATED)
    first = Asking(site)
    new = second_master(site)
    site.conf("later")
    second = Asking(site)
    reload = threading.Thread(target=lambda: site.ask("reload"))
    reload.start()
    wait_for(lambda: site.daemon.log.count("restarting: pid") == 1, "the first restart")
    site.go.touch()
    assert first.end()["ok"]
    assert second.end()["ok"]
    reload.join()
    assert site.until_alone() != new
    assert text(site.address) == "later"
