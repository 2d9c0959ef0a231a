from __future__ import annotations

from skitaid.agents.smtpda.attempt import Attempt
from skitaid.agents.smtpda.envelope import Envelope, Route
from skitaid.agents.smtpda.errors import AccessError, DeliveryError, SilenceError
from skitaid.agents.smtpda.refusals import BELIEVED_MOST_S, MENDED_S, Refusals
from skitaid.agents.smtpda.session import Session, Terms
from skitaid.agents.smtpda.transaction import DeliveryRequest
from skitaid.agents.smtpda.wire import inspect

REQUEST = DeliveryRequest(Envelope("m", 1.0, "a@x.org", ("b@x.org",)), inspect([b"x\r\n"]), lambda: [b"x\r\n"])
SMART, OTHER = Route("smart"), Route("other")


class Door:
    """A server that opens to nobody, and counts who knocks. To say so takes it `takes_s`."""

    def __init__(self, error: DeliveryError, takes_s: float = 0.0) -> None:
        self.error = error
        self.takes_s = takes_s
        self.knocks = 0
        self.now = 43200.0
        self.attempt = Attempt(Terms("host.example"), self.open, Refusals(lambda: self.now))

    def open(self, route: Route, terms: Terms) -> Session:
        self.knocks += 1
        self.now += self.takes_s
        raise self.error

    def try_it(self, route: Route = SMART) -> str:
        (answer,) = self.attempt.run(REQUEST, ["b@x.org"], route, None).answers.values()
        assert not answer.counts
        return answer.text


def test_a_wrong_password_is_said_once_a_minute_however_many_mails_wait() -> None:
    door = Door(AccessError("535 wrong"))
    assert [door.try_it() for _ in range(100)] == ["535 wrong"] * 100
    assert door.knocks == 1
    door.now += BELIEVED_MOST_S - 1
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
    door.now += MENDED_S
    for _ in range(100):  # as of a command for a hundred mails
        door.attempt.refusals.forget()
        door.try_it()
    assert door.knocks == 2


def test_a_server_that_does_not_answer_takes_half_of_a_courier_s_time() -> None:
    door = Door(SilenceError("timed out"), takes_s=30.0)
    assert {door.try_it() for _ in range(100)} == {"timed out"}
    assert door.knocks == 1
    door.now += 30.0
    door.try_it()
    assert door.knocks == 2


def test_what_takes_no_time_is_tried_each_time() -> None:
    door = Door(DeliveryError("connection refused"), takes_s=0.1)
    for _ in range(3):
        door.try_it()
    assert door.knocks == 3
