"""The command line against a real daemon: what is typed, what is seen, how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from skitaid.cli import ask
from skitaid.cli.options import parse
from skitaid.cli.session import Session
from skitaid.config.load import default_main, load_instance
from skitaid.exceptions import RefusedError
from skitaid.supervisor import lock

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0
APP = """def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{answer}"]
"""
CONF = """[server]
ip = 127.0.0.1
port = 0
[routes:line]
/ = ../apps/{app}
"""


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s for {what}"
        time.sleep(0.02)


def fetch(address: str, path: str = "/") -> str:
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def without_root_warning(text: str) -> str:
    """Tests may be run as root, with apps of root's: a warning that is not theirs."""
    return "".join(line for line in text.splitlines(keepends=True) if "apps run as root" not in line)


@dataclass(frozen=True)
class Place:
    """A conf folder of its own, the command line on it, and what was begun there."""

    etc: Path
    begun: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        ours = ("SKITAID_", "VIRTUAL_ENV")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**inherited, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(self.etc.parent / "state")}

    @property
    def run_path(self) -> Path:
        return default_main(self.etc).global_.run_path

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "skitaid.cli.main", "--etc", str(self.etc), *words]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words),
            env=self.environ,
            cwd=self.etc.parent,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
        done.stderr = without_root_warning(done.stderr)
        return done

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return self.popen(self.command(*words), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def popen(self, command: list[str], **streams: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            env=self.environ,
            cwd=self.etc.parent,
            text=True,
            start_new_session=True,
            stdout=subprocess.PIPE,
            **streams,
        )
        self.begun.append(process)
        return process

    def app(self, name: str, answer: str) -> Path:
        path = self.etc / "apps" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(APP.format(answer=answer))
        return path

    def conf(self, name: str, text: str | None = None) -> Path:
        path = self.etc / "servers-enabled" / f"{name}.conf"
        path.write_text(CONF.format(app=name) if text is None else text)
        return path

    def site(self, name: str) -> None:
        self.app(name, f"this is {name}")
        self.conf(name)

    def instances(self) -> dict[str, dict[str, object]]:
        done = self("status", "--json")
        assert done.returncode == 0, done.stderr
        return {figures["name"]: figures for figures in json.loads(done.stdout)["instances"]}

    def address(self, name: str) -> str:
        return str(self.instances()[name]["address"])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    tmp_path.chmod(0o755)
    etc = tmp_path / "etc"
    (etc / "servers-enabled").mkdir(parents=True)
    place = Place(etc)
    yield place
    for process in place.begun:
        process.kill()
        process.communicate()
    pid = lock.read_pid(place.run_path) if lock.is_held(place.run_path) else None
    if pid is not None:
        place("terminate")
    if pid is not None and lock.is_held(place.run_path):
        os.kill(pid, signal.SIGKILL)


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Signal a process that stays in the foreground; its exit code and what it printed."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


# ---------------------------------------------------------------- the daemon


def test_start_serves_when_it_comes_back(place: Place) -> None:
    place.site("shop")
    done = place("start")
    assert (done.returncode, done.stderr) == (0, "")
    (url,) = re.findall(r"shop serves at http://(127\.0\.0\.1:\d+)/", done.stdout)
    assert fetch(url) == "this is shop"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_start_with_closed_streams(place: Place, closed: str) -> None:
    place.site("shop")
    shell = ["sh", "-c", f'"$@" {closed}', "sh"]
    assert place.popen([*shell, *place.command("start")], stderr=subprocess.PIPE).wait(PATIENCE_S) == 0
    assert fetch(place.address("shop")) == "this is shop"
    assert place.popen([*shell, *place.command("status")], stderr=subprocess.PIPE).wait(PATIENCE_S) == 0


def test_a_second_start_is_refused_with_the_pid(place: Place) -> None:
    place.site("shop")
    assert place("start").returncode == 0
    pid = lock.read_pid(place.run_path)
    again = place("start")
    assert again.returncode == 1
    assert f"already running with pid {pid}" in again.stderr


def test_a_day_in_a_daemon_s_life(place: Place) -> None:
    place.site("shop")
    assert place().returncode == 0  # start is the default command
    before = place.address("shop")

    place.app("shop", "this is new")
    assert place("-f", "shop", "reload").returncode == 0
    assert (place.address("shop"), fetch(before)) == (before, "this is new")

    assert place("-f", "shop", "stop").returncode == 0
    assert place.instances()["shop"]["state"] == "stopped"
    assert place("-f", "shop", "stop").returncode == 1
    assert place("-f", "shop", "start").returncode == 0
    assert place("-f", "shop", "restart").returncode == 0
    assert place("restart").returncode == 0
    assert place("rotate-all").returncode == 0
    assert fetch(place.address("shop")) == "this is new"

    assert place("stop").returncode == 0
    done = place("status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("skitaid: skitaid is not running")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["stop", "restart", "reload", "shutdown", "terminate", "rotate", "status"])
def test_without_a_daemon_every_request_is_refused(place: Place, command: str) -> None:
    done = place(command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "to start: " in done.stderr
    assert "Traceback" not in done.stderr


def test_start_of_one_leaves_the_others_stopped(place: Place) -> None:
    place.site("shop")
    place.site("blog")
    done = place("-f", "shop", "start")
    assert done.returncode == 0, done.stderr
    assert {name: figures["state"] for name, figures in place.instances().items()} == {
        "blog": "stopped",
        "shop": "running",
    }
    added = place("-f", "blog", "start")
    assert (added.returncode, "blog serves at" in added.stdout) == (0, True)


def test_an_unknown_instance_gets_the_nearest(place: Place) -> None:
    place.site("shop")
    for is_running in (False, True):
        assert not is_running or place("start").returncode == 0
        for command in ("start", "stop", "status", "reload"):
            done = place("-f", "shpo", command)
            assert done.returncode == 1
            assert "did you mean shop" in done.stderr


def test_a_bad_conf_is_told_and_the_others_start(place: Place) -> None:
    place.site("shop")
    place.conf("bad", "[server]\nprot = 1\nprocesses = x\n")
    done = place("start")
    assert done.returncode == 0
    assert "bad.conf:2: [server] prot: unknown key (did you mean port?)" in done.stderr
    assert "bad.conf:3: " in done.stderr
    assert fetch(place.address("shop")) == "this is shop"


def test_nothing_starts_when_no_conf_can_be_used(place: Place) -> None:
    place.conf("bad", "[server]\nprot = 1\n")
    for words in (("start",), ("-f", "bad", "start")):
        done = place(*words)
        assert done.returncode == 2
        assert done.stderr.count("bad.conf:2: ") == 1
        assert not lock.is_held(place.run_path)


def test_an_instance_that_cannot_listen_is_told(place: Place) -> None:
    place.site("shop")
    assert place("start").returncode == 0
    port = place.address("shop").rpartition(":")[2]
    other = Place(place.etc.parent / "other" / "etc")
    (other.etc / "servers-enabled").mkdir(parents=True)
    other.app("blog", "never")
    other.conf("blog", CONF.format(app="blog").replace("port = 0", f"port = {port}"))
    done = other("start")
    try:
        assert done.returncode == 1
        assert port in done.stderr
    finally:
        other("terminate")


def test_start_v_stays_in_the_foreground(place: Place) -> None:
    place.site("shop")
    process = place.begin("start", "-v")
    until(
        lambda: (
            lock.is_held(place.run_path)
            and (place.run_path / "skitaid.sock").exists()
            and place.instances()["shop"]["state"] == "running"
        ),
        "the instance to serve",
    )
    assert place.instances()["shop"]["pid"] != process.pid
    code, _, err = ended(process, signal.SIGTERM)
    assert code == 0
    assert re.search(r"^\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d \[info", err, re.MULTILINE)
    assert not lock.is_held(place.run_path)


def test_a_daemon_that_was_killed_leaves_no_trouble(place: Place) -> None:
    place.site("shop")
    assert place("start").returncode == 0
    pid = lock.read_pid(place.run_path)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not lock.is_held(place.run_path), "the lock to be given up")
    assert place("status").returncode == 1
    assert "left" in place("doctor").stdout
    assert place("start").returncode == 0


# ---------------------------------------------------------------- looking


def test_status_has_the_figures_that_programs_read(place: Place) -> None:
    place.site("shop")
    assert place("start").returncode == 0
    shown = json.loads(place("status", "--json").stdout)
    assert {"pid", "uptime_s", "version"} <= shown["daemon"].keys()
    (shop,) = shown["instances"]
    assert {"name", "state", "pid", "address", "uptime_s", "restarts", "workers"} <= shop.keys()
    (worker,) = shop["workers"]
    assert {"id", "pid", "requests", "rss_bytes"} <= worker.keys()
    os.kill(worker["pid"], 0)


def test_status_is_a_table_without_colours_in_a_pipe(place: Place) -> None:
    place.site("shop")
    assert place("start").returncode == 0
    done = place("status")
    title, row = done.stdout.splitlines()[2:4]
    assert title.split() == ["NAME", "STATE", "PID", "WORKERS", "UPTIME", "RESTARTS", "REQ/S", "MEMORY", "ADDRESS"]
    assert row.split()[:2] == ["shop", "running"]
    assert "\x1b" not in done.stdout
    assert "WORKER" in place("-f", "shop", "status").stdout


def test_an_app_that_cannot_be_loaded_is_told_until_it_can(place: Place) -> None:
    place.site("shop")
    app = place.app("shop", "x")
    good = app.read_text()
    app.write_text("import no_such_package\n")
    done = place("start")
    assert done.returncode == 0
    assert "shop: running, but an app of it could not be loaded and answers 500" in done.stderr
    assert "No module named 'no_such_package'" in done.stderr
    assert "could not be loaded" in place("status").stdout
    app.write_text(good)
    assert place("reload").returncode == 0
    assert "could not be loaded" not in place("status").stdout


def test_a_terminal_gets_colours(place: Place) -> None:
    pytest.importorskip("rs4.termcolor", reason="rs4 gives the colours; without it all is plain")
    ours, theirs = pty.openpty()
    try:
        environ = {**place.environ, "TERM": "xterm", "NO_COLOR": ""}
        subprocess.run(place.command("check"), env=environ, stdout=theirs, timeout=PATIENCE_S, check=True)
        assert b"\x1b[" in os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_daemon_is_found_though_its_skitaid_conf_is_wrong_by_now(place: Place) -> None:
    place.site("shop")
    assert place("start").returncode == 0
    (place.etc / "skitaid.conf").write_text("[global]\nlog_pth = /x\n")
    done = place("status")
    assert (done.returncode, "running" in done.stdout) == (0, True)
    assert done.stderr.count("skitaid.conf:2: ") == 1
    assert place("stop").returncode == 0
    assert place("status").returncode == 2


def test_log_needs_no_daemon(place: Place) -> None:
    place.site("shop")
    before = place("log")
    assert (before.returncode, "there is no log" in before.stderr) == (1, True)
    assert place("start").returncode == 0
    assert place("stop").returncode == 0
    assert "skitaid has stopped" in place("log").stdout
    assert place("-f", "shop", "-s", "server", "log").returncode == 0


def test_log_follows_through_a_rotation(place: Place) -> None:
    folder = default_main(place.etc).global_.log_path / "instances" / "shop"
    folder.mkdir(parents=True)
    path = folder / "request.log"
    path.write_text("old line\n")
    process = place.begin("-f", "shop", "log", "-F", "-s", "request")
    assert process.stdout is not None
    assert process.stdout.readline() == "old line\n"
    path.rename(folder / "request.log.1")
    path.write_text("new line\n")
    assert process.stdout.readline() == "new line\n"
    code, _, err = ended(process, signal.SIGINT)
    assert (code, err) == (130, "")


def test_a_reader_that_goes_is_no_error(place: Place) -> None:
    path = default_main(place.etc).global_.log_path / "skitaid.log"
    path.parent.mkdir(parents=True)
    path.write_text("line\n" * 3000)
    process = place.begin("log", "-F")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    with path.open("a") as file:
        file.write("more\n" * 100)
    assert process.wait(PATIENCE_S) == 0
    assert process.stderr.read() == ""


# ---------------------------------------------------------------- conf


def test_check_tells_every_problem(place: Place) -> None:
    place.site("shop")
    fine = place("check")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert "in order" in fine.stdout
    place.conf("bad", "[server]\nprot = 1\nprocesses = x\n")
    done = place("check")
    assert done.returncode == 2
    assert [line.partition(".conf:")[2][:2] for line in done.stderr.splitlines()] == ["2:", "3:"]
    assert place("-f", "shop", "check").returncode == 0
    assert place("-f", "bad", "check").returncode == 2


@pytest.mark.parametrize(("words", "suffix"), [((), "conf"), (("--yaml",), "yaml")])
def test_what_dump_prints_can_be_loaded(place: Place, words: tuple[str, ...], suffix: str) -> None:
    place.site("shop")
    original = place.etc / "servers-enabled" / "shop.conf"
    done = place("-f", "shop", "dump", *words)
    assert done.returncode == 0, done.stderr
    copy = original.with_name(f"copy.{suffix}")
    copy.write_text(done.stdout)
    main = default_main(place.etc)
    assert load_instance(copy, main).hosts == load_instance(original, main).hosts
    assert load_instance(copy, main).server == load_instance(original, main).server


def test_explain_agrees_with_what_is_served(place: Place) -> None:
    place.site("shop")
    done = place("explain", "/anything")
    assert done.returncode == 0
    assert re.search(r"1\. answers  / = .*apps/shop\.py:app \(etc/servers-enabled/shop\.conf:5\)", done.stdout)
    assert place("explain", "http://127.0.0.1:1/").returncode == 1


# ---------------------------------------------------------------- run


def served_at(process: subprocess.Popen[str]) -> tuple[str, str]:
    """(address, what was printed before) of a `run` that has come up."""
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        shown += line
        found = re.search(r"is served at http://([0-9.:]+)/", line)
        if found:
            return found[1], shown
    raise AssertionError(f"it ended before it served: {shown}{process.stderr and process.stderr.read()}")


def test_run_serves_a_file_prints_its_conf_and_reloads(place: Place) -> None:
    path = place.app("tryout", "first")
    process = place.begin("run", str(path), "--port", "0")
    address, shown = served_at(process)
    assert f"/ = {path}:app" in shown
    assert fetch(address) == "first"
    assert "is being run already" in place("run", str(path)).stderr
    path.write_text(APP.format(answer="second and longer"))
    until(lambda: fetch(address) == "second and longer", "the edited app")
    assert ended(process, signal.SIGINT)[0] == 0
    with pytest.raises(ConnectionRefusedError):
        fetch(address)


def test_run_of_an_instance_takes_the_next_port(place: Place) -> None:
    place.site("shop")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        place.conf("shop", CONF.format(app="shop").replace("port = 0", f"port = {port}"))
        process = place.begin("-f", "shop", "run")
        address, _ = served_at(process)
        assert int(address.rpartition(":")[2]) > port
        assert fetch(address) == "this is shop"
        _, _, err = ended(process, signal.SIGTERM)
    assert f"port {port} is taken, using " in err


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("", 0)])
def test_on_a_terminal_the_next_port_is_asked_for(place: Place, answer: str, code: int) -> None:
    path = place.app("tryout", "first")
    ours, theirs = pty.openpty()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = place.popen(place.command("run", str(path), "--port", str(port)), stdin=theirs, stderr=theirs)
        os.close(theirs)
        assert f"Port {port} is taken. Serve on" in os.read(ours, 4096).decode()
        os.write(ours, f"{answer}\n".encode())
        if code == 0:
            address, _ = served_at(process)
            assert fetch(address) == "first"
            process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == code
    os.close(ours)


def test_what_an_app_forked_ends_with_the_run(place: Place) -> None:
    path = place.app("tryout", "first")
    path.write_text(path.read_text() + "\nimport os, time\nif not os.fork():\n    time.sleep(600)\n    os._exit(0)\n")
    process = place.begin("run", str(path), "--port", "0")
    served_at(process)
    code, _, _ = ended(process, signal.SIGINT)  # the end of its output too, which the fork has open
    assert code == 0


def test_a_daemon_that_hangs_is_told_from_one_that_does_not_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "STATUS_TIMEOUT_S", 0.1)
    place.site("shop")
    assert place("start").returncode == 0
    pid = lock.read_pid(place.run_path)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(RefusedError, match="did not answer within"):
            ask.ask(Session(parse(["status"]), place.etc), "status")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_an_instance_of_the_daemon_is_not_run_twice(place: Place) -> None:
    place.site("shop")
    assert place("start").returncode == 0
    done = place("-f", "shop", "run")
    assert done.returncode == 1
    assert "shop is running already; stop it first: " in done.stderr


def test_run_serves_a_folder_of_files(place: Place) -> None:
    folder = place.etc.parent / "files"
    folder.mkdir()
    (folder / "index.html").write_text("<p>hello")
    process = place.begin("run", str(folder), "--port", "0")
    address, _ = served_at(process)
    assert fetch(address) == "<p>hello"


def test_a_run_that_is_killed_leaves_nobody_behind(place: Place) -> None:
    process = place.begin("run", str(place.app("tryout", "first")), "--port", "0")
    address, _ = served_at(process)
    ended(process, signal.SIGKILL)

    def is_gone() -> bool:
        try:
            fetch(address)
        except OSError:
            return True
        return False

    until(is_gone, "the master to follow")


# ---------------------------------------------------------------- programs


@pytest.mark.parametrize("program", ["skitaid.py", "skitaid-instance.py"])
def test_the_scripts_of_a_checkout_find_its_package(program: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "bin" / program), "--version"],
        env=environ,
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("skitaid ")


@pytest.mark.parametrize("program", ["skitaid.py", "skitaid-instance.py"])
def test_the_scripts_say_what_to_do_where_there_is_no_package(program: str, tmp_path: Path) -> None:
    script = tmp_path / program
    script.write_bytes((ROOT / "bin" / program).read_bytes())
    done = subprocess.run(
        [sys.executable, "-S", str(script), "--version"],
        text=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"]},
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("No module named 'skitaid'")
    assert "make venv" in done.stderr


def test_skitaid_instance_runs_one_alone(place: Place) -> None:
    place.site("shop")
    logs = place.etc.parent / "elsewhere"
    process = place.popen(
        [sys.executable, "-m", "skitaid.cli.instance", "--etc", str(place.etc), "-f", "shop", "-v", "-l", str(logs)],
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    found = None
    shown = ""
    for line in process.stderr:
        shown += line
        found = re.search(r"127\.0\.0\.1:\d+", line)
        if found:
            break
    assert found is not None, shown
    assert fetch(found[0]) == "this is shop"
    code, _, _ = ended(process, signal.SIGTERM)
    assert code == 0
    assert (logs / "server.log").is_file()
