from __future__ import annotations

import pytest

from skitaid.instance.quiesce import QUIESCE_S, Quiesce
from skitaid.instance.worker_pool import Worker


@pytest.fixture
def quiesce() -> Quiesce:
    return Quiesce.of([Worker(pid, 0, 0, 0) for pid in (1, 2)], 10.0)


def test_it_is_over_when_no_old_worker_takes_connections(quiesce: Quiesce) -> None:
    assert not quiesce.is_over({1, 2, 3}, 10.0)
    quiesce.closed(1)
    assert not quiesce.is_over({1, 2, 3}, 10.0)
    quiesce.closed(2)
    assert quiesce.is_over({1, 2, 3}, 10.0)


def test_a_worker_that_is_gone_takes_none(quiesce: Quiesce) -> None:
    quiesce.closed(1)
    assert quiesce.is_over({1, 3}, 10.0)


def test_nobody_waits_for_ever(quiesce: Quiesce) -> None:
    assert not quiesce.is_over({1, 2}, 10.0 + QUIESCE_S - 0.1)
    assert quiesce.is_over({1, 2}, 10.0 + QUIESCE_S)


def test_where_nobody_leaves_it_is_over_at_once() -> None:
    assert Quiesce.of([], 10.0).is_over({3}, 10.0)
