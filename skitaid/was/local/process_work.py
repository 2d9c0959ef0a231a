"""A function of the app's in another process."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from skitaid.was.errors import WasError
from skitaid.was.local.child import Child, ChildDiedError, ChildGoneError
from skitaid.was.local.thread_pool import ThreadPool
from skitaid.was.tasks.result import Result
from skitaid.was.tasks.work import Done, name_of
from skitaid.was.worker import Worker

__all__ = ["ProcessPool", "ProcessWork", "RemoteTraceback"]


class RemoteTraceback(Exception):
    """The cause of an exception that was raised in another process: its traceback there."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)

    def __str__(self) -> str:
        return f"\n{self.text}"


class ProcessPool:
    """A process for each of at most `size` threads, which hand them functions. Both end when they are idle."""

    def __init__(self, worker: Worker, size: int) -> None:
        self._worker = worker
        self._threads = ThreadPool("Process", size, on_thread_end=self._close_child)
        self._local = threading.local()
        self._children: set[Child] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a function runs or waits."""
        return self._threads.is_busy

    def submit(self, job: Callable[[], None]) -> None:
        """Have `job()` called in a thread that has a child. Raises QueueFullError."""
        self._threads.submit(job)

    def child(self) -> Child:
        """The child of this thread, started if there is none."""
        child: Child | None = getattr(self._local, "child", None)
        if child is not None and child.is_gone:
            self.forget_child()
            child.close()
            child = None
        if child is None:
            worker = self._worker
            child = self._local.child = Child(worker.child_command, worker.child_setup(), worker.child_fds)
            self._children.add(child)
        return child

    def forget_child(self) -> None:
        """It is dead: the next function gets another."""
        child = self._local.__dict__.pop("child", None)
        self._children.discard(child)

    def end(self) -> None:
        """The worker ends: so do they all."""
        for child in list(self._children):
            child.kill()
        for child in list(self._children):
            child.close()

    def _close_child(self) -> None:
        child: Child | None = getattr(self._local, "child", None)
        if child is not None:
            self.forget_child()
            child.close()


class ProcessWork:
    """A work.Work. Raises TypeError for what can't be sent to another process. A function that is given up is ended
    with its process."""

    patience_s: float | None = None

    def __init__(self, pool: ProcessPool, function: Callable[..., Any], args: Any, named: Any) -> None:
        self._pool = pool
        self.about = f"was.Process({name_of(function)})"
        self._request: bytes | None = _request(function, args, named)
        self._lock = threading.Lock()
        self._child: Child | None = None

    def start(self, done: Done) -> None:
        self._pool.submit(partial(self._run, done))

    def cancel(self) -> None:
        self._request = None
        with self._lock:
            if self._child is not None:
                self._child.kill()

    def _run(self, done: Done) -> None:
        request = self._request
        if request is None:
            return
        try:
            result = self._result_of_two(request)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the result
            # None of its frames is the app's, and ours have the task in them, which has the error.
            result = Result.of_error(error.with_traceback(None))
        self._request = None
        done(result)

    def _result_of_two(self, request: bytes) -> Result:
        """Of a second child when the first was killed, by whomever, while it had nothing to do."""
        try:
            return self._result(request)
        except ChildGoneError:
            if self._request is None:
                raise
            return self._result(request)

    def _result(self, request: bytes) -> Result:
        child = self._pool.child()
        with self._lock:
            self._child = child
            if self._request is None:
                return Result.of_timeout(self.about, 0.0)
        try:
            reply = child.run(request)
        except ChildDiedError:
            self._pool.forget_child()
            raise
        finally:
            with self._lock:
                self._child = None
        if self._request is None:
            # It was killed at the moment when it had answered: it must not be given another function.
            self._pool.forget_child()
            child.close()
        return _read(reply)


def _request(function: Callable[..., Any], args: Any, named: Any) -> bytes:
    try:
        return pickle.dumps((function, args, named))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        advice = "expected a function that a module defines, and arguments that can be copied (pickled)"
        raise TypeError(f"was.Process cannot hand {name_of(function)} to another process, {advice}: {error}") from error


def _read(reply: bytes) -> Result:
    is_good, value, text = pickle.loads(reply)  # of a child of our own
    if is_good:
        return Result.of_data(value)
    if not isinstance(value, BaseException):
        value = WasError(f"the function failed in its process {os.linesep}{text}")
    value.__cause__ = RemoteTraceback(text)
    return Result.of_error(value)
