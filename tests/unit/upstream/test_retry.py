"""What is made again, and where."""

from __future__ import annotations

import pytest

from skitaid.upstream.errors import Failure, UpstreamError
from skitaid.upstream.retry import Attempt, Step, is_members_fault, next_step


def step(failure: Failure, *, is_unsent: bool = False, **facts: int) -> Step:
    known = {"is_heard": False, "is_stale": False, "is_spent": False, "may_repeat": False, "fresh": 0}
    return next_step(Attempt(UpstreamError(failure, is_unsent=is_unsent), **(known | facts)))


@pytest.mark.parametrize(
    ("failure", "facts", "expected"),
    [
        # nothing was sent: elsewhere, whatever it is
        (Failure.UNREACHABLE, {"is_unsent": True}, Step.OTHER),
        (Failure.CONNECT_TIMEOUT, {"is_unsent": True}, Step.OTHER),
        (Failure.SATURATED, {"is_unsent": True}, Step.OTHER),
        (Failure.RESET, {"is_unsent": True}, Step.OTHER),
        # something was: only what may be executed twice
        (Failure.RESET, {}, Step.FAIL),
        (Failure.RESET, {"may_repeat": True}, Step.OTHER),
        (Failure.READ_TIMEOUT, {}, Step.FAIL),
        (Failure.READ_TIMEOUT, {"may_repeat": True}, Step.OTHER),
        (Failure.INVALID, {"may_repeat": True}, Step.OTHER),
        (Failure.TRUNCATED, {"may_repeat": True}, Step.OTHER),
        # of a connection that had been idle too long: first once more with the same member
        (Failure.RESET, {"is_stale": True, "may_repeat": True}, Step.FRESH),
        (Failure.RESET, {"is_stale": True, "is_unsent": True}, Step.FRESH),
        (Failure.RESET, {"is_stale": True, "may_repeat": True, "fresh": 1}, Step.OTHER),
        # a stream that was not looked at, as the member retires connections
        (Failure.RESET, {"is_stale": True, "is_unsent": True, "fresh": 4}, Step.FRESH),
        (Failure.RESET, {"is_stale": True, "is_unsent": True, "fresh": 5}, Step.OTHER),
        (Failure.RESET, {"is_stale": True}, Step.FAIL),
        # the receiver heard something
        (Failure.RESET, {"is_heard": True, "may_repeat": True}, Step.FAIL),
        (Failure.TRUNCATED, {"is_heard": True, "may_repeat": True}, Step.FAIL),
        # the body is gone
        (Failure.RESET, {"is_spent": True, "may_repeat": True}, Step.FAIL),
        (Failure.RESET, {"is_spent": True, "is_unsent": True}, Step.FAIL),
        # our own time is up, or we gave up
        (Failure.TOTAL_TIMEOUT, {"is_unsent": True, "may_repeat": True}, Step.FAIL),
        (Failure.CANCELLED, {"is_unsent": True, "may_repeat": True}, Step.FAIL),
    ],
)
def test_the_step_that_follows(failure: Failure, facts: dict[str, int], expected: Step) -> None:
    assert step(failure, **facts) is expected


@pytest.mark.parametrize("failure", list(Failure))
def test_what_was_heard_or_spent_is_never_made_again(failure: Failure) -> None:
    for is_unsent in (False, True):
        assert step(failure, is_heard=True, is_unsent=is_unsent, may_repeat=True, is_stale=True) is Step.FAIL
        assert step(failure, is_spent=True, is_unsent=is_unsent, may_repeat=True, is_stale=True) is Step.FAIL


@pytest.mark.parametrize("failure", list(Failure))
def test_what_may_have_been_executed_is_never_executed_twice(failure: Failure) -> None:
    assert step(failure) is step(failure, is_stale=True) is Step.FAIL


def test_whose_fault_it_is() -> None:
    def is_fault(failure: Failure, *, is_stale: bool = False, is_waited_for: bool = False) -> bool:
        return is_members_fault(UpstreamError(failure), is_stale=is_stale, is_waited_for=is_waited_for)

    assert is_fault(Failure.UNREACHABLE)
    assert is_fault(Failure.READ_TIMEOUT)
    assert is_fault(Failure.RESET)
    assert not is_fault(Failure.RESET, is_stale=True)
    assert not is_fault(Failure.SATURATED)
    assert not is_fault(Failure.CANCELLED)
    assert is_fault(Failure.TOTAL_TIMEOUT, is_waited_for=True)
    assert not is_fault(Failure.TOTAL_TIMEOUT)
