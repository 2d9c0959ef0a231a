from __future__ import annotations

import os
import resource
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from skitaid.cli import doctor, doctor_instance, doctor_machine
from skitaid.cli.finding import Finding, Level, fine, warning, wrong
from skitaid.cli.options import parse
from skitaid.cli.session import Session
from skitaid.cli.style import PLAIN
from skitaid.config.load import default_main
from skitaid.config.model import (
    AppTarget,
    Certificate,
    Global,
    Host,
    Instance,
    Listen,
    Main,
    Mount,
    Server,
    Smtpda,
    StaticTarget,
)
from skitaid.exceptions import Problem, RefusedError
from skitaid.supervisor import lock
from tests.certificates import make
from tests.unit.rights import as_nobody


@pytest.fixture
def main(tmp_path: Path) -> Main:
    etc = tmp_path / "etc"
    (etc / "servers-enabled").mkdir(parents=True)
    return default_main(etc)


def instance(**server: object) -> Instance:
    return Instance("shop", Path("/etc/shop.conf"), Server(**server))  # type: ignore[arg-type]


def levels(findings: list[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def hint(words: str) -> str:
    return f"skitaid {words}"


def test_the_text_lines_up_and_counts() -> None:
    findings = [fine("log_path", "/var/log is writable"), warning("a", "odd", "mend it"), wrong("b", "bad", "redo it")]
    assert doctor.text(findings, PLAIN) == [
        "ok       log_path  /var/log is writable",
        "warning  a         odd",
        "                   fix: mend it",
        "wrong    b         bad",
        "                   fix: redo it",
        "",
        "1 wrong, 1 to think about.",
    ]
    assert doctor.text([fine("a", "b")], PLAIN)[-1] == "Everything is in order."


def test_too_few_open_files_are_a_warning() -> None:
    assert doctor_machine.check_file_limit(1024).level is Level.WARNING
    assert "ulimit -n 4096" in doctor_machine.check_file_limit(1024).fix
    assert doctor_machine.check_file_limit(65536).level is Level.FINE


def test_the_limit_that_counts_is_the_one_an_instance_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 20000))
    assert doctor_machine.check_file_limit() == fine("open files", "20000 allowed")


def test_folders_may_be_missing_but_not_files(main: Main, tmp_path: Path) -> None:
    assert levels(list(doctor_machine.check_folders(main))) == [Level.FINE] * 3
    (tmp_path / "var").write_text("in the way")
    assert levels(list(doctor_machine.check_folders(main))) == [Level.WRONG] * 3


def test_a_socket_left_behind_is_named(main: Main) -> None:
    run_path = main.global_.run_path
    assert "does not run" in next(doctor_machine.check_daemon(main, hint)).text
    run_path.mkdir(parents=True)
    (run_path / "skitaid.sock").touch()
    (found,) = doctor_machine.check_daemon(main, hint)
    assert found.level is Level.WARNING
    assert "skitaid start replaces it" in found.fix


def test_the_daemon_of_another_user_is_not_judged(main: Main) -> None:
    lock.release(lock.acquire(main.global_.run_path))
    (main.global_.run_path / lock.LOCK_FILE).chmod(0)

    def ask() -> str:
        with pytest.raises(RefusedError, match="belongs to another user; ask as that user or as root"):
            doctor.refuse_others(main)
        return "refused"

    assert as_nobody(ask) == "refused"


def test_a_daemon_without_its_socket_is_wrong(main: Main) -> None:
    held = lock.acquire(main.global_.run_path)
    try:
        (found,) = doctor_machine.check_daemon(main, hint)
        assert found.level is Level.WRONG
        assert "skitaid.pid" in found.fix
        (main.global_.run_path / "skitaid.sock").touch()
        (found,) = doctor_machine.check_daemon(main, hint)
        assert found.level is Level.FINE
    finally:
        lock.release(held)


def test_the_folder_of_the_mail_agent_is_looked_at(main: Main) -> None:
    assert list(doctor_machine.check_agents(main)) == []
    with_mail = Main(main.global_, main.etc, smtpda=Smtpda())
    assert [finding.subject for finding in doctor_machine.check_agents(with_mail)] == ["spool"]


def test_a_command_to_type_survives_odd_names(main: Main, tmp_path: Path) -> None:
    held = lock.acquire(tmp_path / "run it")
    try:
        there = replace(main, global_=replace(main.global_, run_path=tmp_path / "run it"))
        (found,) = doctor_machine.check_daemon(there, hint)
    finally:
        lock.release(held)
    assert f"cat '{tmp_path}/run it'/skitaid.pid" in found.fix


def test_an_address_in_use_is_wrong_unless_the_daemon_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listen = Listen("127.0.0.1", server.getsockname()[1])
        found = doctor_instance.check_address(instance(), listen, is_running=False)
        assert (found.level, "ss -ltnp" in found.fix) == (Level.WRONG, True)
        assert doctor_instance.check_address(instance(), listen, is_running=True).level is Level.FINE
    assert doctor_instance.check_address(instance(), Listen("127.0.0.1", 0), is_running=False).level is Level.FINE
    assert doctor_instance.check_address(instance(), Listen("192.0.2.1", 0), is_running=False).level is Level.WRONG


def test_an_interpreter_is_run(main: Main, tmp_path: Path) -> None:
    assert doctor_instance.check_python(instance(), main).level is Level.FINE
    assert doctor_instance.check_python(instance(python=sys.executable), main).level is Level.FINE
    assert doctor_instance.check_python(instance(python=str(tmp_path)), main).level is Level.WRONG
    assert doctor_instance.check_python(instance(python="/bin/false"), main).level is Level.WRONG
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\necho 3 8 1\n")
    old.chmod(0o755)
    assert "is too old" in doctor_instance.check_python(instance(python=str(old)), main).text
    odd = tmp_path / "odd"
    odd.write_text("#!/bin/sh\necho hello\n")
    odd.chmod(0o755)
    assert doctor_instance.check_python(instance(python=str(odd)), main).level is Level.WRONG


def test_what_is_served_must_be_readable_for_the_workers_user(main: Main, tmp_path: Path) -> None:
    open_folder, closed = tmp_path / "open", tmp_path / "closed"
    for folder, mode in ((open_folder, 0o755), (closed, 0o700)):
        folder.mkdir()
        folder.chmod(mode)
    mounts = (Mount("/", AppTarget(closed / "app.py")), Mount("/static", StaticTarget(open_folder)))
    served = Instance("shop", tmp_path, Server(user="nobody"), hosts=(Host(mounts=mounts),))
    assert doctor_instance.mounted(served) == [str(closed / "app.py"), str(open_folder)]
    found = list(doctor_instance.check_reach(served, main))
    if os.geteuid() != 0:
        assert found == []  # nobody but root becomes another user
    else:
        assert found
        assert {finding.level for finding in found} == {Level.WRONG}
        assert all(finding.text.startswith("user nobody cannot ") for finding in found)


def test_a_certificate_must_be_readable(tmp_path: Path) -> None:
    missing = Certificate(tmp_path / "a.pem")
    (found,) = doctor_instance.check_certificate("shop", missing)
    assert (found.level, "No such file" in found.text) == (Level.WRONG, True)


def test_a_self_signed_certificate_is_not_for_visitors(tmp_path: Path) -> None:
    certfile, keyfile = make("a.example", days=(-1, 10)).write(tmp_path, "a")
    ends, signed = doctor_instance.check_certificate("shop", Certificate(certfile, keyfile))
    assert (ends.level, signed.level) == (Level.WARNING, Level.WARNING)
    assert "ends in 9 days" in ends.text
    assert "self-signed" in signed.text


@pytest.mark.parametrize(
    ("left_s", "level"),
    [
        (-86400.0, Level.WRONG),
        (3600.0, Level.WARNING),
        (13 * 86400.0, Level.WARNING),
        (15 * 86400.0, Level.FINE),
    ],
)
def test_a_certificate_s_end_is_foreseen(left_s: float, level: Level) -> None:
    assert doctor_instance.expiry_finding("shop", Path("/a.pem"), left_s).level is level


def test_it_looks_at_everything_and_says_it_is_wrong(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    enabled = main.etc / "servers-enabled"
    (enabled / "shop.conf").write_text("[server]\nip = 127.0.0.1\nport = 0\n")
    assert doctor.run(Session(parse(["doctor"]), main.etc)) == 0
    assert "shop" in capsys.readouterr().out
    (enabled / "bad.conf").write_text("[server]\nprot = 1\n")
    assert doctor.run(Session(parse(["doctor"]), main.etc)) == 1
    assert "unknown key" in capsys.readouterr().out
    assert doctor.run(Session(parse(["-f", "shop", "doctor"]), main.etc)) == 0
    assert "bad" not in capsys.readouterr().out


def test_no_daemon_runs_no_instance(main: Main) -> None:
    assert doctor.running_instances(Main(Global(main.etc, main.etc, main.etc), main.etc)) == set()


def test_of_a_conf_that_cannot_be_used_an_error_is_shown_and_not_a_warning(main: Main) -> None:
    """As of two confs with one address, run as root."""
    for name in ("blog", "shop"):
        (main.etc / "servers-enabled" / f"{name}.conf").write_text("[server]\nport = 5000\n")
    found = doctor.examine(Session(parse(["doctor"]), main.etc))
    (shop,) = [finding for finding in found if finding.subject == "shop"]
    assert "is taken by instance blog" in shop.text and shop.fix == "skitaid -f shop check"


def test_a_warning_about_a_whole_file_names_no_line(main: Main) -> None:
    odd = replace(instance(), warnings=(Problem("/etc/shop.conf", 0, "nothing is mounted", is_warning=True),))
    (finding,) = doctor_instance.check_conf(odd)
    assert finding.text == "/etc/shop.conf: nothing is mounted"
