from __future__ import annotations

from dataclasses import replace

import pytest

from skitaid.instance.health import INLINE_REQUEST_S, CpuWatch, is_stuck
from skitaid.supervisor.scoreboard import SlotView, WorkerState

SECOND = 1_000_000_000
READY = SlotView(0, 100, WorkerState.READY, 0, 5 * SECOND, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("age_s", "timeout_s", "has_threads", "expected"),
    [
        (29.0, 30.0, True, False),
        (31.0, 30.0, True, True),
        (31.0, 30.0, False, False),
        (INLINE_REQUEST_S - 1, 30.0, False, False),
        (INLINE_REQUEST_S + 1, 30.0, False, True),
        (INLINE_REQUEST_S + 1, INLINE_REQUEST_S + 2, False, False),
    ],
)
def test_stuck(age_s: float, timeout_s: float, has_threads: bool, expected: bool) -> None:
    now_ns = READY.heartbeat_ns + int(age_s * SECOND)
    assert is_stuck(READY, now_ns, timeout_s, has_threads=has_threads) is expected


@pytest.mark.parametrize(
    "view",
    [
        replace(READY, state=WorkerState.STARTING),
        replace(READY, state=WorkerState.DRAINING),
        replace(READY, heartbeat_ns=0),
    ],
)
def test_the_heartbeat_counts_once_ready(view: SlotView) -> None:
    assert not is_stuck(view, 10**6 * SECOND, 30.0, has_threads=True)


def test_the_critical_point_is_passed_after_some_looks_in_a_row() -> None:
    watch = CpuWatch(percent=90.0, looks=3, interval_s=20.0)
    seen = [watch.look({1: used, 2: 0.0}, now) for now, used in ((0, 0), (20, 19), (40, 38), (60, 57), (80, 76))]
    assert seen == [[], [], [], [1], []]


def test_a_rest_begins_the_count_again() -> None:
    watch = CpuWatch(percent=90.0, looks=2, interval_s=10.0)
    seen = [watch.look({1: used}, now) for now, used in ((0, 0), (10, 10), (20, 11), (30, 21), (40, 31))]
    assert seen == [[], [], [], [], [1]]


def test_a_number_given_to_another_process_begins_anew() -> None:
    watch = CpuWatch(percent=50.0, looks=1, interval_s=10.0)
    assert watch.look({1: 100.0}, 0) == []
    assert watch.look({}, 10) == []
    assert watch.look({1: 200.0}, 20) == []


def test_the_interval_is_kept() -> None:
    watch = CpuWatch(percent=50.0, looks=1, interval_s=10.0)
    assert watch.is_due(0.0)
    watch.look({}, 0.0)
    assert not watch.is_due(9.9)
    assert watch.is_due(10.0)
