from __future__ import annotations

from skitaid.agents.smtpda.envelope import Route
from skitaid.agents.smtpda.line import Key, Line

SMART, OTHER = Route("smart"), Route("other")


def anywhere(route: Route) -> bool:
    return True


def order(line: Line, prefer: Route | None = None) -> str:
    found = []
    while (taken := line.take(anywhere, prefer)) is not None:
        found.append(taken[1])
    return "".join(found)


def test_senders_take_turns() -> None:
    line = Line()
    for mail_id in "abcd":
        line.add(Key(SMART, "busy"), mail_id)
    line.add(Key(SMART, "single"), "X")
    assert len(line) == 5
    assert order(line) == "aXbcd"
    assert len(line) == 0


def test_a_server_that_may_get_no_courier_holds_up_its_own_mails_only() -> None:
    line = Line()
    line.add(Key(SMART, "a"), "1")
    line.add(Key(OTHER, "a"), "2")
    assert line.take(lambda route: route == OTHER) == (Key(OTHER, "a"), "2")
    assert line.take(lambda route: route == OTHER) is None
    assert not line.has_room_for(lambda route: route == OTHER)
    assert line.has_room_for(anywhere)


def test_a_courier_prefers_the_server_it_speaks_with() -> None:
    line = Line()
    for sender in "ab":
        line.add(Key(SMART, sender), f"s{sender} ")
        line.add(Key(OTHER, sender), f"o{sender} ")
    assert order(line, prefer=OTHER) == "oa ob sa sb "


def test_taken_back() -> None:
    line = Line()
    line.add(Key(SMART, "a"), "1")
    assert line.drop("1") and not line.drop("1")
    assert not line.has_room_for(anywhere)
    line.add(Key(SMART, "a"), "2")
    assert line.clear() == ["2"] and len(line) == 0
