from __future__ import annotations

from skitaid.agents.smtpda.envelope import Route
from skitaid.agents.smtpda.ready_queue import Key, ReadyQueue

SMART, OTHER = Route("smart"), Route("other")


def anywhere(route: Route) -> bool:
    return True


def order(ready: ReadyQueue, prefer: Route | None = None) -> str:
    found = []
    while (taken := ready.take(anywhere, prefer)) is not None:
        found.append(taken[1])
    return "".join(found)


def test_senders_take_turns() -> None:
    ready = ReadyQueue()
    for mail_id in "abcd":
        ready.add(Key(SMART, "busy"), mail_id)
    ready.add(Key(SMART, "single"), "X")
    assert len(ready) == 5
    assert order(ready) == "aXbcd"
    assert len(ready) == 0


def test_a_server_that_may_get_no_courier_holds_up_its_own_mails_only() -> None:
    ready = ReadyQueue()
    ready.add(Key(SMART, "a"), "1")
    ready.add(Key(OTHER, "a"), "2")
    assert ready.take(lambda route: route == OTHER) == (Key(OTHER, "a"), "2")
    assert ready.take(lambda route: route == OTHER) is None
    assert not ready.has_room_for(lambda route: route == OTHER)
    assert ready.has_room_for(anywhere)


def test_a_courier_prefers_the_server_it_speaks_with() -> None:
    ready = ReadyQueue()
    for sender in "ab":
        ready.add(Key(SMART, sender), f"s{sender} ")
        ready.add(Key(OTHER, sender), f"o{sender} ")
    assert order(ready, prefer=OTHER) == "oa ob sa sb "


def test_taken_back() -> None:
    ready = ReadyQueue()
    ready.add(Key(SMART, "a"), "1")
    assert ready.drop("1") and not ready.drop("1")
    assert not ready.has_room_for(anywhere)
    ready.add(Key(SMART, "a"), "2")
    assert ready.clear() == ["2"] and len(ready) == 0
