from __future__ import annotations

import pytest

from skitaid.engine.phase import Phase
from skitaid.engine.timeouts import Timeouts

TIMEOUTS = Timeouts(keep_alive_s=5, stall_s=10, head_s=30, linger_s=2)


@pytest.mark.parametrize(
    ("phase", "idle_s", "head_age_s", "expected"),
    [
        (Phase.IDLE, 5.0, 1000, False),
        (Phase.IDLE, 5.1, 0, True),
        (Phase.HEAD, 10.0, 30.0, False),
        (Phase.HEAD, 10.1, 11.0, True),
        # A byte now and then does not keep a head alive.
        (Phase.HEAD, 0.1, 30.1, True),
        (Phase.BODY, 10.0, 1000, False),
        (Phase.BODY, 10.1, 11.0, True),
        (Phase.SENDING, 10.0, 1000, False),
        (Phase.SENDING, 10.1, 11.0, True),
        (Phase.LINGERING, 2.0, 30.0, False),
        (Phase.LINGERING, 2.1, 2.1, True),
        # Nor does it keep a connection alive that is closing.
        (Phase.LINGERING, 0.1, 30.1, True),
        # An app may take as long as it likes.
        (Phase.APP, 1e6, 1e6, False),
        (Phase.CLOSED, 1e6, 1e6, False),
    ],
)
def test_is_over(phase: Phase, idle_s: float, head_age_s: float, expected: bool) -> None:
    assert TIMEOUTS.is_over(phase, idle_s, head_age_s) is expected


def test_however_steady_a_transfer_has_an_end() -> None:
    timeouts = Timeouts(total_s=100)
    assert timeouts.is_over(Phase.BODY, 0.1, 101)
    assert timeouts.is_over(Phase.SENDING, 0.1, 101)
    assert not timeouts.is_over(Phase.BODY, 0.1, 99)
    assert not timeouts.is_over(Phase.APP, 500, 500)
    assert not Timeouts(total_s=0).is_over(Phase.SENDING, 0.1, 1e9)
