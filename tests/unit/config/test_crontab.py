from __future__ import annotations

from typing import Any

import pytest

from skitaid.config.cronexpression import parse_expression
from skitaid.config.crontab import CronJob, parse_crontab
from skitaid.config.model import CrontabLine, Origin


def jobs(*lines: str) -> tuple[CronJob, ...]:
    """Of lines that are all right."""
    told: list[str] = []
    found = parse_crontab(map(CrontabLine, lines), lambda line, error: told.append(f"{line.text}: {error}"))
    assert told == []
    return found


def told(*lines: str) -> list[tuple[int, str]]:
    numbered = [CrontabLine(text, Origin("conf", number)) for number, text in enumerate(lines, 1)]
    found: list[tuple[int, str]] = []
    parse_crontab(numbered, lambda line, error: found.append((line.origin.line, str(error))))
    return found


def test_a_job() -> None:
    (job,) = jobs("*/5 9-17 * * mon-fri /usr/bin/report --day  today ; echo done")
    assert job.when == "*/5 9-17 * * mon-fri"
    assert job.expression == parse_expression("*/5 9-17 * * 1-5")
    assert job.command == "/usr/bin/report --day  today ; echo done"
    assert job.name == "report"


def test_macros() -> None:
    daily, reboot = jobs("@daily /bin/a", "@reboot /bin/b -x")
    assert daily.expression == parse_expression("0 0 * * *")
    assert reboot.expression is None
    assert (reboot.when, reboot.command) == ("@reboot", "/bin/b -x")


@pytest.mark.parametrize(
    ("line", "command", "stdin"),
    [
        ("mail root%Hello%%there", "mail root", "Hello\n\nthere\n"),
        (r"date +\%Y-\%m", "date +%Y-%m", ""),
        (r"tee \%.txt%100\%", "tee %.txt", "100%\n"),
        ("cat%", "cat", ""),
        ("cat%a%", "cat", "a\n"),
        ("cat%a%%", "cat", "a\n\n"),
    ],
)
def test_percent_signs(line: str, command: str, stdin: str) -> None:
    (job,) = jobs(f"* * * * * {line}")
    assert (job.command, job.stdin) == (command, stdin)


@pytest.mark.parametrize(
    ("setting", "attribute", "value"),
    [
        ("CRON_TZ=Europe/Berlin", "zone", "Europe/Berlin"),
        ('CRON_TZ = "UTC"', "zone", "UTC"),
        ("OVERLAP=yes", "may_overlap", True),
        ("TIMEOUT=90m", "timeout_s", 5400.0),
        ("TIMEOUT=0", "timeout_s", 0.0),
        ("JITTER=30", "jitter_s", 30.0),
        ("MAILTO=a@example.com, root", "mail_to", ("a@example.com", "root")),
        ('MAILTO=""', "mail_to", ()),
        ("ONE_MACHINE=yes", "on_one_machine", True),
    ],
)
def test_settings_hold_for_the_lines_below(setting: str, attribute: str, value: Any) -> None:
    above, below, last = jobs("@daily a", setting, "@daily b", "@daily c")
    assert getattr(above, attribute) == getattr(CronJob("a", "", "", None), attribute)
    assert getattr(below, attribute) == value
    assert getattr(last, attribute) == value


def test_other_names_are_the_environment() -> None:
    first, second = jobs("LANG=C", "@daily a", "PATH='/usr/bin:/bin'", "LANG=de_DE.UTF-8", "@daily b")
    assert dict(first.environment) == {"LANG": "C"}
    assert dict(second.environment) == {"LANG": "de_DE.UTF-8", "PATH": "/usr/bin:/bin"}


def test_names() -> None:
    found = jobs(
        "@daily /opt/backup a", "JOB=nightly", "@daily /opt/backup b", "@daily X=1 /opt/backup c", "@daily (ls)"
    )
    assert [job.name for job in found] == ["backup", "nightly", "backup-2", "ls"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("61 * * * * x", "minute '61'"),
        ("* * * * *", "too short"),
        ("@daily", "@daily has no command"),
        ("@never x", "@never is unknown"),
        ("* * * * * %x", "no command stands before the %"),
        ("CRON_TZ=Mars/Base", "CRON_TZ 'Mars/Base': expected a time zone"),
        ("CRON_TZ=../../etc/passwd", "CRON_TZ"),
        ("TIMEOUT=soon", "TIMEOUT 'soon': expected seconds"),
        ("OVERLAP=", "OVERLAP ''"),
        ("MAILTO=a b", "MAILTO 'a b': expected addresses"),
        ("JOB=a b", "JOB 'a b' is not a name"),
        ("0 0 30 2 * x", "no such day"),
    ],
)
def test_lines_that_do_not_fit_are_told_and_the_others_kept(line: str, words: str) -> None:
    ((number, text),) = told("@daily a", line, "@daily b")
    assert number == 2
    assert words in text


def test_two_jobs_of_one_name() -> None:
    ((number, text),) = told("JOB=a", "@daily x", "JOB=a", "@daily y")
    assert number == 3
    assert "name of a job above" in text
