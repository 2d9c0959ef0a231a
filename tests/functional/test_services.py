"""init.d/skitaid answers as the LSB says, and systemd accepts the unit."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "init.d" / "skitaid"
UNIT = ROOT / "systemd" / "skitaid.service"

# What the script needs of the daemon's command line, without the daemon: `up` is the state, `calls` the history.
STAND_IN = """#!/bin/sh
echo "$1" >>"$STATE/calls"
case "$1" in
status) [ -e "$STATE/up" ] ;;
start) [ -z "$START_CODE" ] || exit "$START_CODE"; touch "$STATE/up" ;;
stop) rm "$STATE/up" ;;
esac
"""


class Service:
    """The init script with a stand-in for the daemon, and for `id` so that it needs no root to be tested."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid_file = folder / "skitaid.pid"
        self.daemon = folder / "skitaid"
        self._program(self.daemon, STAND_IN)
        self.user(0)

    def _program(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def user(self, number: int) -> None:
        self._program(self.folder / "id", f"#!/bin/sh\necho {number}\n")

    def is_up(self) -> bool:
        return (self.folder / "up").exists()

    def calls(self) -> list[str]:
        """What the daemon was asked for, but for the questions after its state."""
        calls = self.folder / "calls"
        words = calls.read_text(encoding="utf-8").split() if calls.exists() else []
        return [word for word in words if word != "status"]

    def __call__(self, *arguments: str, start_code: str = "") -> int:
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "STATE": str(self.folder),
            "START_CODE": start_code,
            "DAEMON": str(self.daemon),
            "PIDFILE": str(self.pid_file),
        }
        done = subprocess.run([SCRIPT, *arguments], env=environment, check=False, capture_output=True, text=True)
        self.said = done.stdout + done.stderr
        return done.returncode


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def test_start_and_stop(service: Service) -> None:
    assert service("start") == 0
    assert service.is_up()
    assert service("stop") == 0
    assert not service.is_up()
    assert service.calls() == ["start", "stop"]


def test_start_of_what_runs_and_stop_of_what_does_not_are_fine(service: Service) -> None:
    assert service("stop") == 0
    assert service("start") == service("start") == 0
    assert service.calls() == ["start"]


def test_restart_stops_and_starts(service: Service) -> None:
    service("start")
    assert service("restart") == 0
    assert service.calls() == ["start", "stop", "start"]
    assert service.is_up()


def test_status_codes(service: Service) -> None:
    assert service("status") == 3
    service("start")
    service.pid_file.write_text("1\n", encoding="ascii")
    assert service("status") == 0
    (service.folder / "up").unlink()
    assert service("status") == 1, "it died and left its pid file"


def test_reload_needs_one_that_runs(service: Service) -> None:
    assert service("reload") == 7
    service("start")
    assert service("reload") == 0
    assert service.calls() == ["start", "reload"]


def test_force_reload_starts_what_does_not_run(service: Service) -> None:
    assert service("force-reload") == 0
    assert service("force-reload") == 0
    assert service.calls() == ["start", "reload"]


@pytest.mark.parametrize(("code", "expected"), [("1", 1), ("2", 6)])
def test_a_start_that_fails(service: Service, code: str, expected: int) -> None:
    assert service("start", start_code=code) == expected


@pytest.mark.parametrize("arguments", [(), ("bogus",)])
def test_wrong_arguments(service: Service, arguments: tuple[str, ...]) -> None:
    assert service(*arguments) == 2
    assert "start|stop|restart|reload|force-reload|status" in service.said


@pytest.mark.parametrize("command", ["start", "stop", "restart", "reload", "force-reload"])
def test_only_root_may_change_anything(service: Service, command: str) -> None:
    service.user(1000)
    assert service(command) == 4
    assert service.calls() == []


def test_everybody_may_ask_for_the_status(service: Service) -> None:
    service.user(1000)
    assert service("status") == 3


def test_a_daemon_that_is_not_installed(service: Service) -> None:
    service.daemon.unlink()
    assert service("start") == 5
    assert service("stop") == 0


def test_the_lsb_header_is_complete() -> None:
    header = SCRIPT.read_text(encoding="utf-8").partition("### BEGIN INIT INFO\n")[2].partition("### END INIT INFO")[0]
    keys = re.findall(r"^# ([\w-]+):", header, re.MULTILINE)
    needed = ["Provides", "Required-Start", "Required-Stop", "Default-Start", "Default-Stop", "Short-Description"]
    assert set(needed) <= set(keys)


# ---------------------------------------------------------------- with the daemon itself

CONF = """[server]
listen = 127.0.0.1:0
[routes:line]
/ = static
"""


class RealService(Service):
    """The init script with the checkout's daemon, its conf and run folder in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        enabled = folder / "etc" / "servers-enabled"
        (enabled / "static").mkdir(parents=True)
        (enabled / "site.conf").write_text(CONF, encoding="utf-8")
        self.pid_file = folder / "var" / "run" / "skitaid.pid"
        command = shlex.join([sys.executable, str(ROOT / "bin" / "skitaid.py"), "--etc", str(folder / "etc")])
        self._program(self.daemon, f'#!/bin/sh\nexec {command} "$@"\n')

    def kill(self) -> None:
        """As a crash would: no time to tidy up. Returns when the kernel has let go of the daemon's lock."""
        os.kill(int(self.pid_file.read_text(encoding="ascii")), signal.SIGKILL)
        lock = os.open(self.pid_file.with_name("skitaid.lock"), os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        finally:
            os.close(lock)


@pytest.fixture
def real_service(tmp_path: Path) -> Iterator[RealService]:
    service = RealService(tmp_path)
    yield service
    service("stop")


def test_the_daemon_under_the_init_script(real_service: RealService) -> None:
    assert real_service("status") == 3
    assert real_service("start") == 0, real_service.said
    assert real_service("start") == 0
    assert real_service("status") == 0
    assert "site" in real_service.said
    assert real_service("reload") == 0, real_service.said
    assert real_service("stop") == 0, real_service.said
    assert real_service("status") == 3


def test_a_daemon_that_was_killed_is_dead_with_a_pid_file_and_starts_again(real_service: RealService) -> None:
    assert real_service("start") == 0, real_service.said
    real_service.kill()
    assert real_service("status") == 1
    assert real_service("start") == 0, real_service.said
    assert real_service("status") == 0


# ---------------------------------------------------------------- systemd


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "skitaid"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    copy = tmp_path / "skitaid.service"
    copy.write_text(UNIT.read_text(encoding="utf-8").replace("/usr/local/bin/skitaid", str(program)), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", copy], check=False, capture_output=True, text=True)
    own = [line for line in done.stderr.splitlines() if "skitaid" in line]
    assert own == []


def test_the_unit_starts_what_the_command_line_knows() -> None:
    from skitaid.cli.options import parse

    found = re.search(r"^ExecStart=/usr/local/bin/skitaid (.+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    options = parse(found.group(1).split())
    assert options.command.name == "start"
    assert options.verbose, "systemd wants it in the foreground"


def test_the_unit_reloads_with_what_the_command_line_knows() -> None:
    from skitaid.cli.options import parse

    found = re.search(r"^ExecReload=/usr/local/bin/skitaid (.+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    assert parse(found.group(1).split()).command.name == "reload"
