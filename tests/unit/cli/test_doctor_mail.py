from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.retry import Answer, Policy, Record, Status, after_attempt
from skitaid.cli.doctor_mail import check_mail
from skitaid.cli.finding import Level
from skitaid.config.model import Global, Main, Smtpda


@pytest.fixture
def main(tmp_path: Path) -> Main:
    path = tmp_path / "skitaid.conf"
    path.touch(mode=0o600)
    return Main(Global(tmp_path / "log", tmp_path / "lib", tmp_path / "run"), tmp_path, path, Smtpda())


def found(main: Main) -> list[tuple[Level, str]]:
    return [(finding.level, finding.text) for finding in check_mail(main, lambda words: f"skitaid {words}")]


def test_without_the_section_there_is_nothing_to_say(main: Main) -> None:
    assert found(replace(main, smtpda=None)) == found(main) == []


def test_a_password_that_everybody_can_read(main: Main) -> None:
    main = replace(main, smtpda=Smtpda(password="secret"))
    assert found(main) == []
    assert main.path is not None
    main.path.chmod(0o644)
    ((level, text),) = found(main)
    assert level is Level.WARNING and "holds a password" in text and "secret" not in text


def test_files_that_are_missing(main: Main, tmp_path: Path) -> None:
    ((level, text),) = found(replace(main, smtpda=Smtpda(cafile=tmp_path / "none.pem")))
    assert level is Level.WRONG and "cafile" in text


def test_mails_that_nobody_delivers(main: Main) -> None:
    main = replace(main, smtpda=None)
    queue = Queue(main.global_.var_path / "daemons" / "smtpda")
    queue.prepare()
    assert found(main) == []
    queue.put(Envelope("a", 1.0, "a@x.org", ("b@x.org",)), b"x\r\n")
    ((level, text),) = found(main)
    assert level is Level.WRONG and text.startswith("1 mail in the queue, and no [smtpda]")


@pytest.mark.parametrize("counts", [True, False])
def test_mails_that_wait_because_we_are_not_let_in(main: Main, counts: bool) -> None:
    queue = Queue(main.global_.var_path / "daemons" / "smtpda")
    queue.prepare()
    queue.put(Envelope("a", 1.0, "a@x.org", ("b@x.org",)), b"x\r\n")
    answers = {"b@x.org": Answer(Status.WAITING, "535 wrong", counts=counts)}
    queue.write_record("a", after_attempt(Record(), answers, Policy(), now=1.0, chance=0.5))
    rest = [(Level.FINE, "1 mail in the queue")]
    shut = [(Level.WRONG, "1 mail waiting for the mail server, which is down or does not let us in: 535 wrong")]
    assert found(main) == (rest if counts else shut + rest)


def test_mails_that_could_not_be_delivered(main: Main) -> None:
    queue = Queue(main.global_.var_path / "daemons" / "smtpda")
    queue.prepare()
    queue.put(Envelope("a", 1.0, "a@x.org", ("b@x.org",)), b"x\r\n")
    assert found(main) == [(Level.FINE, "1 mail in the queue")]
    queue.fail("a")
    assert found(main) == [(Level.WARNING, "1 mail could not be delivered")]
