from __future__ import annotations

from skitaid.supervisor.rates import RateWindow
from skitaid.supervisor.scoreboard import SlotView, WorkerState


def view(pid: int, requests: int) -> SlotView:
    return SlotView(0, pid, WorkerState.READY, 0, 0, requests, 0, 0.0)


def test_nothing_yet() -> None:
    window = RateWindow()
    assert window.per_second == 0
    window.feed(1.0, [view(1, 1000)])
    assert window.per_second == 0


def test_requests_of_all_workers_over_the_window() -> None:
    window = RateWindow()
    for second in range(20):
        window.feed(float(second), [view(1, 100 * second), view(2, 10 * second)])
    assert window.per_second == 110


def test_old_seconds_do_not_count() -> None:
    window = RateWindow()
    window.feed(0.0, [view(1, 0)])
    window.feed(1.0, [view(1, 1000)])
    for second in range(2, 9):
        window.feed(float(second), [view(1, 1000)])
    assert window.per_second == 0


def test_a_replaced_worker_counts_from_zero() -> None:
    window = RateWindow()
    window.feed(0.0, [view(1, 5000)])
    window.feed(1.0, [view(2, 10)])
    assert window.per_second == 10


def test_a_cleared_window_starts_anew() -> None:
    window = RateWindow()
    window.feed(0.0, [view(1, 0)])
    window.feed(1.0, [view(1, 50)])
    window.clear()
    assert window.per_second == 0
