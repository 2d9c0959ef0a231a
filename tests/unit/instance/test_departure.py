from __future__ import annotations

import pytest

from skitaid.instance.departure import LEAVING_S, Departure
from skitaid.instance.worker_pool import Worker


@pytest.fixture
def departure() -> Departure:
    return Departure.of([Worker(pid, 0, 0, 0) for pid in (1, 2)], 10.0)


def test_it_is_over_when_no_old_worker_takes_connections(departure: Departure) -> None:
    assert not departure.is_over({1, 2, 3}, 10.0)
    departure.closed(1)
    assert not departure.is_over({1, 2, 3}, 10.0)
    departure.closed(2)
    assert departure.is_over({1, 2, 3}, 10.0)


def test_a_worker_that_is_gone_takes_none(departure: Departure) -> None:
    departure.closed(1)
    assert departure.is_over({1, 3}, 10.0)


def test_nobody_waits_for_ever(departure: Departure) -> None:
    assert not departure.is_over({1, 2}, 10.0 + LEAVING_S - 0.1)
    assert departure.is_over({1, 2}, 10.0 + LEAVING_S)


def test_where_nobody_leaves_it_is_over_at_once() -> None:
    assert Departure.of([], 10.0).is_over({3}, 10.0)
