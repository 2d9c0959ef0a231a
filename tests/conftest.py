"""What all tests share: a time limit for each, so that a hang is a failure with a place instead of a silent wait."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

DEFAULT_LIMIT_S = 60.0


class TestTookTooLong(BaseException):
    """Not an Exception: the code under test must not swallow it with its own handlers."""

    __test__ = False


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that are no text tell nobody anything; and what a compressor makes holds the time of day, where the
    processes that share the tests must find the same names. None: the usual name."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


def _limit_of(item: pytest.Item) -> float:
    marker = item.get_closest_marker("time_limit")
    return float(marker.args[0]) if marker else DEFAULT_LIMIT_S


@pytest.fixture(autouse=True)
def _time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Children do not inherit the timer; a limit within a fixture's set-up counts for the test it sets up."""
    limit_s = _limit_of(request.node)

    def too_long(_signal: int, _frame: FrameType | None) -> None:
        raise TestTookTooLong(f"{request.node.nodeid} ran for more than {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
