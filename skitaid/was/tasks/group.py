"""Several tasks that are waited for as one, and what looks like a task and is none."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, SupportsIndex, overload

from skitaid.was.tasks.promises import Futures
from skitaid.was.tasks.result import CACHED, Result, Results
from skitaid.was.tasks.task import GETWAIT_S, Task
from skitaid.was.tasks.waiting import Unfinished, wait_for
from skitaid.was.tasks.waits import Wait, read_wait

__all__ = ["TASKS_S", "Mask", "Tasks"]

TASKS_S: Final = 10.0


class Tasks:
    """Several tasks as one. `timeout`: how long a wait for all of them lasts that does not say how long, in seconds
    from now on. Iterating waits for all and gives their results, an index or a slice for those that it names. `meta` is
    the app's own.

    What is raised by `fetch` and its kin is the first error in the tasks' order.
    """

    def __init__(self, reqs: Iterable[Task | Tasks] = (), timeout: float | None = TASKS_S, **meta: Any) -> None:
        self._tasks: list[Task | Tasks] = list(reqs)
        self.timeout_s = TASKS_S if timeout is None else timeout
        self._created_at = time.monotonic()
        self.meta = meta

    # ------------------------------------------------------------ what it is made of

    def add(self, req: Task | Tasks) -> Tasks:
        """One more. A Tasks stays one: its result is a list."""
        self._tasks.append(req)
        return self

    def merge(self, reqs: Task | Tasks | Iterable[Task | Tasks]) -> Tasks:
        """One more, or all that a Tasks is made of."""
        if isinstance(reqs, Task):
            self._tasks.append(reqs)
        else:
            self._tasks.extend(reqs._tasks if isinstance(reqs, Tasks) else reqs)
        return self

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.dispatch())

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        chosen = self._tasks[index]
        if isinstance(chosen, list):
            return self._results(Wait(), chosen)
        return self._results(Wait(), [chosen])[0]

    # ------------------------------------------------------------ waiting

    def dispatch(
        self,
        *given: Any,
        cache: float | None = None,
        cache_if: Sequence[int] | None = None,
        timeout: float | None = None,
    ) -> Results:
        """Wait for all, and give their results, whatever they are. For the numbers see waits.read_wait."""
        return self._results(read_wait(given, timeout=timeout, cache=cache, cache_if=cache_if))

    def dispatch_or_throw(self, *given: Any, **named: Any) -> Results:
        """`dispatch`, and raise what went wrong."""
        wait = read_wait(given, **named)
        results = self._results(wait)
        results.reraise(wait.status)
        return results

    def fetch(self, *given: Any, **named: Any) -> list[Any]:
        """The data of each; raises what went wrong."""
        wait = read_wait(given, **named)
        return self._results(wait).fetch(wait.status)

    def one(self, *given: Any, **named: Any) -> list[Any]:
        """The only item of each; raises what went wrong, HTTPError 410 where there is not exactly one."""
        wait = read_wait(given, **named)
        return self._results(wait).one(wait.status)

    def commit(self, *given: Any, **named: Any) -> None:
        """Wait until all are done; raises what went wrong."""
        wait = read_wait(given, **named)
        self._results(wait).commit(wait.status)

    def wait(self, timeout: float | None = None, reraise: bool = False) -> Results:
        """Wait until all are done, and give their results without decoding them."""
        wait_for(self._tasks, self._deadline(timeout))
        results = self.result()
        if reraise:
            results.reraise()
        return results

    def wait_or_throw(self, *given: Any, **named: Any) -> Results:
        """`wait`, and raise what went wrong."""
        return self.dispatch_or_throw(*given, **named)

    def getwait(self, timeout: float = GETWAIT_S, reraise: bool = False) -> Results:
        """The older name of `dispatch`."""
        results = self._results(Wait(timeout))
        if reraise:
            results.reraise()
        return results

    data_or_throw = fetch
    one_or_throw = one
    getswait = getwait

    def __await__(self) -> Generator[Any, None, Results]:
        """In async code: `results = await tasks`."""
        from skitaid.was.tasks.awaiting import until_done

        yield from until_done(self._tasks, self._deadline(None)).__await__()
        results = self.result()
        results.settle()
        return results

    # ------------------------------------------------------------ what else can be done with it

    @property
    def is_done(self) -> bool:
        """Whether all have a result."""
        return all(task.is_done for task in self._tasks)

    @property
    def code(self) -> list[Any]:
        """The status code of each, 0 of one that has no result yet. Does not wait."""
        return [task.code for task in self._tasks]

    status_code = code

    @property
    def status(self) -> list[Any]:
        """The status of each. Does not wait."""
        return [task.status for task in self._tasks]

    def cache(self, seconds: float = 60, cache_if: Iterable[int] = CACHED) -> None:
        """Keep the results, once all are there and each may be kept."""
        self._announce()
        codes = tuple(cache_if)
        self.add_done_callback(lambda: self.result().cache(seconds, codes))

    def returning(self, response: Any) -> Any:
        """`response`. The tasks go on, nobody waits for them."""
        return response

    def then(self, function: Any, **named: Any) -> Futures:
        """Futures, to be returned in place of a response: `function(was, results, **named)` makes the response when
        the results are there."""
        left_s = max(0.0, self._created_at + self.timeout_s - time.monotonic())
        return Futures(self._tasks, left_s).then(function, **named)

    def add_done_callback(self, function: Any) -> None:
        """Have `function()` called once when all have a result."""
        from skitaid.was.tasks.waiting import call_when_done, unfinished_of

        unfinished = unfinished_of(self._tasks)
        if unfinished:
            call_when_done(unfinished, function)
        else:
            function()

    def give_up(self) -> None:
        """End all of them now."""
        for task in self._tasks:
            task.give_up()

    def unfinished(self) -> Iterable[Unfinished]:
        """The tasks that have no result yet."""
        return chain.from_iterable(task.unfinished() for task in self._tasks)

    def result(self) -> Results:
        """What came of them; only when all are done."""
        return Results(task.result() for task in self._tasks)

    # ------------------------------------------------------------ inside

    def _results(self, wait: Wait, tasks: list[Task | Tasks] | None = None) -> Results:
        chosen = self._tasks if tasks is None else tasks
        if wait.cache_s:
            self._announce()
        wait_for(chosen, self._deadline(wait.timeout_s))
        results = Results(task.result() for task in chosen)
        results.settle()
        if wait.cache_s:
            results.cache(wait.cache_s, wait.cache_if)
        return results

    def _deadline(self, timeout_s: float | None) -> float:
        return self._created_at + (self.timeout_s if timeout_s is None else timeout_s)

    def _announce(self) -> None:
        for task in self._tasks:
            task._announce()


class Mask(Task):
    """Data that is at hand already, where a task is expected: `was.Mask([1, 2]).fetch()` is `[1, 2]`."""

    __slots__ = ()

    def __init__(self, data: Any) -> None:
        super().__init__(None)
        self._finish(Result.of_data(data))

    def __len__(self) -> int:
        return len(self._done.data)

    def __iter__(self) -> Iterator[Result]:
        return (Result.of_data(each) for each in self._done.data)
