"""The cron agent as a process: jobs begin, once, whatever happens to the agent; and end with all that they started."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGQUIT, SIGTERM

import pytest

from skitaid.agents.cron.machines import ClaimError, claim
from skitaid.agents.cron.records import Records
from tests.functional.running import PROGRAM, ROOT, Daemon, Place, free_port, wait_for

FAKE = Path(__file__).resolve().parent / "fake" / "cron.py"


class Cron:
    """Agents over one folder, one after another, and all they left."""

    def __init__(self, root: Path) -> None:
        self.place = Place(root)
        self._log = root / "var" / "log" / "daemons" / "cron" / "cron.log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.ahead_s = 0.0

    @property
    def records(self) -> Records:
        return Records(self.place.root / "var" / "lib" / "daemons" / "cron")

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.is_file() else ""

    def crontab(self, text: str, more: str = "") -> None:
        path = self.place.etc / "skitaid.conf"
        fresh = path.with_suffix(".new")
        fresh.write_text(f"[crontab:line]\n{text}\n{more}\n")
        fresh.rename(path)

    def set_clock(self, second: float) -> None:
        """The agents' clock shows that second of a minute now."""
        self.ahead_s = (second - time.time()) % 60

    def start(self) -> subprocess.Popen[bytes]:
        """Ready when it comes back."""
        before = self.log.count("cron is ready")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SKITAID_")}
        process = subprocess.Popen(
            [sys.executable, str(FAKE), str(self.place.etc), str(self.ahead_s)],
            cwd="/",
            env=environ | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        self._processes.append(process)
        wait_for(lambda: self.log.count("cron is ready") > before or process.poll() is not None, "the agent")
        assert process.poll() is None, self.log
        return process

    def stop(self) -> None:
        self._processes[-1].terminate()
        assert self._processes[-1].wait(30) == 0

    def lines(self, job: str, kind: str = "[a-z]+") -> list[str]:
        """What the log says of a job."""
        return re.findall(rf"\[{kind}:{re.escape(job)}\] (.*)", self.log)

    def until(self, job: str, text: str) -> list[str]:
        wait_for(lambda: any(text in line for line in self.lines(job)), f"{text!r} of {job}")
        return self.lines(job)

    def run(self, job: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(PROGRAM), "--etc", str(self.place.etc), "-f", "cron", "run", job],
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        jobs = self.records.folder / "jobs"
        for path in jobs.glob("*.last") if jobs.is_dir() else ():
            last = self.records.last(path.stem)
            if last is not None and self.records.runs(path.stem):
                with suppress(ProcessLookupError):
                    os.kill(last.pid, SIGTERM)


@pytest.fixture
def cron(tmp_path: Path) -> Iterator[Cron]:
    cron = Cron(tmp_path)
    yield cron
    cron.end()


def is_there(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_minute_begins(cron: Cron) -> None:
    cron.crontab(
        "A = some text\nJITTER = 300ms\n* * * * *  echo $A; echo $SKITAID_JOB >&2; cat; exit 3%from stdin\n"
        "JOB = other\n0 0 1 1 * true"
    )
    cron.set_clock(58.5)
    cron.start()
    assert cron.lines("echo") == []
    *lines, end = cron.until("echo", "failed")
    assert lines == ["starts: echo $A; echo $SKITAID_JOB >&2; cat; exit 3", "some text", "echo", "from stdin"]
    assert re.fullmatch(r"failed: exit code 3 after \d\.\d s", end)
    assert cron.lines("other") == []


def test_an_agent_that_is_killed_runs_nothing_twice(cron: Cron, tmp_path: Path) -> None:
    go = tmp_path / "go"
    cron.crontab(f"JOB = long\n* * * * * echo begun; while [ ! -e {go} ]; do sleep 0.05; done; echo done")
    cron.set_clock(59)
    first = cron.start()
    cron.until("long", "begun")
    first.kill()
    first.wait()
    second = cron.start()
    assert cron.until("long", "still runs")
    second.send_signal(SIGQUIT)  # waits for it
    go.touch()
    assert second.wait(30) == 0
    cron.start()
    assert cron.until("long", "ended after")[1:] == ["begun", cron.lines("long")[2], "done", cron.lines("long")[4]]
    last = cron.records.last("long")
    assert last is not None
    assert last.exit == 0


def test_what_came_due_while_the_agent_was_away_is_run_once(cron: Cron) -> None:
    cron.crontab("JOB = tick\n* * * * * echo ran")
    cron.set_clock(57)
    first = cron.start()
    first.kill()
    first.wait()
    cron.crontab("JOB = tick\n* * * * * echo ran\nJOB = fresh\n* * * * * echo ran")
    cron.ahead_s += 5
    cron.start()
    cron.until("tick", "ended")
    assert cron.lines("tick", "out") == ["ran"]
    assert cron.lines("fresh") == []


def test_what_came_due_while_the_agent_was_stopping_is_run_by_the_next(cron: Cron, tmp_path: Path) -> None:
    go = tmp_path / "go"
    cron.crontab(f"JOB = long\n@reboot while [ ! -e {go} ]; do sleep 0.05; done\nJOB = tick\n* * * * * echo ran")
    cron.set_clock(58)
    first = cron.start()
    cron.until("long", "starts")
    first.send_signal(SIGQUIT)
    wait_for(lambda: (time.time() + cron.ahead_s) % 60 < 30, "the minute")
    go.touch()
    assert first.wait(30) == 0
    assert cron.lines("tick") == []
    cron.start()
    cron.until("tick", "ended")
    assert cron.lines("tick", "out") == ["ran"]


def test_a_job_that_still_runs_is_not_begun_again(cron: Cron) -> None:
    cron.crontab("JOB = slow\n* * * * * echo ran\nOVERLAP = yes\nJOB = free\n* * * * * echo ran")
    cron.records.make()
    held = cron.records.take("slow"), cron.records.take("free", shared=True)
    cron.set_clock(59)
    cron.start()
    assert cron.until("free", "ended")[1] == "ran"
    assert cron.until("slow", "not run: it still runs") == cron.lines("slow", "warn")
    assert None not in held


def test_reboot_jobs_run_once_for_each_start_of_the_machine(cron: Cron) -> None:
    cron.crontab("@reboot echo hello")
    first = cron.start()
    cron.until("echo", "ended")
    cron.crontab("@reboot echo hello\nJOB = later\n@reboot echo added")
    wait_for(lambda: "the crontabs were read again: 2 jobs" in cron.log, "the edited crontab")
    first.kill()
    first.wait()
    cron.start().send_signal(SIGHUP)
    wait_for(lambda: "[info] reloaded" in cron.log, "the reload")
    assert cron.lines("echo", "out") == ["hello"]
    assert cron.lines("later") == []


def test_a_crontab_that_is_wrong_changes_nothing(cron: Cron) -> None:
    cron.crontab("* * * * * echo ran")
    cron.set_clock(58)
    agent = cron.start()
    cron.crontab("61 * * * * echo ran")
    agent.send_signal(SIGHUP)
    wait_for(lambda: "reload failed, it goes on as it was" in cron.log, "the refusal")
    assert "minute '61': expected 0 to 59" in cron.log
    cron.until("echo", "ended")


def test_two_agents_are_one_too_many(cron: Cron) -> None:
    cron.crontab("@daily true")
    cron.start()
    shutil.rmtree(cron.records.folder)
    wait_for(lambda: "they are made anew" in cron.log, "the lock")
    second = subprocess.run(
        [sys.executable, str(ROOT / "bin" / "skitaid-cron.py"), "--etc", str(cron.place.etc)],
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "another cron agent has" in second.stderr


STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setsid()
null = os.open("/dev/null", os.O_RDWR)
os.dup2(null, 1)
os.dup2(null, 2)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""


def test_a_time_limit_ends_the_whole_tree(cron: Cron, tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    pid_file = tmp_path / "pid"
    # Its parent ends, so that it is nobody's child and in nobody's group.
    cron.crontab(
        f"TIMEOUT = 2s\nJOB = tree\n@yearly (({sys.executable} {tmp_path}/stubborn.py {pid_file} &) &); sleep 600"
    )
    began = time.monotonic()
    done = cron.run("tree")
    assert done.returncode == 1
    assert "ended by its time limit (TIMEOUT), killed by signal 15" in done.stderr
    assert not is_there(int(pid_file.read_text()))
    assert 2 < time.monotonic() - began < 20


def test_a_job_is_asked_once_to_end(cron: Cron) -> None:
    cron.crontab(
        "TIMEOUT = 1s\nJOB = asked\n"
        "@yearly trap 'echo asked; n=$((n+1))' TERM; n=0; while [ $n = 0 ]; do sleep 0.1; done; sleep 0.5"
    )
    done = cron.run("asked")
    assert done.stdout.splitlines().count("asked") == 1
    assert "ended by its time limit (TIMEOUT), exit code" in done.stderr


def test_a_job_ends_with_its_runner(cron: Cron) -> None:
    cron.crontab("JOB = lost\n@reboot trap 'kill $!' TERM; echo $$; sleep 600 > /dev/null 2>&1 & wait")
    cron.start()
    pid = int(wait_for(lambda: cron.lines("lost", "out"), "the job")[0])
    last = cron.records.last("lost")
    assert last is not None
    assert last.group == pid
    os.kill(last.pid, SIGKILL)
    wait_for(lambda: not is_there(pid), "its end")
    assert any("its runner is gone" in line for line in cron.lines("lost"))


def test_a_job_that_lost_its_runner_while_the_agent_was_away(cron: Cron) -> None:
    cron.crontab("JOB = lost\n@reboot trap '' TERM; echo $$; while :; do sleep 0.2 > /dev/null 2>&1; done")
    agent = cron.start()
    pid = int(wait_for(lambda: cron.lines("lost", "out"), "the job")[0])
    last = cron.records.last("lost")
    assert last is not None
    agent.kill()
    agent.wait()
    os.kill(last.pid, SIGKILL)
    cron.start()
    wait_for(lambda: not is_there(pid), "its end")


def test_nobody_looks_on_any_more(cron: Cron, tmp_path: Path) -> None:
    cron.crontab(f"JOB = chatty\n@yearly for i in $(seq 20); do echo $i; sleep 0.02; done; touch {tmp_path}/done")
    command = [sys.executable, str(PROGRAM), "--etc", str(cron.place.etc), "-f", "cron", "run", "chatty"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
    assert (tmp_path / "done").exists()
    assert cron.lines("chatty", "out")[-1] == "20"


def test_a_terminal_that_is_closed_ends_it(cron: Cron) -> None:
    cron.crontab("JOB = long\n@yearly echo $$; exec sleep 600")
    command = [sys.executable, str(PROGRAM), "--etc", str(cron.place.etc), "-f", "cron", "run", "long"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        pid = int(wait_for(lambda: cron.lines("long", "out"), "the job")[0])
        process.send_signal(SIGHUP)
        process.communicate()
    assert process.returncode == 1
    assert not is_there(pid)


def test_a_job_that_left_a_daemon_behind_has_ended(cron: Cron, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    cron.crontab(f"JOB = starter\n@yearly setsid sh -c 'echo $$ > {pid_file}; exec sleep 600' > /dev/null 2>&1 &")
    assert cron.run("starter").returncode == 0
    pid = int(wait_for(lambda: pid_file.is_file() and pid_file.read_text(), "the daemon"))
    assert is_there(pid)
    os.kill(pid, SIGKILL)


@pytest.mark.parametrize(("number", "is_waited_for"), [(SIGTERM, False), (SIGQUIT, True)])
def test_jobs_when_the_agent_is_stopped(
    cron: Cron, tmp_path: Path, number: signal.Signals, is_waited_for: bool
) -> None:
    go = tmp_path / "go"
    cron.crontab(f"JOB = long\n@reboot echo begun; while [ ! -e {go} ]; do sleep 0.05; done")
    agent = cron.start()
    wait_for(lambda: cron.lines("long", "out"), "its output")
    agent.send_signal(number)
    if is_waited_for:
        wait_for(lambda: "waits for jobs that run: long" in cron.log, "the agent to wait")
        go.touch()
    assert agent.wait(30) == 0
    assert "ended after" in cron.log if is_waited_for else "ended on request, killed by signal 15" in cron.log


def test_a_machine_s_start_is_its_own(cron: Cron) -> None:
    cron.crontab(
        "ONE_MACHINE = yes\nJOB = hello\n@reboot echo ran", f"[state]\nbackend = redis://127.0.0.1:{free_port()}/0"
    )
    cron.start()
    cron.until("hello", "ended")
    assert cron.lines("hello", "out") == ["ran"]


@pytest.mark.parametrize("answer", [b"nonsense\r\n", b":1\r\n", b"+PONG\r\n" * 2, b"*1\r\n" * 5000, b""])
def test_what_answers_is_no_redis(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_once, args=(server, answer))
        thread.start()
        with pytest.raises(ClaimError, match="backend does not answer"):
            claim(f"redis://127.0.0.1:{server.getsockname()[1]}/0", "job", 5.0)
        thread.join(10)


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(answer)


def test_one_machine_of_two_runs_it(tmp_path: Path) -> None:
    program = shutil.which("redis-server")
    assert program, "redis-server is missing: tests/requirements-apt.txt names the package"
    port = free_port()
    redis = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    machines = [Cron(tmp_path / name) for name in ("a", "b")]
    try:
        wait_for(lambda: _answers(port), "redis")
        for machine in machines:
            machine.crontab(
                "ONE_MACHINE = yes\nJOB = tick\n* * * * * echo ran", f"[state]\nbackend = redis://127.0.0.1:{port}/0"
            )
            machine.set_clock(58)
            machine.start()
        wait_for(lambda: all(machine.lines("tick") for machine in machines), "both machines")
        wait_for(lambda: any("ended after" in machine.log for machine in machines), "the end of the job")
        assert sorted(len(machine.lines("tick", "out")) for machine in machines) == [0, 1]
        assert "another machine runs it" in "".join(machine.log for machine in machines)
        redis.kill()
        redis.wait()
        alone = machines[0]
        alone.stop()
        alone.ahead_s += 60  # a minute that came while it was away
        alone.start()
        alone.until("tick", "not run, as another machine may run it: Redis of [state] backend does not answer")
    finally:
        redis.kill()
        redis.wait()
        for machine in machines:
            machine.end()


def _answers(port: int) -> bool:
    import redis

    try:
        return bool(redis.Redis(port=port).ping())
    except redis.ConnectionError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_site_s_job_runs_as_the_site(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    cron = Cron(tmp_path / "x")
    cron.crontab("@yearly true")
    home = pwd.getpwnam("nobody").pw_dir
    more = "[environment]\nCOLOUR = blue\n[crontab:line]\nJOB = who\n@yearly id -un; pwd; echo $COLOUR $USER $HOME"
    cron.place.conf(f"[server]\nport = 0\nuser = nobody\ndirectory = /tmp\n{more}\n", "shop")
    done = cron.run("who")
    assert done.stdout.splitlines() == ["nobody", "/tmp", f"blue nobody {home}"]
    assert "[out:shop:who] nobody" in cron.log


def test_a_restart_leaves_jobs_alone(tmp_path: Path) -> None:
    place, go = Place(tmp_path), tmp_path / "go"
    (place.etc / "skitaid.conf").write_text(
        f"[crontab:line]\nJOB = long\n@reboot echo begun; while [ ! -e {go} ]; do sleep 0.05; done; echo done\n"
    )
    daemon = Daemon(place)
    log = tmp_path / "var" / "log" / "daemons" / "cron" / "cron.log"
    try:
        daemon.start()
        wait_for(lambda: "[out:long] begun" in log.read_text(), "the job")
        assert daemon("restart").returncode == 0
        assert "still runs, begun by the agent before this one" in log.read_text()
        go.touch()
        wait_for(lambda: "ended after" in log.read_text(), "its end")
        assert log.read_text().count("[out:long] begun") == log.read_text().count("[out:long] done") == 1
    finally:
        go.touch()
        daemon.end()


def test_the_daemon_s_cron(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.etc / "skitaid.conf").write_text("[crontab:line]\n@reboot echo hello\n0 0 1 1 * true\n")
    daemon = Daemon(place)
    try:
        daemon.start()
        wait_for(lambda: "[out:echo] hello" in daemon("-f", "cron", "log").stdout, "the job")
        assert "2 jobs, next true at" in daemon("-f", "cron", "status").stdout
        assert daemon("-f", "cron", "reload").stdout.splitlines() == ["cron: reloaded"]
        daemon("-f", "cron", "restart")
        assert daemon("-f", "cron", "log").stdout.count("[out:echo] hello") == 1
        assert "ended well" in daemon("-f", "cron", "list").stdout
    finally:
        daemon.end()
