from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from skitaid.config.model import Listen
from skitaid.exceptions import ConfError
from skitaid.instance.arguments import RUN_LOG, RUN_PORT, Arguments, parse
from skitaid.supervisor.spawn import BOOT, Command


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    etc = tmp_path / "etc"
    (etc / "servers-enabled").mkdir(parents=True)
    (etc / "static").mkdir()
    return etc


def write(etc: Path, server: str) -> None:
    (etc / "servers-enabled" / "site.conf").write_text(f"[server]\n{server}\n[routes:line]\n/ = ../static\n")


@pytest.mark.parametrize("verbose", [True, False])
def test_what_a_command_writes_is_read(verbose: bool) -> None:
    command = Command("python", BOOT, "site", Path("/etc/skitaid"), verbose=verbose)
    assert parse(command.argv[2:], {}) == Arguments("site", Path("/etc/skitaid"), verbose)


def test_a_run_in_the_foreground_has_its_own_port_and_logs() -> None:
    found = parse(["-f", "site", "--etc", "/etc"], {RUN_LOG: "/logs", RUN_PORT: "5001"})
    assert (found.log_folder, found.port) == (Path("/logs"), 5001)
    assert parse(["-f", "site", "--etc", "/etc"], {RUN_PORT: "many"}).port is None


@pytest.mark.parametrize("argv", [[], ["-f"], ["-f", "site"], ["--etc", "/etc"]])
def test_a_wrong_command_line_is_exit_code_2(argv: list[str]) -> None:
    with pytest.raises(ValueError, match="expected -f NAME --etc DIR"):
        parse(argv, {})
    done = subprocess.run([sys.executable, str(BOOT), *argv], text=True, capture_output=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("expected -f NAME --etc DIR\n")


def test_the_folders_of_an_instance(etc: Path) -> None:
    write(etc, "port = 5005")
    conf = Arguments("site", etc).load()
    assert conf.log_folder == etc.parent / "var" / "log" / "instances" / "site"
    assert conf.var_folder == etc.parent / "var" / "lib" / "instances" / "site"
    assert Arguments("site", etc, log_folder=Path("/logs")).load().log_folder == Path("/logs")


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1:5000", [Listen("127.0.0.1", 6000)]),
        ("127.0.0.1:5000, [::1]:5001", [Listen("127.0.0.1", 6000)]),
        ("unix:/tmp/a.sock, 127.0.0.1:5000", [Listen(path="/tmp/a.sock"), Listen("127.0.0.1", 6000)]),
        ("unix:/tmp/a.sock", [Listen(path="/tmp/a.sock")]),
    ],
)
def test_another_port_takes_the_place_of_the_first(etc: Path, listen: str, expected: list[Listen]) -> None:
    write(etc, f"listen = {listen}")
    found = Arguments("site", etc, port=6000).load().instance.server.listen
    assert list(map(str, found)) == list(map(str, expected))


def test_every_load_reads_anew(etc: Path) -> None:
    arguments = Arguments("site", etc)
    write(etc, "processes = 1")
    assert arguments.load().instance.server.processes == 1
    write(etc, "processes = 2")
    assert arguments.load().instance.server.processes == 2
    write(etc, "prot = 1")
    with pytest.raises(ConfError, match=r"site\.conf:2: \[server\] prot: unknown key"):
        arguments.load()
    (etc / "servers-enabled" / "site.conf").unlink()
    with pytest.raises(ConfError, match="there is no such file"):
        arguments.load()
