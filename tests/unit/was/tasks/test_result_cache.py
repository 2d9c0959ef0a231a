"""Kept results, and calls that are shared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skitaid.was.tasks.flight import Flight, Seat
from skitaid.was.tasks.result import Result
from skitaid.was.tasks.result_cache import KeyMemo, ResultCache
from skitaid.was.tasks.task import Task
from skitaid.was.tasks.work import Done


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Deed:
    patience_s: float | None = 5.0
    about = "a deed"

    def __init__(self) -> None:
        self.started: list[Done] = []
        self.cancelled = 0

    def start(self, done: Done) -> None:
        self.started.append(done)

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cache_of(clock: Clock, limit: int = 10, **more: int) -> ResultCache:
    return ResultCache(limit, clock=clock, wall_clock=clock, **more)


def keep(cache: ResultCache, key: object, result: Result, seconds: float = 60) -> None:
    cache.keep(key, result, seconds, asked_at=cache._wall_clock())


def test_a_result_is_kept_for_as_long_as_was_said(clock: Clock) -> None:
    cache = cache_of(clock)
    keep(cache, "a", Result.of_data([1]))
    clock.now += 59
    found = cache.find("a")
    assert found is not None
    assert found.result.data == [1]
    clock.now += 1
    assert cache.find("a") is None
    assert cache.find("b") is None


def test_what_is_kept_is_not_what_was_given(clock: Clock) -> None:
    cache = cache_of(clock)
    original = Result.of_data([1])
    keep(cache, "a", original)
    original.data.append(2)
    found = cache.find("a")
    assert found is not None
    assert found.result.data == [1]


def test_use_cache(clock: Clock) -> None:
    cache = cache_of(clock)
    keep(cache, "a", Result.of_data(1))
    assert cache.find("a", True) is not None
    assert cache.find("a", False) is None
    assert cache.find("a", clock.now - 1) is not None
    assert cache.find("a", clock.now) is None
    assert cache.find("a", clock.now + 1) is None
    assert cache.find("a", 0.0) is not None


def test_the_least_recently_used_goes(clock: Clock) -> None:
    cache = cache_of(clock, 2)
    for key in ("a", "b"):
        keep(cache, key, Result.of_data(key))
    cache.find("a")
    keep(cache, "c", Result.of_data("c"))
    assert [cache.find(key) is not None for key in "abc"] == [True, False, True]
    assert len(cache) == 2


def test_bytes_are_bounded_too(clock: Clock) -> None:
    cache = cache_of(clock, 100, max_bytes=8000)
    for number in range(20):
        keep(cache, number, Result(size=900))
    assert cache.size <= 8000
    assert len(cache) == 8
    keep(cache, "large", Result(size=1001))
    assert cache.find("large") is None
    keep(cache, 19, Result(size=100))
    assert cache.size == 7 * 900 + 100


def test_a_cache_without_room(clock: Clock) -> None:
    cache = cache_of(clock, 0)
    keep(cache, "a", Result())
    assert cache.find("a") is None


# ---------------------------------------------------------------- shared calls


def tasks_of(
    cache: ResultCache, *, is_asked: bool = False, use_cache: bool | float = True
) -> Callable[[], tuple[Task, Deed]]:
    def make() -> tuple[Task, Deed]:
        deed = Deed()
        flight = cache.flight("a", lambda: deed, use_cache=use_cache, is_asked=is_asked)
        return Task(Seat(flight, Deed), memo=KeyMemo(cache, "a", flight)), deed

    return make


def test_calls_that_nobody_keeps_are_not_shared(clock: Clock) -> None:
    make = tasks_of(cache_of(clock))
    (_, one), (_, two) = make(), make()
    assert len(one.started) == len(two.started) == 1


def test_who_asked_for_a_kept_result_shares_the_call(clock: Clock) -> None:
    make = tasks_of(cache_of(clock), is_asked=True)
    (first, one), (second, two) = make(), make()
    assert (len(one.started), len(two.started)) == (1, 0)
    one.started[0](Result.of_data([1]))
    first.fetch().append(2)
    assert second.fetch() == [1]


def test_who_asks_while_a_result_is_fetched_that_will_be_kept_shares_it(clock: Clock) -> None:
    make = tasks_of(cache_of(clock))
    first, one = make()
    first._announce()
    second, two = make()
    assert not two.started
    one.started[0](Result.of_data(1))
    assert first.fetch() == second.fetch() == 1
    _, three = make()
    assert three.started


def test_one_call_renews_what_is_too_old(clock: Clock) -> None:
    cache = cache_of(clock)
    make = tasks_of(cache)
    first, one = make()
    one.started[0](Result.of_data(1))
    first.cache(10)
    clock.now += 11
    (_, two), (_, three) = make(), make()
    assert (len(two.started), len(three.started)) == (1, 0)


def test_who_wants_no_kept_result_shares_nothing(clock: Clock) -> None:
    cache = cache_of(clock)
    (_, one), (_, two) = tasks_of(cache, is_asked=True)(), tasks_of(cache, is_asked=True, use_cache=False)()
    assert len(one.started) == len(two.started) == 1


def test_a_shared_call_goes_on_for_those_who_still_wait(clock: Clock) -> None:
    make = tasks_of(cache_of(clock), is_asked=True)
    (first, one), (second, _) = make(), make()
    first.give_up()
    assert one.cancelled == 0
    one.started[0](Result.of_data(1))
    assert second.fetch() == 1


def test_a_call_that_nobody_waits_for_is_given_up(clock: Clock) -> None:
    cache = cache_of(clock)
    make = tasks_of(cache, is_asked=True)
    (first, one), (second, _) = make(), make()
    first.give_up()
    second.give_up()
    assert one.cancelled == 1
    third, three = make()
    assert three.started
    three.started[0](Result.of_data(1))
    assert third.fetch() == 1
    assert not cache._flights


def test_who_comes_too_late_calls_anew() -> None:
    deed, other = Deed(), Deed()
    flight = Flight(deed)
    flight.join(lambda result: None)
    deed.started[0](Result())
    assert flight.join(lambda result: None) is False
    task = Task(Seat(flight, lambda: other))
    other.started[0](Result.of_data(2))
    assert task.fetch() == 2


def test_to_announce_what_is_over_leaves_nothing_behind(clock: Clock) -> None:
    cache = cache_of(clock)
    first, one = tasks_of(cache)()
    one.started[0](Result())
    first._announce()
    assert not cache._flights


def test_an_answer_is_as_old_as_its_question(clock: Clock) -> None:
    cache = cache_of(clock)
    make = tasks_of(cache)
    first, one = make()
    asked_at, clock.now = clock.now, clock.now + 5
    one.started[0](Result.of_data(1))
    first.cache(60)
    assert cache.find("a", asked_at - 1) is not None
    assert cache.find("a", asked_at) is None
    assert cache.find("a", asked_at + 3) is None


def test_a_call_that_began_before_a_change_is_not_shared_after_it(clock: Clock) -> None:
    cache = cache_of(clock)
    (_, one), (_, two) = tasks_of(cache, is_asked=True)(), tasks_of(cache, is_asked=True, use_cache=clock.now)()
    assert len(one.started) == len(two.started) == 1


def test_a_seat_that_was_never_taken_can_be_left() -> None:
    Seat(Flight(Deed()), Deed).cancel()


def test_a_flight_that_has_landed_is_not_left() -> None:
    deed = Deed()
    flight = Flight(deed)
    landed: list[Result] = []
    flight.join(landed.append)
    deed.started[0](Result())
    flight.leave(landed.append)
    deed.started[0](Result())
    assert (len(landed), deed.cancelled) == (1, 0)
