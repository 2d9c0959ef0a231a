from __future__ import annotations

import pytest

from skitaid.agents.smtpda.attempt import REFUSED_S, Attempt
from skitaid.agents.smtpda.envelope import Envelope, Route
from skitaid.agents.smtpda.errors import AccessError, DeliveryError
from skitaid.agents.smtpda.session import Session, Terms
from skitaid.agents.smtpda.transaction import Letter
from skitaid.agents.smtpda.wire import inspect

LETTER = Letter(Envelope("m", 1.0, "a@x.org", ("b@x.org",)), inspect([b"x\r\n"]), lambda: [b"x\r\n"])
SMART, OTHER = Route("smart"), Route("other")


class Door:
    """A server that opens to nobody, and counts who knocks. It is noon until `now` is set."""

    def __init__(self, error: DeliveryError) -> None:
        self.error = error
        self.knocks = 0
        self.now = 43200.0
        self.attempt = Attempt(Terms("host.example"), self.open, lambda: self.now)

    def open(self, route: Route, terms: Terms) -> Session:
        self.knocks += 1
        raise self.error

    def try_it(self, route: Route = SMART) -> str:
        answer, = self.attempt.run(LETTER, ["b@x.org"], route, None).answers.values()
        assert not answer.counts
        return answer.text


def test_a_wrong_password_is_said_once_a_minute_however_many_mails_wait() -> None:
    door = Door(AccessError("535 wrong"))
    assert [door.try_it() for _ in range(100)] == ["535 wrong"] * 100
    assert door.knocks == 1
    door.now += REFUSED_S - 1
    door.try_it()
    assert door.knocks == 1
    door.now += 1
    door.try_it()
    assert door.knocks == 2
    door.try_it(OTHER)
    assert door.knocks == 3


def test_a_person_who_has_mended_it_need_not_wait() -> None:
    door = Door(AccessError("535 wrong"))
    door.try_it()
    door.attempt.ask_again()
    door.try_it()
    assert door.knocks == 2


@pytest.mark.parametrize("route", [SMART, OTHER])
def test_what_passes_is_asked_each_time(route: Route) -> None:
    door = Door(DeliveryError("cannot connect"))
    for _ in range(3):
        door.try_it(route)
    assert door.knocks == 3
