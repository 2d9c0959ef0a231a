"""Tasks and waits."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from skitaid.was.errors import HTTPError, LoopThreadError
from skitaid.was.tasks.group import Mask, Tasks
from skitaid.was.tasks.result import STA_NORMAL, STA_TIMEOUT, STA_UNSENT, Result
from skitaid.was.tasks.task import Task
from skitaid.was.tasks.work import Done
from tests.unit.was.rig import PATIENCE_S, World


class Deed:
    """Work that ends when the test says so."""

    def __init__(self, patience_s: float | None = PATIENCE_S) -> None:
        self.patience_s = patience_s
        self.about = "a deed"
        self.done: Done
        self.cancelled = 0

    def start(self, done: Done) -> None:
        self.done = done

    def cancel(self) -> None:
        self.cancelled += 1


class At:
    """Work that is done at once."""

    patience_s: float | None = PATIENCE_S
    about = "a deed"

    def __init__(self, data: Any) -> None:
        self._data = data

    def start(self, done: Done) -> None:
        done(Result.of_data(self._data))

    def cancel(self) -> None:
        raise AssertionError("nothing is left to be cancelled")


def in_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """It is begun; what is returned gives what came of it."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(function())
        except BaseException as error:  # noqa: BLE001
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        thread.join(PATIENCE_S)
        assert found, "it did not end"
        return found[0]

    return result


def test_it_is_begun_when_it_is_made() -> None:
    deed = Deed()
    task = Task(deed)
    assert deed.done is not None
    assert (task.is_done, task.status, task.code, task.status_code) == (False, STA_UNSENT, 0, 0)
    deed.done(Result.of_data(5))
    assert (task.is_done, task.status, task.code, task.status_code) == (True, STA_NORMAL, 200, 200)
    assert task.fetch() == 5


def test_a_wait_ends_when_there_is_a_result() -> None:
    deed = Deed()
    task = Task(deed)
    waits = [in_thread(task.fetch), in_thread(lambda: task.dispatch().data), in_thread(lambda: task.wait().data)]
    deed.done(Result.of_data("x"))
    assert [wait() for wait in waits] == ["x", "x", "x"]
    assert deed.cancelled == 0


def test_the_first_result_stands() -> None:
    deed = Deed()
    task = Task(deed)
    deed.done(Result.of_data(1))
    deed.done(Result.of_data(2))
    assert task.fetch() == 1


def test_a_wait_that_takes_too_long_ends_the_task() -> None:
    deed = Deed()
    task = Task(deed)
    result = task.dispatch(0.01)
    assert (result.status, result.status_code, deed.cancelled) == (STA_TIMEOUT, 504, 1)
    deed.done(Result.of_data(1))
    assert task.dispatch() is result
    with pytest.raises(HTTPError) as raised:
        task.fetch()
    assert raised.value.status_code == 504


def test_a_time_out_of_zero_looks_whether_it_is_done() -> None:
    assert Task(Deed()).dispatch(timeout=0).status == STA_TIMEOUT
    assert Task(At(1)).dispatch(timeout=0).data == 1


def test_waiting_begins_with_the_creation() -> None:
    task = Task(Deed())
    task._created_at -= 60
    since = time.monotonic()
    assert task.dispatch(60).status == STA_TIMEOUT
    assert time.monotonic() - since < 30


def test_how_long_it_waits_without_being_told() -> None:
    assert Task(Deed(0.01)).dispatch().status == STA_TIMEOUT
    assert Task(Deed(None), timeout_s=0.01).dispatch().status == STA_TIMEOUT
    assert Task(Deed(30.0), timeout_s=0.01).wait().status == STA_TIMEOUT


@pytest.mark.parametrize(
    "name", ["fetch", "data_or_throw", "one", "one_or_throw", "dispatch_or_throw", "wait_or_throw"]
)
def test_what_raises(name: str) -> None:
    deed = Deed()
    task = Task(deed)
    deed.done(Result(500, "Oh"))
    with pytest.raises(HTTPError) as raised:
        getattr(task, name)()
    assert raised.value.status_code == 502
    with pytest.raises(HTTPError) as raised:
        getattr(task, name)("507 No Room")
    assert raised.value.status == "507 No Room"


def test_commit() -> None:
    assert Task(At(1)).commit(2) is None  # type: ignore[func-returns-value]
    deed = Deed()
    task = Task(deed)
    deed.done(Result(404))
    with pytest.raises(HTTPError):
        task.commit()


def test_one() -> None:
    assert Task(At([7])).one() == 7
    with pytest.raises(HTTPError):
        Task(At([7, 8])).one()


def test_the_older_names() -> None:
    task = Task(At(3))
    assert task.getwait(2).data == task.getswait(2).data == task.getwait(2, True).data == 3
    assert task.getwait(timeout=1, reraise=True).data == 3
    deed = Deed()
    failed = Task(deed)
    deed.done(Result(500))
    assert failed.getwait(2).code == 500
    for raising in (lambda: failed.getswait(2, reraise=True), lambda: failed.wait(2, reraise=True)):
        with pytest.raises(HTTPError):
            raising()


def test_returning() -> None:
    response = object()
    deed = Deed()
    assert Task(deed).returning(response) is response
    assert deed.cancelled == 0


def test_callbacks_are_called_once_each() -> None:
    called: list[int] = []
    deed = Deed()
    task = Task(deed)
    task.add_done_callback(lambda: called.append(1))
    deed.done(Result())
    task.add_done_callback(lambda: called.append(2))
    task.give_up()
    assert called == [1, 2]


def test_nothing_is_lost_however_waits_and_results_meet() -> None:
    for _ in range(300):
        deed = Deed()
        task = Task(deed)
        waits = [in_thread(task.fetch) for _ in range(2)]
        deed.done(Result.of_data(1))
        assert [wait() for wait in waits] == [1, 1]


def test_it_is_gone_when_nobody_has_it() -> None:
    gc.disable()
    try:
        task = Task(At(1))
        task.fetch()
        ghost = weakref.ref(task)
        del task
        assert ghost() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------- several


def test_several_tasks_are_waited_for_as_one() -> None:
    deeds = [Deed(), Deed(), Deed()]
    tasks = Tasks([Task(deed) for deed in deeds])
    wait = in_thread(tasks.fetch)
    for number in (2, 0, 1):
        deeds[number].done(Result.of_data(number))
    assert wait() == [0, 1, 2]
    assert tasks.is_done
    assert len(tasks) == 3


def test_what_is_not_done_in_time_is_given_up() -> None:
    deeds = [Deed(), Deed()]
    tasks = Tasks([Task(deed) for deed in deeds], 0.02)
    deeds[0].done(Result.of_data(1))
    assert tasks.dispatch().status == [STA_NORMAL, STA_TIMEOUT]
    assert [deed.cancelled for deed in deeds] == [0, 1]


def test_time_outs_of_tasks() -> None:
    assert Tasks([]).timeout_s == Tasks([], None).timeout_s == 10.0
    assert Tasks([Task(Deed())]).dispatch(timeout=0.01).status == [STA_TIMEOUT]
    assert Tasks([Task(Deed())], timeout=5).wait(0.01).status == [STA_TIMEOUT]


def test_iterating_slicing_and_indexing() -> None:
    tasks = Tasks([Task(At(number)) for number in range(4)])
    assert [result.data for result in tasks] == [0, 1, 2, 3]
    assert tasks[1].fetch() == 1
    assert tasks[-1].fetch() == 3
    assert tasks[1:3].fetch() == [1, 2]
    a, *rest = tasks
    assert (a.data, len(rest)) == (0, 3)


def test_an_index_waits_for_its_own_task_alone() -> None:
    tasks = Tasks([Task(At(1)), Task(Deed())])
    assert tasks[0].data == 1
    assert not tasks.is_done


def test_adding_and_merging() -> None:
    tasks = Tasks([Task(At(1))])
    tasks.add(Task(At(2))).add(Tasks([Task(At(3)), Task(At(4))]))
    assert tasks.fetch() == [1, 2, [3, 4]]
    tasks.merge(Tasks([Task(At(5)), Task(At(6))])).merge(Task(At(7)))
    assert tasks.fetch() == [1, 2, [3, 4], 5, 6, 7]
    assert tasks.code == [200, 200, [200, 200], 200, 200, 200]
    assert tasks.status_code == tasks.code
    assert tasks.status == [3, 3, [3, 3], 3, 3, 3]


def test_the_meta_of_tasks() -> None:
    tasks = Tasks([], timeout=3, user="Hans", page=2)
    assert tasks.meta == {"user": "Hans", "page": 2}


def test_tasks_raise_the_first_error() -> None:
    deed = Deed()
    tasks = Tasks([Task(At(1)), Task(deed)])
    deed.done(Result(404))
    assert tasks.dispatch().code == [200, 404]
    for name in ("fetch", "one", "commit", "dispatch_or_throw", "wait_or_throw", "data_or_throw", "one_or_throw"):
        with pytest.raises(HTTPError):
            getattr(tasks, name)()
    with pytest.raises(HTTPError):
        tasks.getswait(2, reraise=True)
    with pytest.raises(HTTPError):
        tasks.wait(reraise=True)
    assert tasks.getwait(1).code == [200, 404]
    assert Tasks([Task(At([1])), Task(At([2]))]).one() == [1, 2]


def test_the_same_task_twice() -> None:
    deed = Deed()
    task = Task(deed)
    wait = in_thread(Tasks([task, task]).fetch)
    deed.done(Result.of_data(1))
    assert wait() == [1, 1]


def test_no_tasks_at_all() -> None:
    assert Tasks([]).fetch() == []


# ---------------------------------------------------------------- masks


def test_a_mask_is_a_task_that_is_done() -> None:
    assert was_fetched(Mask(1)) == 1
    first, second = was_fetched(Mask([1, 2]))
    assert (first, second) == (1, 2)
    assert Mask([1]).one() == 1
    assert Mask(5).dispatch().status == STA_NORMAL
    assert [result.data for result in Mask([1, 2])] == [1, 2]
    assert len(Mask([1, 2])) == 2
    Mask(None).commit()
    assert Tasks([Mask(1), Mask(2)]).fetch() == [1, 2]


def was_fetched(task: Task) -> Any:
    return task.fetch(2)


# ---------------------------------------------------------------- the loop thread, and async code


def test_waiting_on_the_loop_thread_is_an_error(world: World) -> None:
    task = Task(Deed())
    for wait in (task.fetch, task.wait, Tasks([task]).fetch):
        error = world.portal.run(wait)
        assert isinstance(error, LoopThreadError)
        assert "await" in str(error)
    assert not task.is_done


def test_on_the_loop_thread_a_result_that_is_there_can_be_had(world: World) -> None:
    assert world.portal.run(Task(At(1)).fetch) == 1
    assert world.portal.run(lambda: Task(Deed()).dispatch(0)).status == STA_TIMEOUT


def test_a_task_can_be_awaited() -> None:
    async def main() -> None:
        deed = Deed()
        task = Task(deed)
        asyncio.get_running_loop().call_soon(lambda: deed.done(Result.of_data([1])))
        result = await task
        assert (result.data, result.one(), task.fetch()) == ([1], 1, [1])
        other = Deed()
        both = Tasks([task, Task(other)])
        in_thread(lambda: other.done(Result.of_data(2)))
        assert [each.data for each in await both] == [[1], 2]
        assert (await Task(At(3))).fetch() == 3

    asyncio.run(main())


def test_awaiting_ends_in_time() -> None:
    async def main() -> None:
        deed = Deed()
        assert (await Task(deed, timeout_s=0.01)).status == STA_TIMEOUT
        assert deed.cancelled == 1
        assert (await Tasks([Task(Deed())], 0.01)).status == [STA_TIMEOUT]

    asyncio.run(main())


def test_who_gives_up_awaiting_gives_up_the_task() -> None:
    async def main() -> None:
        deed = Deed()
        task = Task(deed)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_awaiting(task), 0.01)
        assert (deed.cancelled, task.is_done) == (1, True)

    asyncio.run(main())


async def _awaiting(task: Task) -> Result:
    return await task


def test_a_loop_that_is_closed_is_not_called() -> None:
    deed = Deed()
    task = Task(deed)

    async def main() -> None:
        await asyncio.wait([asyncio.ensure_future(_awaiting(task))], timeout=0.01)

    asyncio.run(main())
    deed.done(Result())
    assert task.is_done
