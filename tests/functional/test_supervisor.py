"""The supervisor as a process, over masters that serve nothing (fake/master.py)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from skitaid.exceptions import RefusedError
from skitaid.supervisor.control import ask
from tests.functional.running import wait_for

ROOT = Path(__file__).resolve().parents[2]
FAKE = Path(__file__).with_name("fake") / "supervisor.py"
WAIT_S = 30.0
CONF = "[server]\nport = {port}\n{server}\n[environment]\nFAKE = {how}\n[routes:line]\n/ = ../static\n"


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Daemon:
    """An etc folder, and the supervisor that runs on it."""

    def __init__(self, root: Path) -> None:
        self.etc = root / "etc"
        self.run_path = root / "var" / "run"
        self.log_path = root / "var" / "log"
        self.processes: list[subprocess.Popen[bytes]] = []
        (self.etc / "servers-enabled").mkdir(parents=True)
        (self.etc / "static").mkdir()

    def conf(self, name: str, how: str = "ready", server: str = "") -> Path:
        path = self.etc / "servers-enabled" / f"{name}.conf"
        fresh = path.with_name(f".{name}.new")
        fresh.write_text(CONF.format(port=5100 + sum(name.encode()), how=how, server=server))
        fresh.rename(path)
        return path

    def launch(self, *only: str, **environ: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, str(FAKE), str(self.etc), *only],
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            pass_fds=[int(environ["READY_FD"])] if "READY_FD" in environ else [],
        )
        self.processes.append(process)
        return process

    def start(self, *only: str) -> list[dict[str, Any]]:
        """Start it, and wait until it has said what came of it: all the lines of its answer."""
        read_fd, write_fd = os.pipe()
        self.launch(*only, READY_FD=str(write_fd))
        os.close(write_fd)
        with open(read_fd) as lines:
            return [json.loads(line) for line in lines]

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self.processes[-1]

    def ask(self, command: str, name: str | None = None, **more: bool) -> dict[str, Any]:
        return ask(self.run_path, {"command": command, "name": name, **more}, timeout_s=WAIT_S)

    def instance(self, name: str) -> dict[str, Any]:
        return next(item for item in self.ask("status")["instances"] if item["name"] == name)

    def until(self, name: str, state: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next(
                (item for item in self.ask("status")["instances"] if item["name"] == name and item["state"] == state),
                None,
            )

        return dict(wait_for(found, f"{name} {state}; log:\n{self.log()}"))

    def log(self) -> str:
        try:
            return (self.log_path / "skitaid.log").read_text()
        except OSError:
            return ""

    def stderr_log(self, name: str) -> str:
        return (self.log_path / "instances" / name / "stderr.log").read_text()

    def end(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait(WAIT_S)
            if process.stderr is not None:
                process.stderr.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    made.end()


# ---------------------------------------------------------------- start and stop


def test_starts_what_is_enabled_and_says_so(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.conf("b")
    *progress, answer = daemon.start()
    assert sorted(line["progress"].partition(" (pid")[0] for line in progress) == [
        "a: ready on 127.0.0.1:5000",
        "b: ready on 127.0.0.1:5000",
    ]
    assert (answer["ok"], answer["exit"], answer["message"]) == (True, 0, "2 of 2 instances run")
    assert [item["state"] for item in answer["instances"]] == ["running", "running"]
    assert "[info:a] STOPPED -> STARTING: the daemon starts" in daemon.log()
    assert f"started with -f a --etc {daemon.etc}" in daemon.stderr_log("a")


def test_files_in_run_path(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    assert (daemon.run_path / "skitaid.pid").read_text() == f"{daemon.process.pid}\n"
    mode = (daemon.run_path / "skitaid.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_master_has_its_own_session_and_none_of_our_descriptors(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.conf("b")
    daemon.start()
    for name in "ab":
        pid = daemon.instance(name)["pid"]
        assert os.getsid(pid) == pid
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        targets = sorted(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
        kinds = [re.sub(r"\d+|\[.*\]", "", target) for target in targets if "__pycache__" not in target]
        assert kinds.count("pipe:") == 2, targets  # lifeline and report
        assert not [target for target in targets if "skitaid.lock" in target]
        assert sum(target.startswith("socket") for target in targets) == 1, targets  # where its successor asks


def test_status_with_figures_of_the_worker(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    answer = daemon.ask("status")
    assert answer["daemon"]["pid"] == daemon.process.pid
    [item] = answer["instances"]
    assert (item["name"], item["state"], item["address"], item["restarts"]) == ("a", "running", "127.0.0.1:5000", 0)
    assert item["workers"][0]["requests"] == 7
    assert item["workers"][0]["rss_bytes"] == 4096
    assert 0 <= item["uptime_s"] < 600


def test_stop_of_everything_leaves_nothing(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    answer = daemon.ask("stop")
    assert (answer["ok"], answer["message"]) == (True, "skitaid has stopped")
    assert not is_alive(pid)
    assert not (daemon.run_path / "skitaid.sock").exists()
    assert not (daemon.run_path / "skitaid.pid").exists()
    assert daemon.process.wait(WAIT_S) == 0


def test_start_directly_after_stop(daemon: Daemon) -> None:
    daemon.conf("a")
    for _ in range(3):
        assert daemon.start()[-1]["ok"]
        assert daemon.ask("stop")["ok"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_everything(daemon: Daemon, number: signal.Signals) -> None:
    daemon.conf("a")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    daemon.process.send_signal(number)
    assert daemon.process.wait(WAIT_S) == 0
    assert not is_alive(pid)


def test_terminate_kills_a_master_that_does_not_listen(daemon: Daemon) -> None:
    daemon.conf("a", "stubborn")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    began = time.monotonic()
    assert daemon.ask("terminate")["ok"]
    assert time.monotonic() - began >= 5
    assert not is_alive(pid)
    assert "killing pid" in daemon.log()


def test_second_start_is_refused_with_the_pid(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    first = daemon.process.pid
    [answer] = daemon.start()
    assert (answer["ok"], answer["exit"]) == (False, 1)
    assert f"already running with pid {first}" in answer["message"]
    assert daemon.process.wait(WAIT_S) == 1
    assert daemon.instance("a")["state"] == "running"


def test_nothing_enabled(daemon: Daemon) -> None:
    [answer] = daemon.start()
    assert answer["ok"]
    assert "nothing to run" in answer["message"]
    assert daemon.ask("ping")["pid"] == daemon.process.pid


def test_wrong_main_conf_is_refused_with_every_problem(daemon: Daemon) -> None:
    (daemon.etc / "skitaid.conf").write_text("[globul]\nx = 1\n")
    [answer] = daemon.start()
    assert (answer["ok"], answer["exit"]) == (False, 2)
    assert "skitaid.conf:1" in answer["message"]
    assert daemon.process.wait(WAIT_S) == 2


def test_only_one_instance(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.conf("b")
    answer = daemon.start("b")[-1]
    assert [item["name"] for item in answer["instances"]] == ["b"]
    assert daemon.instance("a")["state"] == "stopped"
    assert daemon.ask("start", "a")["ok"]
    assert daemon.instance("a")["state"] == "running"


def test_only_an_instance_that_does_not_exist(daemon: Daemon) -> None:
    daemon.conf("a")
    answer = daemon.start("b")[-1]
    assert (answer["ok"], answer["exit"]) == (False, 1)
    assert "no instance 'b'" in answer["message"]


def test_not_running_is_said(daemon: Daemon) -> None:
    with pytest.raises(RefusedError, match="not running"):
        daemon.ask("status")


# ---------------------------------------------------------------- one instance


def test_stop_start_restart_of_one(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.conf("b")
    daemon.start()
    before = daemon.instance("b")["pid"]
    assert daemon.ask("stop", "a")["ok"]
    assert daemon.instance("a")["state"] == "stopped"
    refused = daemon.ask("stop", "a")
    assert (refused["ok"], refused["exit"], refused["message"]) == (False, 1, "a is not running, it is stopped")
    assert daemon.ask("start", "a")["ok"]
    first = daemon.instance("a")["pid"]
    refused = daemon.ask("start", "a")
    assert (refused["ok"], refused["exit"]) == (False, 1)
    assert daemon.ask("restart", "a")["ok"]
    assert daemon.instance("a")["pid"] != first
    wait_for(lambda: not is_alive(first), "the end of the first master")
    assert daemon.instance("b")["pid"] == before


@pytest.mark.parametrize("command", ["start", "stop", "restart", "reload", "terminate", "rotate"])
def test_an_unknown_instance_is_refused(daemon: Daemon, command: str) -> None:
    daemon.conf("a")
    daemon.start()
    answer = daemon.ask(command, "nobody")
    assert (answer["ok"], answer["exit"]) == (False, 1)
    assert "no instance 'nobody' in servers-enabled; there are: a" in answer["message"]


def test_restart_refuses_a_wrong_conf_and_the_old_goes_on(daemon: Daemon) -> None:
    path = daemon.conf("a")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    path.write_text("[server]\nport = many\n")
    answer = daemon.ask("restart", "a")
    assert (answer["ok"], answer["exit"]) == (False, 2)
    assert f"{path}:2" in answer["message"]
    assert daemon.instance("a")["pid"] == pid
    assert daemon.instance("a")["problems"]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("fails", "no address is left"),
        ("exit:1", "the new master exited with code 1; stderr.log and server.log may say more"),
    ],
)
def test_a_failed_restart_is_told_and_the_old_goes_on(daemon: Daemon, how: str, reason: str) -> None:
    daemon.conf("a")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    daemon.conf("a", how)
    answer = daemon.ask("restart", "a")
    assert (answer["ok"], answer["exit"]) == (False, 1)
    assert answer["message"] == f"a: restart failed, what served goes on: {reason}"
    item = daemon.instance("a")
    assert (item["pid"], item["state"], item["restarts"]) == (pid, "running", 0)
    wait_for(lambda: "stay" in daemon.stderr_log("a"), "the old one's being told")
    assert f"[error:a] restart failed: {reason}" in daemon.log()
    daemon.conf("a")
    assert daemon.ask("restart", "a")["ok"]
    assert daemon.instance("a")["pid"] != pid


def test_twenty_restarts_leave_nothing(daemon: Daemon) -> None:
    """Neither processes nor descriptors."""
    daemon.conf("a")
    daemon.start()
    folder = Path(f"/proc/{daemon.process.pid}/fd")
    before = len(list(folder.iterdir()))
    for _ in range(20):
        answer = daemon.ask("restart", "a")
        pid = daemon.instance("a")["pid"]
        assert answer["message"] == f"a: restarted, ready on 127.0.0.1:5000 (pid {pid})"
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children")
    wait_for(lambda: children.read_text().split() == [str(pid)], "the end of the masters before")
    wait_for(lambda: len(list(folder.iterdir())) == before, "descriptors as before")


def test_a_master_that_drains_is_waited_for(daemon: Daemon) -> None:
    daemon.conf("a", "drains")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    assert daemon.ask("restart", "a")["ok"]
    assert is_alive(pid)
    assert daemon.ask("stop", "a")["message"] == "a: stopped"
    assert not is_alive(pid)


def test_an_agent_never_has_a_second_beside_it(daemon: Daemon) -> None:
    (daemon.etc / "skitaid.conf").write_text("[crontab:line]\n0 0 1 1 * true\n")
    daemon.start()
    assert daemon.ask("restart")["ok"]
    assert re.findall(r"\[info:cron\] (\w+ -> \w+)", daemon.log())[2:] == [
        "RUNNING -> STOPPING",
        "STOPPING -> STARTING",
        "STARTING -> RUNNING",
    ]


def test_reload_of_one_and_of_all(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.conf("b")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    assert daemon.ask("reload", "a")["message"] == "a: reloaded"
    assert daemon.ask("reload")["message"] == "2 of 2 instances run"
    assert daemon.instance("a")["pid"] == pid
    daemon.ask("stop", "a")
    assert "start it" in daemon.ask("reload", "a")["message"]


def test_failed_reload_is_told_and_the_old_goes_on(daemon: Daemon) -> None:
    daemon.conf("a", "reload-fails")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    answer = daemon.ask("reload", "a")
    assert (answer["ok"], answer["exit"]) == (False, 1)
    assert answer["message"] == "a: reload failed, the old workers go on: no module named x"
    assert daemon.instance("a")["pid"] == pid


def test_reload_with_a_wrong_conf_is_told_and_others_are_reloaded(daemon: Daemon) -> None:
    path = daemon.conf("a")
    daemon.conf("b")
    daemon.start()
    path.write_text("[server]\nport = many\n")
    answer = daemon.ask("reload")
    assert (answer["ok"], answer["exit"]) == (False, 2)
    assert answer["message"] == "1 of 2 instances run by their conf of now; not: a"
    assert daemon.instance("a")["state"] == "running"
    assert "[info:b] reloaded" in daemon.log()


def test_restart_of_all_replaces_masters_and_starts_what_is_stopped(daemon: Daemon) -> None:
    for name in ("a", "b", "c"):
        daemon.conf(name)
    daemon.start()
    before = {name: daemon.instance(name)["pid"] for name in ("a", "c")}
    daemon.ask("stop", "b")
    answer = daemon.ask("restart")
    assert (answer["ok"], answer["message"]) == (True, "3 of 3 instances run")
    assert daemon.instance("b")["state"] == "running"
    for name, pid in before.items():
        assert daemon.instance(name)["pid"] != pid
        wait_for(lambda pid=pid: not is_alive(pid), "the end of the master before")
    # One after the other: the second begins when the first is done.
    log = daemon.log()
    assert log.index("[info:a] restarted") < log.index("[info:c] restarting")


def test_another_python_needs_a_restart(daemon: Daemon, tmp_path: Path) -> None:
    daemon.conf("a")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    python = tmp_path / "python"
    python.symlink_to(Path(sys.executable).resolve())
    daemon.conf("a", server=f"python = {python}")
    assert "restart applies the new one" in daemon.ask("reload", "a")["message"]
    assert daemon.instance("a")["pid"] == pid
    assert daemon.ask("restart")["ok"]
    assert daemon.instance("a")["pid"] != pid
    assert Path(f"/proc/{daemon.instance('a')['pid']}/cmdline").read_bytes().startswith(os.fsencode(python) + b"\0")
    assert daemon.ask("reload", "a")["message"] == "a: reloaded"


def test_a_master_that_dies_during_its_reload(daemon: Daemon) -> None:
    daemon.conf("a", "mute")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(daemon.run_path / "skitaid.sock"))
        client.sendall(b'{"command": "reload", "name": "a"}\n')
        wait_for(lambda: "reloading" in daemon.log(), "the reload")
        os.kill(pid, signal.SIGKILL)
        with client.makefile() as lines:
            answer = json.loads(lines.readlines()[-1])
    assert not answer["ok"]
    assert "the master ended" in answer["message"]


def test_rotate(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    assert daemon.ask("rotate")["message"] == "logs rotated: skitaid, a"
    wait_for(lambda: "rotated" in daemon.stderr_log("a"), "the signal")
    assert [path for path in daemon.log_path.iterdir() if path.name.startswith("skitaid.log.")]
    daemon.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: daemon.stderr_log("a").count("rotated") == 2, "the second signal")


def test_hangup_reads_the_confs_again(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "[info:a] reloaded" in daemon.log(), "the reload")
    assert daemon.ask("ping")["ok"]


# ---------------------------------------------------------------- deaths


def test_killed_master_is_replaced_at_once(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: daemon.instance("a")["state"] == "running" and daemon.instance("a")["pid"] != pid, "a new master")
    assert "BACKOFF" not in daemon.log()
    assert daemon.instance("a")["restarts"] == 1
    assert "[warn:a] RUNNING -> STARTING: killed by signal 9" in daemon.log()


def test_a_master_that_keeps_dying_waits(daemon: Daemon) -> None:
    daemon.conf("a", "ready-exit:1")
    daemon.start()
    item = daemon.until("a", "backoff")
    assert "BACKOFF" in daemon.log()
    assert item["restarts"] == 3
    assert "exited with code 1, the 4th time within 60 s" in item["reason"]
    assert "next try in 5 s" in item["fix"]


def test_exit_codes(daemon: Daemon) -> None:
    daemon.conf("clean", "exit:0")
    daemon.conf("conf", "exit:2")
    daemon.conf("early", "exit:1")
    daemon.conf("good")
    answer = daemon.start()[-1]
    assert (answer["ok"], answer["exit"]) == (False, 2)
    assert answer["message"] == "1 of 4 instances run; not: clean, conf, early"
    states = {item["name"]: item["state"] for item in answer["instances"]}
    assert states == {"clean": "exited", "conf": "fatal", "early": "backoff", "good": "running"}


def test_restart_now_is_not_counted_as_a_failure(daemon: Daemon) -> None:
    daemon.conf("a", "ready-exit:3")
    daemon.start()
    wait_for(lambda: daemon.instance("a")["restarts"] >= 5, "five restarts")


def test_not_ready_in_time_is_killed_with_its_children(daemon: Daemon) -> None:
    daemon.conf("a", "never", "start_timeout = 1")
    answer = daemon.start()[-1]
    assert not answer["ok"]
    item = daemon.instance("a")
    assert item["state"] == "backoff"
    assert "not ready within 1 s" in item["reason"]
    assert item["pid"] is None


def test_missing_interpreter_is_fatal(daemon: Daemon, tmp_path: Path) -> None:
    python = tmp_path / "python"
    shutil.copy(Path(sys.executable).resolve(), python)
    daemon.conf("a", server=f"python = {python}")
    python.chmod(0o755)
    daemon.start("none")
    python.unlink()
    answer = daemon.ask("start", "a")
    assert (answer["ok"], answer["exit"]) == (False, 2)
    assert str(python) in answer["message"]


def test_kill_of_the_supervisor_leaves_no_master_and_the_next_start_works(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    daemon.process.kill()
    daemon.process.wait(WAIT_S)
    wait_for(lambda: not is_alive(pid), "the master's end")
    assert (daemon.run_path / "skitaid.sock").exists()
    with pytest.raises(RefusedError, match="not running"):
        daemon.ask("status")
    assert daemon.start()[-1]["ok"]
    assert daemon.instance("a")["state"] == "running"


def test_what_a_stopped_master_left_behind_is_killed(daemon: Daemon) -> None:
    daemon.conf("a", "orphan")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    assert is_alive(child)
    assert daemon.ask("stop", "a")["ok"]
    wait_for(lambda: not is_alive(child), "the child's end")


# ---------------------------------------------------------------- conf files


def test_a_file_that_comes_starts_one_that_goes_stops(daemon: Daemon) -> None:
    daemon.start()
    path = daemon.conf("a")
    pid = daemon.until("a", "running")["pid"]
    path.unlink()
    wait_for(lambda: not daemon.ask("status")["instances"], "the instance's end")
    assert not is_alive(pid)
    daemon.conf("a")
    daemon.until("a", "running")


def test_a_file_that_goes_while_its_start_is_waited_for(daemon: Daemon) -> None:
    path = daemon.conf("a", "never")
    daemon.start("none")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(daemon.run_path / "skitaid.sock"))
        client.sendall(b'{"command": "start", "name": "a"}\n')
        daemon.until("a", "starting")
        path.unlink()
        with client.makefile() as lines:
            answer = json.loads(lines.readlines()[-1])
    assert (answer["ok"], answer["exit"]) == (False, 1)
    assert "a: stopped: its conf file is gone" in answer["message"]
    wait_for(lambda: not daemon.ask("status")["instances"], "its being forgotten")
    assert "Traceback" not in daemon.log()


def test_files_that_do_not_count(daemon: Daemon) -> None:
    folder = daemon.etc / "servers-enabled"
    for name in (".a.conf", "a.conf~", "a.conf.bak", "README"):
        (folder / name).write_text("nonsense")
    daemon.start()
    daemon.conf("b")
    daemon.until("b", "running")
    assert [item["name"] for item in daemon.ask("status")["instances"]] == ["b"]


def test_an_edited_file_is_validated_and_the_running_one_goes_on(daemon: Daemon) -> None:
    path = daemon.conf("a")
    daemon.start()
    pid = daemon.instance("a")["pid"]
    path.write_text("[server]\nport = many\n")
    wait_for(lambda: daemon.instance("a")["problems"], "the report")
    assert daemon.instance("a")["pid"] == pid
    assert f"[error:a] {path}:2" in daemon.log()
    daemon.conf("a", server="threads = 2")
    wait_for(lambda: not daemon.instance("a")["problems"], "the correction")
    wait_for(lambda: "[info:a] its conf file was edited and is right" in daemon.log(), "the line in the log")
    assert daemon.instance("a")["pid"] == pid


def test_a_bad_file_is_fatal_until_corrected_and_others_run(daemon: Daemon) -> None:
    path = daemon.etc / "servers-enabled" / "bad.conf"
    path.write_text("[server]\nport = many\n")
    daemon.conf("good")
    answer = daemon.start()[-1]
    assert (answer["ok"], answer["exit"], answer["message"]) == (False, 2, "1 of 2 instances run; not: bad")
    item = daemon.instance("bad")
    assert item["state"] == "fatal"
    assert f"{path}:2" in item["problems"][0]
    again = daemon.ask("start", "bad")
    assert (again["ok"], again["exit"]) == (False, 2)
    daemon.conf("bad")
    daemon.until("bad", "running")


def test_reload_starts_a_fatal_one_whose_file_was_corrected_a_moment_ago(daemon: Daemon) -> None:
    path = daemon.conf("a")
    path.write_text("[server]\nport = many\n")
    daemon.start()
    assert daemon.instance("a")["state"] == "fatal"
    daemon.conf("a")
    assert daemon.ask("reload", "a")["ok"]
    assert daemon.instance("a")["state"] == "running"


def test_restart_goes_by_the_limits_of_the_new_conf(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    daemon.ask("stop", "a")
    daemon.conf("a", "never", "start_timeout = 1")
    assert "not ready within 1 s" in daemon.ask("restart", "a")["message"]


def test_an_exited_one_is_not_restarted_until_its_file_is_added_again(daemon: Daemon) -> None:
    path = daemon.conf("a", "exit:0")
    daemon.start()
    assert daemon.instance("a")["state"] == "exited"
    path.unlink()
    wait_for(lambda: not daemon.ask("status")["instances"], "its being forgotten")
    daemon.conf("a")
    daemon.until("a", "running")


# ---------------------------------------------------------------- the control socket


def test_hostile_clients_do_not_stop_the_loop(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    address = str(daemon.run_path / "skitaid.sock")
    silent = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for client in silent:
        client.connect(address)
    with socket.socket(socket.AF_UNIX) as flood:
        flood.settimeout(WAIT_S)
        flood.connect(address)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                flood.sendall(b"x" * 65536)
    for line, part in (
        (b"hello\n", "JSON"),
        (b"[]\n", "one of: status"),
        (b'{"command": "dance"}\n', "one of: status"),
        (b'{"command": "stop", "name": 5}\n', "name is a string"),
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(WAIT_S)
            client.connect(address)
            client.sendall(line)
            with client.makefile() as lines:
                [answer] = [json.loads(text) for text in lines]
        assert (answer["ok"], answer["exit"]) == (False, 2)
        assert part in answer["message"]
    assert daemon.ask("ping")["ok"]
    for client in silent:
        client.close()


def test_a_run_path_too_long_for_a_socket_address(daemon: Daemon, tmp_path: Path) -> None:
    run_path = tmp_path / ("long" * 30) / "run"
    (daemon.etc / "skitaid.conf").write_text(f"[global]\nrun_path = {run_path}\n")
    daemon.run_path = run_path
    daemon.conf("a")
    daemon.start()
    assert daemon.instance("a")["state"] == "running"
    assert daemon.ask("stop")["ok"]


# ---------------------------------------------------------------- systemd, memory


def test_systemd_is_told(daemon: Daemon) -> None:
    daemon.conf("a")
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{folder}/notify")
        manager.settimeout(WAIT_S)
        process = daemon.launch(NOTIFY_SOCKET=f"{folder}/notify", WATCHDOG_USEC="4000000")
        told = [manager.recv(4096).decode() for _ in range(2)]
        assert "READY=1\nSTATUS=1 of 1 instances run" in told
        assert "WATCHDOG=1" in told
        pid = daemon.instance("a")["pid"]
        assert b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes()
        process.send_signal(signal.SIGHUP)
        lines = wait_for(
            lambda: next((text for text in [manager.recv(4096).decode()] if "RELOADING" in text), ""), "RELOADING=1"
        )
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", lines)
        process.terminate()
        wait_for(lambda: "STOPPING=1" in manager.recv(4096).decode(), "STOPPING=1")
        assert process.wait(WAIT_S) == 0


def test_memory_of_the_idle_supervisor(daemon: Daemon) -> None:
    daemon.conf("a")
    daemon.start()
    rollup = Path(f"/proc/{daemon.process.pid}/smaps_rollup").read_text()
    pss_kb = int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")))
    assert pss_kb <= 15 * 1024
