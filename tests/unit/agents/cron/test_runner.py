"""What a runner says. What it does is tested with real jobs, in tests/functional."""

from __future__ import annotations

import pytest

from skitaid.agents.cron.runner import Result, describe


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Result(0, 0.04), "ended after 0.0 s"),
        (Result(3, 61.26), "failed: exit code 3 after 61.3 s"),
        (Result(-9, 1.0), "failed: killed by signal 9 (Killed) after 1.0 s"),
        (
            Result(-15, 2.0, "ended by its time limit (TIMEOUT)"),
            "ended by its time limit (TIMEOUT), killed by signal 15 (Terminated) after 2.0 s",
        ),
        (Result(0, 2.0, "ended on request"), "ended on request, exit code 0 after 2.0 s"),
    ],
)
def test_how_it_ended(result: Result, expected: str) -> None:
    assert describe(result) == expected
