from __future__ import annotations

import signal
from itertools import count

import pytest

from skitaid.instance.worker_pool import FIRST_DELAY_S, GOOD_RUN_S, LONGEST_DELAY_S, QUICK_MOST, Stage, WorkerPool
from skitaid.supervisor.scoreboard import MAX_SLOTS, Scoreboard, WorkerState


class Rig:
    """A pool whose processes are numbers, and the signals that were sent."""

    def __init__(self, size: int = 1) -> None:
        self.pids = count(100)
        self.forks: list[tuple[int, int, int]] = []
        self.sent: list[tuple[int, int]] = []
        self.pool = WorkerPool(Scoreboard.create(), self.fork)
        self.pool.promote(0, size)
        self.pool.start(0, size)

    def fork(self, index: int, slot: int, generation: int) -> int:
        self.forks.append((index, slot, generation))
        return next(self.pids)

    def all_ready(self, now: float = 0.0) -> None:
        for pid in list(self.pool.workers):
            self.pool.ready(pid, (), now)

    def die(self, pid: int, now: float) -> None:
        assert self.pool.remove(pid, now) is not None


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The signals that would have been sent."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("skitaid.instance.worker_pool.os.kill", lambda pid, number: sent.append((pid, number)))
    return sent


def test_a_generation_is_ready_when_all_of_it_is() -> None:
    rig = Rig(2)
    pool = rig.pool
    assert rig.forks == [(0, 0, 0), (1, 1, 0)]
    pool.ready(100, (), 1.0)
    assert not pool.is_ready(0, 2)
    pool.ready(101, ("/ (a.conf:1): broken",), 1.0)
    assert pool.is_ready(0, 2)
    assert pool.workers[101].failed == ("/ (a.conf:1): broken",)


def test_what_an_unknown_pid_says_is_not_heard() -> None:
    rig = Rig()
    rig.pool.ready(4711, (), 0.0)
    assert not rig.pool.is_ready(0, 1)
    assert rig.pool.remove(4711, 0.0) is None


def test_a_ready_worker_has_no_time_limit_any_more() -> None:
    rig = Rig()
    worker = rig.pool.spawn(0, 0, kill_at=5.0)
    assert rig.pool.next_kill() == 5.0
    rig.pool.ready(worker.pid, (), 1.0)
    assert rig.pool.next_kill() is None
    assert rig.pool.overdue(1000.0) == []


def test_one_that_does_not_become_ready_is_told_once() -> None:
    rig = Rig()
    worker = rig.pool.spawn(0, 0, kill_at=5.0)
    assert rig.pool.overdue(4.9) == []
    assert rig.pool.overdue(5.0) == [worker]
    assert rig.pool.overdue(6.0) == []


def test_a_place_is_filled_at_once_when_its_worker_lived_well() -> None:
    rig = Rig(2)
    rig.all_ready(0.0)
    assert rig.pool.next_due() is None
    rig.die(101, GOOD_RUN_S)
    assert rig.pool.due(GOOD_RUN_S) == [1]
    assert rig.pool.next_due() == GOOD_RUN_S


def test_quick_deaths_are_forgiven_some_times_and_then_wait_a_second_each() -> None:
    rig = Rig()
    pool = rig.pool
    waits = []
    now = 0.0
    for _ in range(QUICK_MOST + 3):
        [pid] = pool.workers
        pool.ready(pid, (), now)
        rig.die(pid, now)
        due = pool.next_due()
        assert due is not None
        waits.append(due - now)
        now = due
        pool.spawn(0, 0)
    assert waits == [0.0] * QUICK_MOST + [FIRST_DELAY_S] * 3


def test_a_good_run_forgives_quick_deaths() -> None:
    rig = Rig()
    pool = rig.pool
    for lived_s in (0.0, 0.0, 0.0, GOOD_RUN_S, 0.0):
        [pid] = pool.workers
        pool.ready(pid, (), 0.0)
        rig.die(pid, lived_s)
        assert pool.next_due() == lived_s
        pool.spawn(0, 0)


def test_one_that_never_becomes_ready_is_tried_ever_less_often() -> None:
    rig = Rig()
    pool = rig.pool
    waits = []
    for _ in range(9):
        [pid] = pool.workers
        rig.die(pid, 0.0)
        waits.append(pool.next_due())
        pool.spawn(0, 0)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, LONGEST_DELAY_S]


def test_a_fork_that_failed_is_tried_later() -> None:
    rig = Rig()
    rig.all_ready()
    rig.die(100, 50.0)
    rig.pool.postpone(0, 50.0)
    assert rig.pool.due(50.0) == []
    assert rig.pool.due(50.0 + FIRST_DELAY_S) == [0]


def test_two_generations_have_slots_of_their_own() -> None:
    rig = Rig(2)
    rig.all_ready()
    rig.pool.start(1, 2)
    assert rig.forks[2:] == [(0, MAX_SLOTS // 2, 1), (1, MAX_SLOTS // 2 + 1, 1)]
    rig.pool.start(2, 1)
    assert rig.forks[4] == (0, MAX_SLOTS - 1, 2)


def test_more_workers_than_slots_share_them() -> None:
    rig = Rig(MAX_SLOTS)
    rig.pool.start(1, 1)
    assert rig.forks[-1] == (0, 0, 1)


def test_the_dead_leave_the_board() -> None:
    rig = Rig()
    slot = rig.pool.board.slot(0)
    slot.update(pid=100, state=WorkerState.READY)
    rig.die(100, 0.0)
    assert slot.is_empty


def test_only_places_of_the_current_generation_are_filled(killed: list[tuple[int, int]]) -> None:
    rig = Rig(2)
    pool = rig.pool
    rig.all_ready()
    pool.start(1, 1)
    pool.ready(102, (), 0.0)
    pool.promote(1, 1)
    pool.retire([pool.workers[100], pool.workers[101]], signal.SIGQUIT, 300.0)
    rig.die(100, 1.0)
    assert (pool.due(1.0), pool.next_due()) == ([], None)
    assert killed == [(100, signal.SIGQUIT), (101, signal.SIGQUIT)]


def test_one_that_drains_leaves_its_place(killed: list[tuple[int, int]]) -> None:
    rig = Rig()
    rig.all_ready()
    rig.pool.retire([rig.pool.workers[100]], signal.SIGQUIT, 10.0)
    assert rig.pool.due(0.0) == [0]
    assert rig.pool.next_kill() == 10.0


def test_who_is_not_ready_is_killed_instead_of_asked(killed: list[tuple[int, int]]) -> None:
    rig = Rig(2)
    rig.pool.ready(101, (), 0.0)
    rig.pool.retire(rig.pool.workers.values(), signal.SIGQUIT, 10.0)
    assert killed == [(100, signal.SIGKILL), (101, signal.SIGQUIT)]
    assert {worker.stage for worker in rig.pool.workers.values()} == {Stage.DRAINING}


def test_patience_only_gets_shorter(killed: list[tuple[int, int]]) -> None:
    rig = Rig()
    rig.all_ready()
    worker = rig.pool.workers[100]
    rig.pool.retire([worker], signal.SIGQUIT, 300.0)
    rig.pool.retire([worker], signal.SIGTERM, 4.0)
    assert worker.kill_at == 4.0
    rig.pool.retire([worker], signal.SIGQUIT, 300.0)
    assert worker.kill_at == 4.0


def test_a_signal_to_one_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int, number: int) -> None:
        raise ProcessLookupError

    rig = Rig()
    rig.all_ready()
    monkeypatch.setattr("skitaid.instance.worker_pool.os.kill", gone)
    rig.pool.retire(rig.pool.workers.values(), signal.SIGTERM, 1.0)
    assert rig.pool.workers[100].stage is Stage.DRAINING
