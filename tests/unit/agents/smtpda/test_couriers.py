from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from skitaid.agents.smtpda.couriers import Couriers, Limits, ServeResult
from skitaid.agents.smtpda.envelope import Route
from skitaid.agents.smtpda.ready_queue import Key
from skitaid.agents.smtpda.session import Session

A, B = Route("a"), Route("b")
WAIT_S = 20.0


class Work:
    """Mails that are delivered when they are let go; by how many at once is noted."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.begun: list[str] = []
        self.let_go: set[str] = set()
        self.unreachable: set[Route] = set()
        self.is_open = False

    def serve(self, mail_id: str, route: Route, session: Session | None) -> ServeResult:
        with self.changed:
            self.begun.append(mail_id)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.is_open or mail_id in self.let_go, WAIT_S)
        return ServeResult(None, route not in self.unreachable)

    def go(self, *mail_ids: str) -> None:
        """All, when none is named."""
        with self.changed:
            self.let_go.update(mail_ids)
            self.is_open = self.is_open or not mail_ids
            self.changed.notify_all()

    def until(self, count: int) -> list[str]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.begun) >= count, WAIT_S), self.begun
            return sorted(self.begun)

    def rest(self, couriers: Couriers) -> None:
        """Wait until nothing is in hand."""
        deadline = time.monotonic() + WAIT_S
        while couriers.in_hand:
            assert time.monotonic() < deadline, f"{couriers.in_hand} mails in hand"
            time.sleep(0.001)


@pytest.fixture
def work() -> Iterator[Work]:
    found = Work()
    yield found
    found.go()


def test_no_more_than_allowed_in_all_and_for_one_server(work: Work) -> None:
    couriers = Couriers(Limits(total=3, per_host=2), work.serve)
    for number in range(3):
        couriers.add(Key(A, "s"), f"a{number}")
    couriers.add(Key(B, "s"), "b0")
    assert work.until(3) == ["a0", "a1", "b0"]
    assert couriers.is_active("a0") and not couriers.is_active("a2") and couriers.in_hand == 4
    work.go()
    assert work.until(4) == ["a0", "a1", "a2", "b0"]
    couriers.stop()


def test_a_server_that_is_down_has_one_at_a_time(work: Work) -> None:
    couriers = Couriers(Limits(total=3, per_host=3), work.serve)
    work.unreachable.add(A)
    couriers.add(Key(A, "s"), "a0")
    work.until(1)
    work.go("a0")
    work.rest(couriers)
    for number in (1, 2, 3):
        couriers.add(Key(A, "s"), f"a{number}")
    couriers.add(Key(B, "s"), "b0")
    begun = work.until(3)
    assert "b0" in begun
    work.unreachable.clear()
    work.go()
    assert work.until(5) == ["a0", "a1", "a2", "a3", "b0"]
    couriers.stop()


def test_servers_that_apps_name_leave_one_courier_for_that_of_the_conf(work: Work) -> None:
    couriers = Couriers(Limits(total=3, per_host=3, home=A), work.serve)
    for number in range(3):
        couriers.add(Key(B, "s"), f"b{number}")
        couriers.add(Key(Route(f"c{number}"), "s"), f"c{number}")
    begun = work.until(2)
    couriers.add(Key(A, "s"), "a0")
    assert work.until(3) == sorted([*begun, "a0"])
    work.go()
    work.until(7)
    couriers.stop()


@pytest.mark.parametrize("home", [A, B])
def test_one_courier_serves_all(work: Work, home: Route) -> None:
    couriers = Couriers(Limits(total=1, per_host=1, home=home), work.serve)
    work.go()
    couriers.add(Key(A, "s"), "a0")
    couriers.add(Key(B, "s"), "b0")
    assert work.until(2) == ["a0", "b0"]
    couriers.stop()


def test_a_mail_has_one_courier_at_a_time(work: Work) -> None:
    couriers = Couriers(Limits(total=2, per_host=2), work.serve)
    couriers.add(Key(A, "s"), "a0")
    work.until(1)
    couriers.add(Key(A, "s"), "a0")
    couriers.add(Key(A, "s"), "a1")
    assert work.until(2) == ["a0", "a1"] and couriers.in_hand == 2
    couriers.add(Key(A, "s"), "a2")
    couriers.add(Key(A, "s"), "a2")
    assert couriers.in_hand == 3
    work.go()
    assert work.until(4) == ["a0", "a0", "a1", "a2"]
    work.rest(couriers)
    assert len(work.begun) == 4
    couriers.stop()


def test_a_mail_that_nobody_has_begun_with_can_be_taken_back(work: Work) -> None:
    couriers = Couriers(Limits(total=1, per_host=1), work.serve)
    couriers.add(Key(A, "s"), "a0")
    work.until(1)
    couriers.add(Key(A, "s"), "a1")
    assert couriers.drop("a1") and not couriers.drop("a0")
    couriers.stop()
    work.go()
    assert work.until(1) == ["a0"]


def test_after_a_stop_nothing_is_begun_and_what_is_under_way_is_finished(work: Work) -> None:
    couriers = Couriers(Limits(total=1, per_host=1), work.serve)
    couriers.add(Key(A, "s"), "a0")
    couriers.add(Key(A, "s"), "a1")
    work.until(1)
    couriers.stop()
    assert not couriers.is_over
    threads = [thread for thread in threading.enumerate() if thread.name == "courier"]
    work.go()
    for thread in threads:
        thread.join(WAIT_S)
    assert couriers.is_over and work.begun == ["a0"] and couriers.in_hand == 1
