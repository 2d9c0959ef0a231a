from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from skitaid.config.model import CriticalPoint, Instance, Server
from skitaid.instance import worker_monitor
from skitaid.instance.worker_monitor import WorkerMonitor, no_process, stop_patience_s
from skitaid.instance.worker_pool import GOOD_RUN_S, Stage, WorkerPool
from skitaid.supervisor.scoreboard import Scoreboard, WorkerState

SITE = Instance("site", Path("/etc/site.conf"), Server(processes=2, start_timeout_s=7, heartbeat_timeout_s=5))


class Rig:
    """A pool of two ready workers, its monitor, and what was said and signalled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        self.sent: list[tuple[int, int]] = []
        self.dead: list[tuple[int, int]] = []
        self.pids: Iterator[int] = count(100)
        self.can_fork = True
        monkeypatch.setattr("skitaid.instance.worker_pool.os.kill", lambda pid, number: self.sent.append((pid, number)))
        self.pool = WorkerPool(Scoreboard.create(), self.fork)
        self.pool.promote(0, 2)
        self.pool.start(0, 2)
        for pid in (100, 101):
            self.pool.ready(pid, (), 0.0)
        self.monitor = WorkerMonitor(self.pool, lambda kind, text: self.said.append(f"[{kind}] {text}"))
        self.monitor.follow(SITE)

    def fork(self, index: int, slot: int, generation: int) -> int:
        if not self.can_fork:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return next(self.pids)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def reap(rig: Rig, monkeypatch: pytest.MonkeyPatch, *ends: tuple[int, int]) -> list[tuple[int, str]]:
    """Let these (pid, status) be what the system tells, and then no child more."""
    left = [*ends]

    def waitpid(pid: int, options: int) -> tuple[int, int]:
        if not left:
            raise ChildProcessError
        return left.pop(0)

    monkeypatch.setattr(worker_monitor.os, "waitpid", waitpid)
    return [(worker.pid, how) for worker, how in rig.monitor.reap(GOOD_RUN_S)]


def test_the_dead_are_told_and_replaced(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reap(rig, monkeypatch, (100, 9), (101, 3 << 8)) == [
        (100, "was killed by signal 9 (Killed)"),
        (101, "ended with exit code 3"),
    ]
    rig.monitor.fill_places(GOOD_RUN_S)
    assert rig.said == [
        "[error] worker #0 (pid 100) was killed by signal 9 (Killed)",
        "[error] worker #1 (pid 101) ended with exit code 3",
        "[info] worker #0 is replaced (pid 102)",
        "[info] worker #1 is replaced (pid 103)",
    ]
    assert rig.pool.board.replaced == 2
    assert [rig.pool.workers[pid].kill_at for pid in (102, 103)] == [GOOD_RUN_S + 7] * 2


def test_who_was_told_to_go_and_strangers_are_no_loss(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.pool.workers[100].stage = Stage.DRAINING
    assert reap(rig, monkeypatch, (100, 0), (4711, 0)) == []
    assert rig.said == []


def test_a_fork_that_fails_is_told_and_tried_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    reap(rig, monkeypatch, (100, 9))
    rig.can_fork = False
    rig.monitor.fill_places(GOOD_RUN_S)
    assert rig.said[1:] == [f"[error] worker #0 is missing: {no_process(OSError(11, os.strerror(errno.EAGAIN)))}"]
    rig.can_fork = True
    rig.monitor.fill_places(GOOD_RUN_S + 0.5)
    assert len(rig.pool.workers) == 1
    rig.monitor.fill_places(GOOD_RUN_S + 1.0)
    assert len(rig.pool.workers) == 2


def test_patience_ends(rig: Rig) -> None:
    starting = rig.pool.spawn(0, 0, kill_at=5.0)
    rig.pool.retire([rig.pool.workers[100]], signal.SIGQUIT, 5.0)
    rig.monitor.kill_overdue(5.0)
    assert rig.sent == [(100, signal.SIGQUIT), (100, signal.SIGKILL), (starting.pid, signal.SIGKILL)]
    assert rig.said == [
        "[warn] worker #0 (pid 100) did not end in time and is killed",
        f"[warn] worker #0 (pid {starting.pid}) was not ready in time and is killed",
    ]


def test_one_without_a_heartbeat_is_killed(rig: Rig) -> None:
    for slot, heartbeat_ns in ((0, 1), (1, 10**18)):
        rig.pool.board.slot(slot).update(pid=100 + slot, state=WorkerState.READY, heartbeat_ns=heartbeat_ns)
    rig.monitor.tick(0.0)
    assert rig.sent == [(100, signal.SIGKILL)]
    assert rig.said == ["[error] worker #0 (pid 100) gives no sign of life and is killed"]


def test_one_past_the_critical_point_is_asked_to_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    used = {100: 0.0, 101: 0.0}
    monkeypatch.setattr(worker_monitor, "cpu_seconds", used.__getitem__)
    rig.monitor.follow(replace(SITE, critical_point=CriticalPoint(90.0, 1, 10.0)))
    rig.monitor.tick(0.0)
    used[101] = 9.5
    rig.monitor.tick(10.0)
    assert rig.sent == [(101, signal.SIGQUIT)]
    assert rig.pool.workers[101].kill_at == 10.0 + stop_patience_s(SITE)
    assert rig.pool.due(10.0) == [1]


@pytest.mark.parametrize(("response_timeout_s", "expected"), [(1.0, 10.0), (10.0, 14.0), (60.0, 64.0)])
def test_a_graceful_stop_waits_for_responses(response_timeout_s: float, expected: float) -> None:
    assert stop_patience_s(replace(SITE, server=Server(response_timeout_s=response_timeout_s))) == expected
