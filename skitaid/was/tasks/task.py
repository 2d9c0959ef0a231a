"""A task: begun when it is created, waited for when its result is needed.

Whoever does the work calls `_finish` from whatever thread. A wait that takes too long ends the task: its work is
cancelled, and its result is a time-out for everybody.
"""

from __future__ import annotations

import time
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from skitaid.was.tasks.result import CACHED, STA_UNSENT, Result
from skitaid.was.tasks.waiting import wait_for
from skitaid.was.tasks.waits import Wait, read_wait

if TYPE_CHECKING:
    from skitaid.was.tasks.result import Memo
    from skitaid.was.tasks.work import Work

__all__ = ["GETWAIT_S", "PATIENCE_S", "Task"]

PATIENCE_S: Final = 10.0
"""How long a wait for an answer lasts, from the creation of the task on, when nobody says how long."""
GETWAIT_S: Final = 5.0


class Task:
    """Something that was begun, and will have a result. `timeout_s`: how long a wait lasts that does not say how long,
    from now on; None: as long as the work's `patience_s`. `memo`: where its result may be kept. `meta` is the app's
    own."""

    __slots__ = ("__weakref__", "_callbacks", "_claim", "_created_at", "_memo", "_result", "_work", "meta", "timeout_s")

    def __init__(self, work: Work | None, *, timeout_s: float | None = None, memo: Memo | None = None) -> None:
        self._work = work
        self._memo = memo
        self._result: Result | None = None
        self._claim = allocate_lock()
        self._callbacks: deque[Callable[[], None]] = deque()
        self._created_at = time.monotonic()
        self.meta: dict[str, Any] = {}
        self.timeout_s = timeout_s if timeout_s is not None or work is None else work.patience_s
        if work is not None:
            work.start(self._finish)

    @classmethod
    def of_result(cls, result: Result, *, memo: Memo | None = None) -> Task:
        """A task that is done."""
        task = cls(None, memo=memo)
        task._finish(result)
        return task

    # ------------------------------------------------------------ waiting

    def dispatch(
        self,
        *given: Any,
        cache: float | None = None,
        cache_if: Sequence[int] | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Wait, and give the result, whatever it is. For the numbers see waits.read_wait; times in seconds."""
        return self._dispatch(read_wait(given, timeout=timeout, cache=cache, cache_if=cache_if))

    def dispatch_or_throw(self, *given: Any, **named: Any) -> Result:
        """`dispatch`, and raise what went wrong: HTTPError, or the exception of a function."""
        wait = read_wait(given, **named)
        result = self._dispatch(wait)
        result.reraise(wait.status)
        return result

    def fetch(self, *given: Any, **named: Any) -> Any:
        """The data of the result; raises what went wrong."""
        wait = read_wait(given, **named)
        return self._dispatch(wait).fetch(wait.status)

    def one(self, *given: Any, **named: Any) -> Any:
        """The only item of the data; raises what went wrong, HTTPError 410 when there is not exactly one."""
        wait = read_wait(given, **named)
        return self._dispatch(wait).one(wait.status)

    def commit(self, *given: Any, **named: Any) -> None:
        """Wait until it is done; raises what went wrong."""
        wait = read_wait(given, **named)
        self._dispatch(wait).commit(wait.status)

    def wait(self, timeout: float | None = None, reraise: bool = False) -> Result:
        """Wait until it is done, and give the result without decoding it."""
        wait_for((self,), self._deadline(timeout))
        if reraise:
            self._done.reraise()
        return self._done

    def wait_or_throw(self, *given: Any, **named: Any) -> Result:
        """`wait`, and raise what went wrong."""
        return self.dispatch_or_throw(*given, **named)

    def getwait(self, timeout: float = GETWAIT_S, reraise: bool = False) -> Result:
        """The older name of `dispatch`."""
        result = self._dispatch(Wait(timeout))
        if reraise:
            result.reraise()
        return result

    data_or_throw = fetch
    one_or_throw = one
    getswait = getwait

    def __await__(self) -> Generator[Any, None, Result]:
        """In async code: `result = await task`."""
        from skitaid.was.tasks.awaiting import until_done

        yield from until_done((self,), self._deadline(None)).__await__()
        self._done.settle()
        return self._done

    # ------------------------------------------------------------ what is known now

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return self._result is not None

    @property
    def status(self) -> int:
        """That of the result, STA_UNSENT before there is one. Does not wait."""
        return STA_UNSENT if self._result is None else self._result.status

    @property
    def status_code(self) -> int:
        """That of the result, 0 before there is one. Does not wait."""
        return 0 if self._result is None else self._result.status_code

    @property
    def code(self) -> int:
        """The older name of `status_code`."""
        return self.status_code

    # ------------------------------------------------------------ what else can be done with it

    def cache(self, seconds: float = 60, cache_if: Iterable[int] = CACHED) -> None:
        """Keep the result for those who ask the same, now or when it comes."""
        self._announce()
        self.add_done_callback(lambda: self._done.cache(seconds, cache_if))

    def returning(self, response: Any) -> Any:
        """`response`. The task goes on, nobody waits for it: `return task.returning(Response("", 202))`."""
        return response

    def then(self, function: Callable[..., Any], **named: Any) -> Any:
        """A Future, to be returned in place of a response: `function(was, result, **named)` makes the response when
        the result is there."""
        from skitaid.was.tasks.promises import Future

        deadline = self._deadline(None)
        left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        return Future(self, left_s).then(function, **named)

    def add_done_callback(self, function: Callable[[], None]) -> None:
        """Have `function()` called once when there is a result: in the thread that brings it, where it must not block,
        or here and now."""
        self._callbacks.append(function)
        if self._result is not None:
            self._call_back()

    def hurry(self) -> None:
        """This thread is going to wait for it."""
        hurry = getattr(self._work, "hurry", None)
        if hurry is not None:
            hurry()

    def give_up(self) -> None:
        """End it now, as a wait does that took too long. Nothing happens to one that is done."""
        work = self._work
        if self._result is not None or work is None:
            return
        if self._finish(Result.of_timeout(work.about, time.monotonic() - self._created_at)):
            work.cancel()

    def unfinished(self) -> Iterable[Task]:
        """The tasks that this one is made of and that have no result yet."""
        return () if self._result is not None else (self,)

    def result(self) -> Result:
        """What came of it; only when it is done."""
        return self._done

    # ------------------------------------------------------------ inside

    @property
    def _done(self) -> Result:
        assert self._result is not None
        return self._result

    def _dispatch(self, wait: Wait) -> Result:
        if wait.cache_s:
            self._announce()
        if self._result is None:
            wait_for((self,), self._deadline(wait.timeout_s))
        result = self._done
        result.settle()
        if wait.cache_s:
            result.cache(wait.cache_s, wait.cache_if)
        return result

    def _deadline(self, timeout_s: float | None) -> float | None:
        """The wait's end by the monotonic clock: it is counted from the creation, so that several tasks, each waited
        for with 2 s, take 2 s in all."""
        seconds = self.timeout_s if timeout_s is None else timeout_s
        return None if seconds is None else self._created_at + seconds

    def _announce(self) -> None:
        """The result is going to be kept: who asks the same meanwhile may wait for it."""
        announce = getattr(self._memo, "announce", None)
        if announce is not None:
            announce()

    def _finish(self, result: Result) -> bool:
        """There is a result. False: there was one before."""
        if not self._claim.acquire(False):
            return False
        result.memo = self._memo
        self._result = result
        # Work and task know each other: without this each would be garbage that only a collection finds.
        self._work = None
        self._call_back()
        return True

    def _call_back(self) -> None:
        # Whoever takes one out calls it, so that each is called once, by us or by the thread that added it.
        callbacks = self._callbacks
        while callbacks:
            try:
                function = callbacks.popleft()
            except IndexError:
                return
            function()
