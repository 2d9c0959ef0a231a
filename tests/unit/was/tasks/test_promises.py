"""Futures: what they wait for, and what they make."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from skitaid import was
from skitaid.was import context
from skitaid.was.errors import HTTPError, WasError
from skitaid.was.tasks.result import STA_REQFAIL, STA_TIMEOUT, Result, Results
from skitaid.was.tasks.task import Task
from skitaid.was.worker import current_worker
from tests.unit.was.rig import PATIENCE_S, FakeLoop, World, until
from tests.unit.was.tasks.test_task import At, Deed


def ready_of(future: Any) -> list[bool]:
    ready: list[bool] = []
    future.when_ready(lambda: ready.append(True))
    return ready


def test_a_future_of_one_task(loop: FakeLoop) -> None:
    deed = Deed()
    future = Task(deed).then(lambda was, result, **more: (was, result, more), b=1)
    ready = ready_of(future)
    assert ready == []
    deed.done(Result.of_data(5))
    assert ready == [True]
    first, result, more = future.make()
    assert (first, result.data, more) == (was, 5, {"b": 1})


def test_futures_of_several(loop: FakeLoop) -> None:
    deeds = [Deed(), Deed()]
    futures = was.Tasks([Task(deed) for deed in deeds]).then(lambda was, results: results)
    ready = ready_of(futures)
    deeds[1].done(Result.of_data(1))
    assert ready == []
    deeds[0].done(Result.of_data(0))
    assert ready == [True]
    results = futures.make()
    assert isinstance(results, Results)
    assert results.fetch() == [0, 1]


def test_futures_of_what_is_done_are_ready(loop: FakeLoop) -> None:
    assert ready_of(was.Futures([Task(At(1)), was.Mask(2)]).then(print)) == [True]
    assert ready_of(was.Futures([]).then(print)) == [True]
    assert loop.timers == []


def test_what_takes_too_long_is_given_up(world: World, loop: FakeLoop) -> None:
    deeds = [Deed(), Deed()]
    futures = was.Futures([Task(deed) for deed in deeds], timeout=2).then(lambda was, results: results.status)
    ready = ready_of(futures)
    deeds[0].done(Result.of_data(1))
    loop.tick(world)
    assert ready == []
    futures._deadline = None
    current_worker().watch._clock = lambda: time.monotonic() + 2
    loop.tick(world)
    assert ready == [True]
    assert futures.make() == [3, STA_TIMEOUT]
    assert deeds[1].cancelled == 1


def test_while_nothing_is_watched_no_clock_goes(world: World, loop: FakeLoop) -> None:
    deeds = [Deed(), Deed()]
    for deed in deeds:
        ready_of(was.Future(Task(deed)).then(print))
    world.settle()
    assert len(loop.timers) == 1
    loop.tick(world)
    assert len(loop.timers) == 1
    for deed in deeds:
        deed.done(Result())
    loop.tick(world)
    assert loop.timers == []
    ready_of(was.Future(Task(Deed())).then(print))
    world.settle()
    assert len(loop.timers) == 1


def test_the_time_of_tasks_goes_on(loop: FakeLoop) -> None:
    tasks = was.Tasks([Task(Deed())], timeout=5)
    tasks._created_at -= 4
    futures = tasks.then(print)
    assert futures._deadline is not None
    assert futures._deadline - time.monotonic() < 1.5


def test_the_time_of_a_task_goes_on(loop: FakeLoop) -> None:
    task = Task(Deed(), timeout_s=30)
    task._created_at -= 10
    deadline = task.then(print)._deadline
    assert 15 < deadline - time.monotonic() <= 20
    assert Task(Deed(patience_s=None)).then(print)._deadline is None


def test_without_a_function_there_is_no_response() -> None:
    with pytest.raises(WasError, match="without then"):
        was.Futures([was.Mask(1)]).make()


def test_what_the_function_raises_is_raised() -> None:
    def respond(was: Any, result: Any) -> None:
        result.fetch()

    deed = Deed()
    future = Task(deed).then(respond)
    deed.done(Result(404))
    with pytest.raises(HTTPError):
        future.make()


def test_returning() -> None:
    assert was.Futures([was.Mask(1)]).returning("now") == "now"
    assert was.futures is was.Futures


class FakeStream:
    gtxnid = "GTID-C1-R1"
    ltxnid = "1000"


@pytest.fixture
def bound() -> Iterator[context.Bound]:
    found = context.Bound(FakeStream())  # type: ignore[arg-type]
    found.environ = {"PATH_INFO": "/a"}
    cell = context.cell()
    cell.bound = found
    yield found
    cell.bound = None


def test_a_framework_gets_its_own_was(bound: context.Bound) -> None:
    container = object()
    context.bind_container(container)
    assert was.Mask(1).then(lambda was, result: was).make() is container


def test_as_a_wsgi_app(bound: context.Bound) -> None:
    future = was.Mask(1).then(print)
    started: list[Any] = []
    assert future({}, lambda *start: started.append(start)) == []
    assert bound.memory is not None
    assert bound.memory.later is future
    assert started[0][0] == "200 OK"


def test_as_a_wsgi_app_of_another_server() -> None:
    with pytest.raises(WasError, match="skitaid alone"):
        was.Mask(1).then(print)({}, print)


# ---------------------------------------------------------------- threads


def test_a_function_in_a_thread() -> None:
    task = was.Thread(lambda a, b=0: (a + b, threading.current_thread().name), 1, b=2)
    assert task.fetch() == (3, "was.Thread")
    assert task.code == 200


def test_an_exception_in_a_thread() -> None:
    task = was.Thread(lambda: {}["x"])
    assert task.dispatch().status == 2
    with pytest.raises(KeyError):
        task.fetch()
    with pytest.raises(SystemExit):
        was.Thread(exit).fetch()


def test_a_thread_is_on_behalf_of_its_request(bound: context.Bound) -> None:
    gate = threading.Event()

    def work() -> tuple[str, Any]:
        assert gate.wait(PATIENCE_S)
        return was.env["PATH_INFO"], context.outgoing_ids()

    task = was.Thread(work)
    context.cell().bound = None
    gate.set()
    assert task.fetch() == ("/a", ("GTID-C1-R1", "2001"))


def test_a_thread_that_is_given_up() -> None:
    gate = threading.Event()
    task = was.Thread(gate.wait, PATIENCE_S)
    assert task.dispatch(0.01).status == STA_TIMEOUT
    gate.set()


def test_what_is_given_up_before_it_begins_is_not_begun() -> None:
    from skitaid.was.local.thread_pool import ThreadPool
    from skitaid.was.local.thread_work import ThreadWork

    pool, gate, called = ThreadPool("test", 1), threading.Event(), []
    first = Task(ThreadWork(pool, lambda: gate.wait(PATIENCE_S)))
    second = Task(ThreadWork(pool, lambda: called.append(2)))
    second.give_up()
    gate.set()
    first.commit()
    assert Task(ThreadWork(pool, lambda: 3)).fetch() == 3
    assert called == []


def test_threads_that_wait_for_threads_do_not_wait_for_ever() -> None:
    from skitaid.was.local.thread_pool import ThreadPool
    from skitaid.was.local.thread_work import ThreadWork

    pool = ThreadPool("test", 2)

    def deep(depth: int) -> int:
        return 0 if not depth else 1 + Task(ThreadWork(pool, lambda: deep(depth - 1))).fetch(PATIENCE_S)

    tasks = was.Tasks([Task(ThreadWork(pool, lambda: deep(5))) for _ in range(8)], PATIENCE_S)
    assert tasks.fetch() == [5] * 8
    until(lambda: not pool.is_busy, "the pool to come to rest")
    assert pool.threads <= 2


def test_a_time_out_that_a_function_met_is_its_own() -> None:
    def meet() -> None:
        raise TimeoutError("of a database")

    task = was.Thread(meet)
    assert task.dispatch(PATIENCE_S).status == STA_REQFAIL
    with pytest.raises(TimeoutError, match="of a database"):
        task.fetch()


def test_a_failure_that_nobody_asked_for_is_told(world: World, bound: context.Bound) -> None:
    def fail() -> None:
        raise ValueError("no")

    task = was.Thread(fail)
    task.add_done_callback((done := threading.Event()).set)
    assert done.wait(PATIENCE_S)
    del task
    until(lambda: world.logged, "the line in the log")
    ((kind, text, identifier),) = world.logged
    assert (kind, identifier) == ("expt", "GTID-C1-R1/1000")
    assert "fail) failed, and nobody asked" in text
    assert "ValueError('no')" in text


def test_a_failure_that_was_heard_is_not(world: World) -> None:
    task = was.Thread(lambda: {}["x"])
    task.dispatch()
    del task
    was.Thread(lambda: 1).fetch()
    assert world.logged == []


def test_pools_are_bounded() -> None:
    from skitaid.was.errors import QueueFullError
    from skitaid.was.local.thread_pool import ThreadPool

    pool, gate = ThreadPool("test", 2, limit=3), threading.Event()
    began = threading.Semaphore(0)

    def job() -> None:
        began.release()
        gate.wait(PATIENCE_S)

    for _ in range(2):
        pool.submit(job)
    for _ in range(2):
        assert began.acquire(timeout=PATIENCE_S)
    for _ in range(3):
        pool.submit(job)
    with pytest.raises(QueueFullError) as raised:
        pool.submit(job)
    assert raised.value.status_code == 503
    assert (pool.threads, pool.is_busy) == (2, True)
    gate.set()
    for _ in range(3):
        assert began.acquire(timeout=PATIENCE_S)


def test_threads_that_are_idle_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from skitaid.was.local import thread_pool

    monkeypatch.setattr(thread_pool, "IDLE_S", 0.01)
    ended = threading.Event()
    pool = thread_pool.ThreadPool("test", 2, on_thread_end=ended.set)
    for _ in range(3):
        done = threading.Event()
        pool.submit(done.set)
        assert done.wait(PATIENCE_S)
    assert ended.wait(PATIENCE_S)
    until(lambda: not pool.threads, "the end of all threads")
    assert not pool.is_busy
    done = threading.Event()
    pool.submit(done.set)
    assert done.wait(PATIENCE_S)


def test_a_job_that_fails_does_not_end_its_thread(capsys: pytest.CaptureFixture[str]) -> None:
    from skitaid.was.local.thread_pool import ThreadPool

    pool, done = ThreadPool("test", 1), threading.Event()
    pool.submit(lambda: 1 // 0)
    pool.submit(done.set)
    assert done.wait(PATIENCE_S)
    assert pool.threads == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
