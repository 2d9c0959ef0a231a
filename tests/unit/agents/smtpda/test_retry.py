from __future__ import annotations

import pytest

from skitaid.agents.smtpda.errors import MalformedMailError
from skitaid.agents.smtpda.retry import Answer, Policy, Record, Status, after_attempt, anew, back_off_s, out_of_patience

POLICY = Policy(max_retry=2, retry_after_s=60.0)
LATER = Answer(Status.WAITING, "451 later")
NO = Answer(Status.FAILED, "550 no")
YES = Answer(Status.DELIVERED, "250 ok")


def after(*attempts: dict[str, Answer], chance: float = 0.5) -> Record:
    record = Record()
    for answers in attempts:
        record = after_attempt(record, answers, POLICY, now=1000.0, chance=chance)
    return record


def test_each_recipient_by_itself() -> None:
    record = after({"a": YES, "b": LATER, "c": NO})
    assert record.waiting(("a", "b", "c", "d")) == ("b", "d")
    assert list(record.unbounced()) == ["c"]
    assert record.has_failed and record.attempts == 1 and record.due_s == 1060.0


def test_given_up_after_the_retries() -> None:
    assert after({"b": LATER}, {"b": LATER}).waiting(("b",)) == ("b",)
    record = after({"b": LATER}, {"b": LATER}, {"b": LATER})
    assert record.status("b") is Status.FAILED
    assert record.outcomes["b"].text == "given up after 3 attempts: 451 later"


def test_what_does_not_count_is_waited_for_and_nobody_is_given_up() -> None:
    ours = Answer(Status.WAITING, "535 wrong password", counts=False)
    record = after(*[{"b": ours}] * 20)
    assert record.waiting(("b",)) == ("b",) and record.due_s == 1000.0 + 3600
    record = after(*[{"b": ours}] * 20, {"b": LATER}, {"b": LATER})
    assert record.waiting(("b",)) == ("b",)
    record = after(*[{"b": ours}] * 20, {"b": LATER}, {"b": LATER}, {"b": ours}, {"b": LATER})
    assert record.status("b") is Status.FAILED
    assert anew(record).uncounted == 0
    assert Record.from_bytes(record.to_bytes()) == record


DAY_S = 86400.0
SHUT = Answer(Status.WAITING, "535 wrong password", counts=False)


@pytest.mark.parametrize(
    ("age_s", "tries", "is_over"),
    [
        (4.9 * DAY_S, 100, False),
        (5 * DAY_S, 20, True),
        (5 * DAY_S, 19, False),
        (-DAY_S, 100, False),
    ],
)
def test_a_mail_that_nobody_lets_in_is_given_up_after_days(age_s: float, tries: int, is_over: bool) -> None:
    record = after(*[{"b": SHUT}] * tries)
    assert record.is_shut_out
    answers = out_of_patience(record, {"a": LATER, "b": SHUT}, age_s)
    assert answers["a"] == LATER
    assert answers["b"] == (Answer(Status.FAILED, "given up after days of: 535 wrong password") if is_over else SHUT)


def test_whether_the_last_attempt_was_let_in() -> None:
    record = after({"b": SHUT}, {"b": LATER})
    assert record.uncounted == 1 and not record.is_shut_out
    record = after({"b": LATER}, {"b": SHUT})
    assert Record.from_bytes(record.to_bytes()).is_shut_out and not anew(record).is_shut_out


def test_a_record_of_an_older_version() -> None:
    text = b'{"attempts":1,"due_s":2.0,"is_held":false,"bounced":0,"since":0,"outcomes":{}}'
    assert Record.from_bytes(text) == Record(attempts=1, due_s=2.0)


def test_waits_double_up_to_six_hours_and_are_spread() -> None:
    assert [back_off_s(n, POLICY, 0.5) for n in (1, 2, 3, 11, 1000)] == [60, 120, 240, 21600, 21600]
    assert back_off_s(1, POLICY, 0.0) == 45 and back_off_s(1, POLICY, 1.0) == 75


def test_a_person_begins_it_anew() -> None:
    record = anew(after({"a": YES, "b": LATER, "c": NO}))
    assert record.waiting(("a", "b", "c")) == ("b", "c")
    assert record.due_s == 0 and not record.unbounced()
    again = after_attempt(record, {"c": NO}, POLICY, now=0.0, chance=0.5)
    assert again.unbounced()["c"].attempt == 2
    late = after_attempt(record, {"b": LATER}, POLICY, now=0.0, chance=0.5)
    assert late.status("b") is Status.WAITING and late.due_s == 60.0


def test_a_record_is_read_as_it_was_written() -> None:
    record = after({"a": YES, "b": LATER, "c@ü": NO})
    assert Record.from_bytes(record.to_bytes()) == record


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b'{"attempts": 1}', b"\xff"])
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(MalformedMailError):
        Record.from_bytes(data)
