from __future__ import annotations

import errno
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from skitaid.engine.threads import BUSY_WAIT_S, AppThreads

pytestmark = pytest.mark.time_limit(60)
PATIENCE_S = 20.0


class Job:
    def __init__(self, action: Callable[[], object]) -> None:
        self.run = action


class Loop:
    """The loop's part: batches, and polls that end when the threads ask for it."""

    def __init__(self, threads: AppThreads) -> None:
        self.threads = threads
        self.refused = 0

    def batch(self, *jobs: Callable[[], object]) -> bool:
        """A batch of events, of which each brings a job."""
        self.threads.begin_batch(len(jobs))
        for job in jobs:
            self.refused += not self.threads.submit(Job(job))
        return self.threads.end_batch()

    def wait(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(BUSY_WAIT_S)

    def until(self, condition: Callable[[], object]) -> None:
        """Poll, with no events, as long and as often as `end_batch` says."""
        deadline = time.monotonic() + PATIENCE_S
        polls_soon = self.threads.end_batch()
        while not condition():
            assert time.monotonic() < deadline, f"{self.threads.waiting} jobs wait, {self.threads.busy} threads busy"
            time.sleep(BUSY_WAIT_S)
            if polls_soon:
                polls_soon = self.batch()


@pytest.fixture
def make() -> Iterator[Callable[..., Loop]]:
    made: list[AppThreads] = []

    def make_loop(count: int = 4, limit: int = 100000) -> Loop:
        made.append(AppThreads(count, limit=limit))
        loop = Loop(made[-1])
        loop.until(lambda: loop.threads.busy == 0)
        return loop

    yield make_loop
    for threads in made:
        threads.close(PATIENCE_S)


def test_a_job_runs_in_a_thread(make: Callable[..., Loop]) -> None:
    loop = make()
    where: list[str] = []
    loop.batch(lambda: where.append(threading.current_thread().name))
    loop.until(lambda: where)
    assert where[0].startswith("app thread #")


def test_one_thread_is_woken_for_a_batch_of_quick_jobs(make: Callable[..., Loop]) -> None:
    loop = make()
    hold = threading.Event()
    done: list[int] = []
    loop.batch(hold.wait, *[lambda: done.append(threading.get_ident())] * 20)
    # Nobody else can have been woken: the first is held, and there was no second batch.
    assert loop.threads.busy == 1
    assert done == []
    hold.set()
    loop.until(lambda: len(done) == 20)


def test_a_blocked_job_does_not_hold_the_others(make: Callable[..., Loop]) -> None:
    loop = make()
    hold = threading.Event()
    done: list[int] = []
    loop.batch(hold.wait, lambda: done.append(1), lambda: done.append(2))
    loop.until(lambda: len(done) == 2)
    assert not hold.is_set()
    hold.set()


def test_all_threads_come_into_play(make: Callable[..., Loop]) -> None:
    """Four jobs that wait for each other: they end only if all four run at the same time."""
    loop = make()
    together = threading.Barrier(4)
    done: list[int] = []

    def meet() -> None:
        together.wait(PATIENCE_S)
        done.append(1)

    loop.batch(meet, meet, meet, meet)
    loop.until(lambda: len(done) == 4)


def test_a_second_thread_is_woken_at_the_next_batch_when_the_first_is_stuck(make: Callable[..., Loop]) -> None:
    """With events in every batch there is no quiet millisecond; the job begun is what tells."""
    loop = make(2)
    hold = threading.Event()
    begun = threading.Event()
    done: list[int] = []

    def block() -> None:
        begun.set()
        hold.wait(PATIENCE_S)

    loop.batch(block)
    assert begun.wait(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while not done:
        assert time.monotonic() < deadline
        loop.batch(lambda: done.append(1))
    hold.set()


def test_a_thread_that_is_idle_again_is_woken_at_once_beside_one_that_is_stuck(make: Callable[..., Loop]) -> None:
    loop = make(2)
    hold = threading.Event()
    begun, first, second = threading.Event(), threading.Event(), threading.Event()
    loop.batch(lambda: (begun.set(), hold.wait(2 * PATIENCE_S)))
    loop.until(lambda: begun.is_set() and loop.threads.busy == 1)
    loop.batch(first.set)
    loop.until(lambda: first.is_set() and loop.threads.busy == 1)
    loop.batch(second.set)
    # No poll in between: the end of that very batch saw to it.
    was_woken = second.wait(PATIENCE_S)
    hold.set()
    assert was_woken


def test_full_is_refused(make: Callable[..., Loop]) -> None:
    loop = make(1, limit=3)
    hold = threading.Event()
    begun = threading.Event()
    done: list[int] = []
    loop.batch(lambda: (begun.set(), hold.wait(PATIENCE_S)))
    assert begun.wait(PATIENCE_S)
    loop.batch(*[lambda: done.append(1)] * 5)
    assert (loop.refused, loop.threads.waiting) == (2, 3)
    hold.set()
    loop.until(lambda: len(done) == 3)
    assert loop.threads.waiting == 0


def test_a_job_that_raises_does_not_end_its_thread(
    make: Callable[..., Loop], capsys: pytest.CaptureFixture[str]
) -> None:
    loop = make(1)
    done: list[int] = []

    def fail(error: BaseException) -> None:
        raise error

    for error in (ValueError("a job failed"), SystemExit("a job left")):
        loop.batch(lambda error=error: fail(error))
    loop.batch(lambda: done.append(1))
    loop.until(lambda: done)
    err = capsys.readouterr().err
    assert "ValueError: a job failed" in err
    assert "SystemExit: a job left" in err


def test_no_poll_is_hurried_when_nobody_could_be_woken(make: Callable[..., Loop]) -> None:
    loop = make(1)
    hold = threading.Event()
    begun = threading.Event()
    done: list[int] = []
    loop.batch(lambda: (begun.set(), hold.wait(PATIENCE_S)))
    assert begun.wait(PATIENCE_S)
    assert loop.batch(lambda: done.append(1)) is False
    hold.set()
    # Its thread takes it without being woken.
    loop.until(lambda: done)


@pytest.mark.parametrize("seed", range(4))
def test_no_job_is_lost(make: Callable[..., Loop], seed: int) -> None:
    """Jobs of random length in batches of random size, with and without a rest between them."""
    choose = random.Random(seed)
    loop = make(choose.randint(1, 6))
    done: list[int] = []
    sent = 0

    def work(number: int, seconds: float) -> None:
        if seconds:
            time.sleep(seconds)
        done.append(number)

    for _ in range(400):
        jobs = []
        for _ in range(choose.choice((0, 1, 1, 1, 2, 5, 20))):
            seconds = choose.choice((0,) * 12 + (0.0001, 0.002))
            jobs.append(lambda number=sent, seconds=seconds: work(number, seconds))
            sent += 1
        polls_soon = loop.batch(*jobs)
        time.sleep(choose.choice((0, 0, 0, 0.0002, BUSY_WAIT_S)))
        if polls_soon and choose.random() < 0.5:
            loop.batch()
    loop.until(lambda: len(done) == sent)
    assert sorted(done) == list(range(sent))


@pytest.mark.parametrize("round_", range(3))
def test_the_last_job_is_taken_when_threads_go_to_sleep(make: Callable[..., Loop], round_: int) -> None:
    """A job that comes in the very moment the last thread finds the queue empty."""
    loop = make(2)
    done: list[int] = []
    for number in range(1500):
        loop.batch(lambda number=number: done.append(number))
        loop.until(lambda number=number: len(done) > number or number % 50)
    loop.until(lambda: len(done) == 1500)


def test_close_lets_a_job_end(make: Callable[..., Loop]) -> None:
    loop = make(3)
    begun = threading.Event()
    done: list[int] = []

    def work() -> None:
        begun.set()
        time.sleep(0.05)
        done.append(1)

    loop.batch(work)
    assert begun.wait(PATIENCE_S)
    loop.threads.close(PATIENCE_S)
    assert done == [1]


def test_close_gives_one_slow_job_all_of_the_time(make: Callable[..., Loop]) -> None:
    loop = make(8)
    begun = threading.Event()
    done: list[int] = []

    def work() -> None:
        begun.set()
        time.sleep(0.2)
        done.append(1)

    loop.batch(work)
    assert begun.wait(PATIENCE_S)
    # An equal share of this for each thread would be too short.
    loop.threads.close(1.2)
    assert done == [1]


def test_close_does_not_wait_for_what_never_ends(make: Callable[..., Loop]) -> None:
    loop = make(2)
    hold = threading.Event()
    begun = threading.Event()
    loop.batch(lambda: (begun.set(), hold.wait(PATIENCE_S)))
    assert begun.wait(PATIENCE_S)
    loop.threads.close(0.01)
    assert loop.threads.busy >= 1
    hold.set()


def test_close_while_a_thread_begins_that_takes_another_s_place(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = AppThreads(1, limit=10, aside_limit=1)
    loop = Loop(threads)
    starts = threading.Event()

    class LateThread(threading.Thread):
        """Starts a while after the end has begun."""

        def start(self) -> None:
            starts.set()
            loop.wait(lambda: threads._is_closing)
            time.sleep(0.02)
            super().start()

    monkeypatch.setattr(threading, "Thread", LateThread)
    loop.batch(threads.step_aside)
    assert starts.wait(PATIENCE_S)
    threads.close(0.0)
    loop.wait(lambda: not any(thread.is_alive() for thread in threads._threads))


@pytest.mark.parametrize("round_", range(8))
def test_close_leaves_no_thread_asleep(round_: int) -> None:
    """Also not one that was about to lie down when all were woken for the last time."""
    before = set(threading.enumerate())
    threads = AppThreads(4, limit=10)
    for _ in range(round_ % 4):
        threads.submit(Job(lambda: None))
    threads.end_batch()
    threads.close(PATIENCE_S)
    assert set(threading.enumerate()) == before


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_threads_that_end_give_their_descriptors_back() -> None:
    before = _descriptors()
    threads = AppThreads(3, limit=10)
    assert _descriptors() > before
    threads.close(PATIENCE_S)
    assert _descriptors() == before


def test_nobody_steps_aside_when_no_thread_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = AppThreads(1, limit=10, aside_limit=5)
    stood_aside: list[bool] = []
    done = threading.Event()

    def refuse() -> NoReturn:
        raise OSError(errno.EMFILE, "too many open files")

    def job() -> None:
        stood_aside.append(threads.step_aside())
        done.set()

    monkeypatch.setattr("skitaid.engine.threads.Bell", refuse)
    loop = Loop(threads)
    loop.batch(job)
    loop.until(done.is_set)
    assert (stood_aside, threads.aside) == ([False], 0)
    monkeypatch.undo()
    threads.close(PATIENCE_S)
