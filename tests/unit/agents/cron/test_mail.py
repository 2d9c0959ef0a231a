from __future__ import annotations

import email.policy
import json
from pathlib import Path

import pytest

from skitaid.agents.cron.mail import send_mail
from skitaid.agents.cron.runner import Result
from skitaid.agents.cron.work import Work, environ_of
from skitaid.agents.smtpda.host import host_name
from skitaid.config.crontab import CronJob
from skitaid.exceptions import RefusedError

JOB = CronJob("backup", "@daily", "/bin/backup", None, mail_to=("ann@example.com", "root"))


def test_what_a_job_printed_is_queued(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    work = Work(JOB, spool=tmp_path)
    mail_id = send_mail(work, Result(3, 1.25, output="söme\nlines\n"))
    envelope, _, message = (tmp_path / "incoming" / f"{mail_id}.mail").read_bytes().partition(b"\n")
    assert json.loads(envelope)["recipients"][0] == "ann@example.com"
    found = email.message_from_bytes(message, policy=email.policy.default)
    assert str(found["Subject"]).endswith(": backup failed: exit code 3 after 1.2 s")
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["From"].startswith("cron@")
    assert found.get_content().splitlines()[-2:] == ["söme", "lines"]
    assert environ_of(work, {})["SKITAID_SPOOL_PATH"] == str(tmp_path)


def test_who_has_no_domain_is_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    mail_id = send_mail(Work(JOB, spool=tmp_path), Result(0, 1.0, output="x"))
    assert f"root@{host_name()}".encode() in (tmp_path / "incoming" / f"{mail_id}.mail").read_bytes()


def test_without_a_queue_it_is_refused() -> None:
    with pytest.raises(RefusedError, match="add \\[smtpda\\]"):
        send_mail(Work(JOB), Result(1, 0.0))
