from __future__ import annotations

from skitaid.agents.smtpda.schedule import Schedule


def test_in_the_order_of_their_times() -> None:
    schedule = Schedule()
    for mail_id, due_s in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        schedule.add(mail_id, due_s)
    assert schedule.next_s() == 1.0
    assert list(schedule.take_due(2.5)) == ["a", "b"]
    assert len(schedule) == 1 and "c" in schedule and "a" not in schedule


def test_what_is_held_is_never_due() -> None:
    schedule = Schedule()
    schedule.add("a", 1.0)
    schedule.hold("a")
    assert list(schedule.take_due(9.0)) == [] and schedule.held == 1 and "a" in schedule
    schedule.add("a", 2.0)
    assert schedule.held == 0 and list(schedule.take_due(9.0)) == ["a"]


def test_the_last_time_counts() -> None:
    schedule = Schedule()
    schedule.add("a", 1.0)
    schedule.add("a", 5.0)
    assert list(schedule.take_due(2.0)) == []
    assert list(schedule.take_due(5.0)) == ["a"]
    schedule.add("b", 1.0)
    schedule.drop("b")
    assert list(schedule.take_due(9.0)) == [] and len(schedule) == 0 and schedule.next_s() is None


def test_what_was_not_asked_for_is_not_forgotten() -> None:
    schedule = Schedule()
    for mail_id in ("a", "b", "c"):
        schedule.add(mail_id, 1.0)
    assert next(schedule.take_due(2.0)) == "a"
    assert len(schedule) == 2 and list(schedule.take_due(2.0)) == ["b", "c"]
