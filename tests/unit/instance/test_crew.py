from __future__ import annotations

import signal
from itertools import count

import pytest

from skitaid.instance.crew import FIRST_DELAY_S, GOOD_RUN_S, LONGEST_DELAY_S, QUICK_MOST, Crew, Stage
from skitaid.supervisor.scoreboard import MAX_SLOTS, Scoreboard, WorkerState


class Company:
    """A crew whose processes are numbers, and the signals that were sent."""

    def __init__(self, size: int = 1) -> None:
        self.pids = count(100)
        self.forks: list[tuple[int, int, int]] = []
        self.sent: list[tuple[int, int]] = []
        self.crew = Crew(Scoreboard.create(), self.fork)
        self.crew.promote(0, size)
        self.crew.start(0, size)

    def fork(self, index: int, slot: int, generation: int) -> int:
        self.forks.append((index, slot, generation))
        return next(self.pids)

    def all_ready(self, now: float = 0.0) -> None:
        for pid in list(self.crew.workers):
            self.crew.ready(pid, (), now)

    def die(self, pid: int, now: float) -> None:
        assert self.crew.bury(pid, now) is not None


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The signals that would have been sent."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("skitaid.instance.crew.os.kill", lambda pid, number: sent.append((pid, number)))
    return sent


def test_a_generation_is_ready_when_all_of_it_is() -> None:
    company = Company(2)
    crew = company.crew
    assert company.forks == [(0, 0, 0), (1, 1, 0)]
    crew.ready(100, (), 1.0)
    assert not crew.is_ready(0, 2)
    crew.ready(101, ("/ (a.conf:1): broken",), 1.0)
    assert crew.is_ready(0, 2)
    assert crew.workers[101].failed == ("/ (a.conf:1): broken",)


def test_what_an_unknown_pid_says_is_not_heard() -> None:
    company = Company()
    company.crew.ready(4711, (), 0.0)
    assert not company.crew.is_ready(0, 1)
    assert company.crew.bury(4711, 0.0) is None


def test_a_ready_worker_has_no_time_limit_any_more() -> None:
    company = Company()
    worker = company.crew.hire(0, 0, kill_at=5.0)
    assert company.crew.next_kill() == 5.0
    company.crew.ready(worker.pid, (), 1.0)
    assert company.crew.next_kill() is None
    assert company.crew.overdue(1000.0) == []


def test_one_that_does_not_become_ready_is_told_once() -> None:
    company = Company()
    worker = company.crew.hire(0, 0, kill_at=5.0)
    assert company.crew.overdue(4.9) == []
    assert company.crew.overdue(5.0) == [worker]
    assert company.crew.overdue(6.0) == []


def test_a_place_is_filled_at_once_when_its_worker_lived_well() -> None:
    company = Company(2)
    company.all_ready(0.0)
    assert company.crew.next_due() is None
    company.die(101, GOOD_RUN_S)
    assert company.crew.due(GOOD_RUN_S) == [1]
    assert company.crew.next_due() == GOOD_RUN_S


def test_quick_deaths_are_forgiven_some_times_and_then_wait_a_second_each() -> None:
    company = Company()
    crew = company.crew
    waits = []
    now = 0.0
    for _ in range(QUICK_MOST + 3):
        [pid] = crew.workers
        crew.ready(pid, (), now)
        company.die(pid, now)
        due = crew.next_due()
        assert due is not None
        waits.append(due - now)
        now = due
        crew.hire(0, 0)
    assert waits == [0.0] * QUICK_MOST + [FIRST_DELAY_S] * 3


def test_a_good_run_forgives_quick_deaths() -> None:
    company = Company()
    crew = company.crew
    for lived_s in (0.0, 0.0, 0.0, GOOD_RUN_S, 0.0):
        [pid] = crew.workers
        crew.ready(pid, (), 0.0)
        company.die(pid, lived_s)
        assert crew.next_due() == lived_s
        crew.hire(0, 0)


def test_one_that_never_becomes_ready_is_tried_ever_less_often() -> None:
    company = Company()
    crew = company.crew
    waits = []
    for _ in range(9):
        [pid] = crew.workers
        company.die(pid, 0.0)
        waits.append(crew.next_due())
        crew.hire(0, 0)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, LONGEST_DELAY_S]


def test_a_fork_that_failed_is_tried_later() -> None:
    company = Company()
    company.all_ready()
    company.die(100, 50.0)
    company.crew.postpone(0, 50.0)
    assert company.crew.due(50.0) == []
    assert company.crew.due(50.0 + FIRST_DELAY_S) == [0]


def test_two_generations_have_slots_of_their_own() -> None:
    company = Company(2)
    company.all_ready()
    company.crew.start(1, 2)
    assert company.forks[2:] == [(0, MAX_SLOTS // 2, 1), (1, MAX_SLOTS // 2 + 1, 1)]
    company.crew.start(2, 1)
    assert company.forks[4] == (0, MAX_SLOTS - 1, 2)


def test_more_workers_than_slots_share_them() -> None:
    company = Company(MAX_SLOTS)
    company.crew.start(1, 1)
    assert company.forks[-1] == (0, 0, 1)


def test_the_dead_leave_the_board() -> None:
    company = Company()
    slot = company.crew.board.slot(0)
    slot.update(pid=100, state=WorkerState.READY)
    company.die(100, 0.0)
    assert slot.is_empty


def test_only_places_of_the_current_generation_are_filled(killed: list[tuple[int, int]]) -> None:
    company = Company(2)
    crew = company.crew
    company.all_ready()
    crew.start(1, 1)
    crew.ready(102, (), 0.0)
    crew.promote(1, 1)
    crew.retire([crew.workers[100], crew.workers[101]], signal.SIGQUIT, 300.0)
    company.die(100, 1.0)
    assert (crew.due(1.0), crew.next_due()) == ([], None)
    assert killed == [(100, signal.SIGQUIT), (101, signal.SIGQUIT)]


def test_one_that_drains_leaves_its_place(killed: list[tuple[int, int]]) -> None:
    company = Company()
    company.all_ready()
    company.crew.retire([company.crew.workers[100]], signal.SIGQUIT, 10.0)
    assert company.crew.due(0.0) == [0]
    assert company.crew.next_kill() == 10.0


def test_who_is_not_ready_is_killed_instead_of_asked(killed: list[tuple[int, int]]) -> None:
    company = Company(2)
    company.crew.ready(101, (), 0.0)
    company.crew.retire(company.crew.workers.values(), signal.SIGQUIT, 10.0)
    assert killed == [(100, signal.SIGKILL), (101, signal.SIGQUIT)]
    assert {worker.stage for worker in company.crew.workers.values()} == {Stage.DRAINING}


def test_patience_only_gets_shorter(killed: list[tuple[int, int]]) -> None:
    company = Company()
    company.all_ready()
    worker = company.crew.workers[100]
    company.crew.retire([worker], signal.SIGQUIT, 300.0)
    company.crew.retire([worker], signal.SIGTERM, 4.0)
    assert worker.kill_at == 4.0
    company.crew.retire([worker], signal.SIGQUIT, 300.0)
    assert worker.kill_at == 4.0


def test_a_signal_to_one_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int, number: int) -> None:
        raise ProcessLookupError

    company = Company()
    company.all_ready()
    monkeypatch.setattr("skitaid.instance.crew.os.kill", gone)
    company.crew.retire(company.crew.workers.values(), signal.SIGTERM, 1.0)
    assert company.crew.workers[100].stage is Stage.DRAINING
