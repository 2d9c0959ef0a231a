from __future__ import annotations

import os
from pathlib import Path

import pytest

from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.retry import Answer, Policy, Status
from skitaid.agents.smtpda.settlement import Recorder

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"
LATER = Answer(Status.WAITING, "451 later")
NO = Answer(Status.FAILED, "550 5.1.1 no")
YES = Answer(Status.DELIVERED, "250 ok")


class Desk:
    """A queue with one mail, `m`, to b and c."""

    def __init__(self, folder: Path, sender: str = "a@x.org", max_retry: int = 2) -> None:
        self.queue = Queue(folder)
        self.queue.prepare()
        self.queue.put(Envelope("m", 1.0, sender, ("b@x.org", "c@x.org")), MESSAGE)
        self.said: list[str] = []
        self.policy = Policy(max_retry, 60.0)
        self.restart()

    def restart(self) -> None:
        """The agent is a new one: it knows what is on the disk."""
        self.recorder = Recorder(self.queue, self.policy, "host.example", lambda kind, text: self.said.append(text))

    def enter(self, b: Answer | None, c: Answer | None = None):  # type: ignore[no-untyped-def]
        answers = {"b@x.org": b, "c@x.org": c}
        mail = self.queue.read("m")
        given = {each: found for each, found in answers.items() if found}
        return self.recorder.enter(mail, self.recorder.record("m"), given)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def full(*args: object) -> None:
    raise OSError(28, "No space left on device")


def test_everybody_has_it(desk: Desk) -> None:
    settled = desk.enter(YES, YES)
    assert settled.due_s is None and not settled.has_failed
    assert os.listdir(desk.queue.queue) == []


def test_one_has_it_and_one_gets_it_later(desk: Desk) -> None:
    settled = desk.enter(YES, LATER)
    assert settled.due_s is not None and settled.bounce is None
    assert desk.queue.record("m").waiting(("b@x.org", "c@x.org")) == ("c@x.org",)
    assert desk.enter(None, YES).due_s is None
    assert os.listdir(desk.queue.queue) == []


def test_a_failure_is_told_the_sender_once_and_kept(desk: Desk) -> None:
    settled = desk.enter(NO, LATER)
    assert settled.bounce == "m-b1" and settled.due_s is not None and not settled.has_failed
    bounce = desk.queue.read("m-b1")
    assert (bounce.envelope.sender, bounce.envelope.recipients) == ("", ("a@x.org",))
    assert b"550 5.1.1 no" in b"".join(bounce.read())
    settled = desk.enter(None, YES)
    assert settled.bounce is None and settled.has_failed
    assert desk.queue.failed_ids() == ["m"] and desk.queue.ids() == ["m-b1"]


def test_each_failure_has_its_bounce(desk: Desk) -> None:
    desk.enter(NO, LATER)
    settled = desk.enter(None, NO)
    assert settled.bounce == "m-b2"
    text = b"".join(desk.queue.read("m-b2").read())
    assert b"<c@x.org>" in text and b"<b@x.org>" not in text


def test_a_bounce_is_never_bounced(tmp_path: Path) -> None:
    desk = Desk(tmp_path, sender="")
    settled = desk.enter(NO, NO)
    assert settled.bounce is None and settled.has_failed
    assert desk.queue.ids() == []


def test_given_up_after_the_last_retry(tmp_path: Path) -> None:
    desk = Desk(tmp_path, max_retry=1)
    assert desk.enter(YES, LATER).bounce is None
    assert desk.enter(None, LATER).bounce == "m-b2"
    assert desk.queue.failed_ids() == ["m"]


@pytest.mark.parametrize("step", ["put", "write_record", "fail"])
def test_killed_between_the_steps_of_a_failure(desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    calls = []
    real = getattr(desk.queue, step)

    def killed(*args: object) -> None:
        calls.append(args)
        if step != "write_record" or len(calls) > 1:  # the first is the outcome, the second that the bounce is there
            raise KeyboardInterrupt
        real(*args)

    monkeypatch.setattr(desk.queue, step, killed)
    with pytest.raises(KeyboardInterrupt):
        desk.enter(NO, NO)
    monkeypatch.undo()
    desk.restart()
    mail = desk.queue.read("m")
    settled = desk.recorder.catch_up(mail, desk.recorder.record("m"))
    assert settled.has_failed
    assert desk.queue.ids() == ["m-b1"] and desk.queue.failed_ids() == ["m"]


def test_a_full_disk_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full)
    settled = desk.enter(YES, LATER)
    assert settled.due_s is not None
    assert "No space left on device" in desk.said[0]
    # b has it, and this agent knows although it could not write it down
    assert desk.recorder.record("m").waiting(("b@x.org", "c@x.org")) == ("c@x.org",)
    settled = desk.enter(None, NO)
    assert settled.due_s is not None and desk.queue.ids() == ["m"]
    monkeypatch.undo()
    settled = desk.recorder.catch_up(desk.queue.read("m"), desk.recorder.record("m"))
    assert settled.bounce == "m-b2" and desk.queue.failed_ids() == ["m"]


def test_a_full_disk_does_not_keep_what_is_delivered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full)
    assert desk.enter(YES, YES).due_s is None
    assert os.listdir(desk.queue.queue) == []


# ---------------------------------------------------------------- after a kill


def test_what_the_agent_before_had_heard(desk: Desk) -> None:
    desk.recorder.recover("m", [0])
    assert desk.queue.record("m").waiting(("b@x.org", "c@x.org")) == ("c@x.org",)
    assert desk.queue.record("m").attempts == 0 and desk.queue.record("m").due_s == 0
    desk.recorder.recover("m", [0])
    desk.recorder.recover("m", [1])
    assert os.listdir(desk.queue.queue) == [] and "c@x.org" in desk.said[-1]
    desk.recorder.recover("m", [1])
    desk.recorder.recover("never-was", [1])


def test_what_was_heard_is_no_reason_to_forget_who_failed(desk: Desk) -> None:
    desk.enter(NO, LATER)
    desk.recorder.recover("m", [1])
    record = desk.queue.record("m")
    assert record.waiting(("b@x.org", "c@x.org")) == () and record.has_failed
    assert desk.recorder.catch_up(desk.queue.read("m"), record).has_failed
    assert desk.queue.failed_ids() == ["m"]
