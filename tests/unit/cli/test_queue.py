"""queue: which mails are meant, and what becomes of the others when one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.retry import Outcome, Record, Status
from skitaid.cli import help as help_text
from skitaid.cli import queue as command
from skitaid.cli.commands import find_command
from skitaid.cli.options import UsageError, parse
from skitaid.cli.session import Session

WAITING = {"b@x.org": Outcome(Status.WAITING, "450 later", 1)}


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "etc" / "servers-enabled").mkdir(parents=True)
    (tmp_path / "etc" / "skitaid.conf").write_text("[smtpda]\n")
    return tmp_path / "etc"


@pytest.fixture
def queue(etc: Path) -> Queue:
    """Two mails that are deferred, one that is held."""
    found = Queue(etc.parent / "var" / "lib" / "daemons" / "smtpda")
    found.folder.mkdir(parents=True)
    found.prepare()
    records = {"1": Record(1, due_s=5.0, outcomes=WAITING), "2": Record(is_held=True)}
    for mail_id, record in {**records, "3": records["1"]}.items():
        found.put(Envelope(mail_id, 1.0, "a@x.org", ("b@x.org",)), b"Subject: x\r\n\r\nbody\r\n")
        found.write_record(mail_id, record)
    return found


def run(etc: Path, *words: str) -> int:
    return command.run(Session(parse(["-f", "smtpda", "queue", *words]), etc))


def test_a_state_stands_for_the_mails_in_it(queue: Queue) -> None:
    assert command.ids_of(queue, ["deferred"]) == ["1", "3"]
    assert command.ids_of(queue, ["3", "held", "deferred"]) == ["3", "2", "1"]
    assert command.ids_of(queue, ["9"]) == ["9"]
    assert command.ids_of(queue, ["failed"]) == []


def test_one_that_is_refused_does_not_keep_the_next(
    etc: Path, queue: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(etc, "remove", "9", "deferred") == 1
    told = capsys.readouterr()
    assert "no mail '9'" in told.err
    assert [line.split()[0] for line in told.out.splitlines()] == ["1", "3"]
    assert command.ids_of(queue, ["deferred", "held"]) == ["2"]


def test_a_state_that_no_mail_is_in(etc: Path, queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(etc, "retry", "failed") == 0
    assert capsys.readouterr().out == "no mail is failed\n"


@pytest.mark.parametrize("words", [("show",), ("retry",), ("list", "1"), ("shwo", "1")])
def test_what_is_no_command(etc: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        run(etc, *words)


def test_help_names_every_word() -> None:
    found = find_command("queue")
    assert found is not None
    text = help_text.of_command("skitaid", found)
    assert all(f"queue {word}" in text for word in command.WORDS)
