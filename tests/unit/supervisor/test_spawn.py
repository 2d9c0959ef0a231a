from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from skitaid.supervisor.spawn import BOOT, Command, Pipes, SpawnError, interpreter, spawn

TELL = """
import os, signal, sys
print(sys.argv[1:], os.getsid(0) == os.getpid(), sys.stdin.read() == "", signal.getsignal(signal.SIGINT))
print(sorted(name for name in os.environ if name.startswith(("SKITAID_", "FOO", "NOTIFY"))))
for name in ("SKITAID_CHANNEL_FD", "SKITAID_LIFELINE_FD", "SKITAID_REPORT_FD", "SKITAID_SCOREBOARD_FD"):
    os.fstat(int(os.environ[name]))
print(sorted(number.name for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())))
try:
    os.fstat(int(os.environ["FOO_SECRET_FD"]))
except OSError:
    print("closed")
"""


def command(tmp_path: Path, python: str = sys.executable, **environment: str) -> Command:
    boot = tmp_path / "boot.py"
    boot.write_text(TELL)
    return Command(python, boot, "site", Path("/etc/x"), True, tuple(environment.items()))


def test_the_child_gets_its_pipes_and_nothing_else(tmp_path: Path) -> None:
    pipes, output = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)], tmp_path / "out"
    stderr = os.open(output, os.O_WRONLY | os.O_CREAT)
    secret = os.open(os.devnull, os.O_RDONLY)
    pid = spawn(
        command(tmp_path, FOO="1", FOO_SECRET_FD=str(secret), SKITAID_REPORT_FD="99", SKITAID_X="1"),
        Pipes(*pipes[:3], stderr, pipes[3]),
        {"PATH": "/bin", "NOTIFY_SOCKET": "/n"},
    )
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, output.read_text()
    assert output.read_text().splitlines() == [
        "['-f', 'site', '--etc', '/etc/x', '-v'] True True <built-in function default_int_handler>",
        "['FOO', 'FOO_SECRET_FD', 'SKITAID_CHANNEL_FD', 'SKITAID_LIFELINE_FD', 'SKITAID_PATH', 'SKITAID_REPORT_FD', "
        "'SKITAID_SCOREBOARD_FD']",
        "['SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']",
        "closed",
    ]
    assert not any(os.get_inheritable(fd) for fd in pipes)
    for fd in (*pipes, stderr, secret):
        os.close(fd)


@pytest.mark.parametrize("content", [None, "not a program"])
def test_no_such_interpreter_is_permanent(tmp_path: Path, content: str | None) -> None:
    python = tmp_path / "python"
    if content is not None:
        python.write_text(content)
    fd = os.open(os.devnull, os.O_RDWR)
    with pytest.raises(SpawnError, match=f"cannot execute {python}") as caught:
        spawn(command(tmp_path, str(python)), Pipes(fd, fd, fd, fd))
    assert caught.value.is_permanent
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_interpreter(tmp_path: Path) -> None:
    assert interpreter(None, "/usr/bin/python3") == "/usr/bin/python3"
    assert interpreter("/opt/python", "/usr/bin/python3") == "/opt/python"
    assert interpreter(str(tmp_path), "/usr/bin/python3") == f"{tmp_path}/bin/python"


def test_a_master_in_another_environment_is_told_where_our_packages_are(tmp_path: Path) -> None:
    told = command(tmp_path).environ({})["SKITAID_PATH"].split(os.pathsep)
    assert any(Path(folder, "pytest").is_dir() for folder in told)


def test_program_of_a_master() -> None:
    assert BOOT.parts[-3:] == ("skitaid", "instance", "boot.py")
