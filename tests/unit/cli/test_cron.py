"""The commands of the cron agent that need no daemon: list and next, and which job `run` means."""

from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.agents.cron.records import Last, Records
from skitaid.cli import cron_list, cron_next
from skitaid.cli.cron_jobs import jobs, records
from skitaid.cli.cron_list import outcome
from skitaid.cli.cron_run import choose
from skitaid.cli.main import main
from skitaid.cli.options import UsageError, parse
from skitaid.cli.session import Session
from skitaid.exceptions import RefusedError

CRONTAB = """
[crontab:line]
CRON_TZ = UTC
0 3 * * * /bin/backup
@reboot /bin/hello
CRON_TZ = Asia/Seoul
30 3 * * mon /bin/report --to everybody --with everything --that is long, and longer
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "etc" / "servers-enabled").mkdir(parents=True)
    (tmp_path / "etc" / "skitaid.conf").write_text(CRONTAB)
    (tmp_path / "etc" / "servers-enabled" / "shop.conf").write_text("[crontab:line]\n@hourly backup\n")
    return tmp_path / "etc"


def session(etc: Path, *words: str) -> Session:
    return Session(parse(["-f", "cron", *words]), etc)


def printed(etc: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert cron_next.run(session(etc, "next", *words)) == 0
    return capsys.readouterr().out.splitlines()


def test_next_of_an_expression(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    berlin = ("--tz", "Europe/Berlin")
    assert printed(etc, capsys, "30 2 * * *", "--after", "2025-03-29T12:00", *berlin, "-n", "2") == [
        "2025-03-30T03:00:00+02:00",
        "2025-03-31T02:30:00+02:00",
    ]
    assert printed(etc, capsys, "@daily", "--after", "2025-03-29T23:30:00Z", *berlin, "--count", "1") == [
        "2025-03-31T00:00:00+02:00"
    ]
    assert len(printed(etc, capsys, "* * * * *")) == 5


def test_next_of_all_jobs(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(etc, capsys, "--after", "2025-05-04T01:30:00Z", "--tz", "UTC", "-n", "4") == [
        "2025-05-04T02:00:00+00:00 shop:backup",
        "2025-05-04T03:00:00+00:00 backup",
        "2025-05-04T03:00:00+00:00 shop:backup",
        "2025-05-04T04:00:00+00:00 shop:backup",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("60 * * * *",), "minute '60': expected 0 to 59"),
        (("",), "has 0 fields"),
        (("@reboot",), "@reboot has no times"),
        (("* * * * *", "--tz", "Mars/Base"), "--tz Mars/Base: no such time zone"),
        (("* * * * *", "--tz", "../etc/passwd"), "no such time zone"),
        (("* * * * *", "--after", "noon"), "--after noon: expected a time in ISO form"),
        (("* * * * *", "-n", "0"), "--count 0: expected a number from 1"),
    ],
)
def test_what_next_refuses(etc: Path, words: tuple[str, ...], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        cron_next.run(session(etc, "next", *words))
    assert expected in str(caught.value)


def test_an_invalid_expression_is_exit_code_2(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--etc", str(etc), "-f", "cron", "next", "1.5 * * * *"]) == 2
    assert "minute '1.5'" in capsys.readouterr().err
    assert main(["--etc", str(etc), "-f", "cron", "next", "-1 * * * *"]) == 2


@pytest.mark.parametrize("command", ["list", "next"])
def test_these_are_commands_of_the_agent(etc: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--etc", str(etc), "-f", "shop", command]) == 2
    assert f"-f cron {command}" in capsys.readouterr().err


def test_list_shows_every_job(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = records(jobs(session(etc, "list"))[0])
    kept.make()
    kept.note_last("backup", Last(1, 0.0, 1.0, 3))
    assert cron_list.run(session(etc, "list")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["JOB", "backup", "hello", "report", "shop:backup"]
    assert "exit code 3" in lines[1]
    assert "when the machine starts" in lines[2]
    assert "KST" in lines[3]
    assert lines[3].endswith("...")


def test_nothing_to_list(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (etc / "skitaid.conf").write_text("")
    (etc / "servers-enabled" / "shop.conf").unlink()
    assert cron_list.run(session(etc, "list")) == 0
    assert capsys.readouterr().out.startswith("No job: write [crontab:line]")


@pytest.mark.parametrize(
    ("last", "runs", "expected"),
    [
        (Last(1, 0.0), True, "runs"),
        (Last(1, 0.0), False, "was cut off"),
        (Last(1, 0.0, 1.0, 0), False, "ended well"),
        (Last(1, 0.0, 1.0, 7), False, "exit code 7"),
        (Last(1, 0.0, 1.0, -9), False, "signal 9"),
    ],
)
def test_how_a_job_ended(last: Last, runs: bool, expected: str) -> None:
    assert outcome(last, runs=runs)[0] == expected


def test_which_job_is_meant(etc: Path) -> None:
    _, works = jobs(session(etc, "list"))
    assert choose(works, "backup").owner == ""
    assert choose(works, "shop:backup").owner == "shop"
    with pytest.raises(RefusedError, match="did you mean report"):
        choose(works, "raport")
    with pytest.raises(UsageError, match="which job"):
        from skitaid.cli import cron_run

        cron_run.run(session(etc, "run"))


def test_a_job_that_runs_is_refused(etc: Path) -> None:
    main_conf, works = jobs(session(etc, "list"))
    kept: Records = records(main_conf)
    kept.make()
    assert kept.take("backup") is not None
    from skitaid.cli.cron_run import run_job

    with pytest.raises(RefusedError, match="runs already"):
        run_job(works["backup"], main_conf)
