"""The asyncio selector that serves the engine's own descriptors inside `select()`.

asyncio costs some 10 µs for each event it dispatches. Apps, database drivers and clients need it; the engine's
sockets do not. So both share one epoll set: events of descriptors that the engine registered with `serve` are served
right here, and `select()` returns to asyncio only with events of its own.

Two laws keep both sides alive. What is put on the asyncio loop while `select()` runs makes it return at once
(`EngineLoop` sees to that). And when asyncio has work ready it asks with timeout 0, and gets one batch of engine events
served per turn, no more.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, Unpack

from skitaid.engine.poller import EXCLUSIVE, READ, WRITE, make_poller

__all__ = ["EngineLoop", "EngineSelector", "Late", "Served", "Turn"]

_BATCH: Final = 256
_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


class Served(Protocol):
    """What the engine registers: called on the loop thread with a mask of `poller` flags. Must not raise for what a
    peer can cause; an exception that escapes is logged and `on_failure` is called."""

    def on_event(self, mask: int) -> None: ...
    def on_failure(self) -> None: ...


class Late(Protocol):
    """Something that waits for the end of a batch."""

    def go_out(self) -> None:
        """Its turn has come. Must not raise for what a peer can cause."""


class Turn(Protocol):
    """The engine's part in a turn of the poll."""

    def begin(self, event_count: int) -> None:
        """Before a batch is served."""

    def end(self) -> float:
        """After it. Gives how long the next poll may last, in seconds."""


class EngineSelector(selectors.BaseSelector):
    """Behaves as selectors.EpollSelector to those who use `register` and `select`.

    `late`: what is to be done when all events of the batch are served, and before anybody waits. Requests to others
    leave so, one behind the other: whoever gets them is woken once, and not for each (2 µs of the sender's time).
    """

    def __init__(self) -> None:
        self.poller = make_poller()
        self.turn: Turn | None = None
        self.is_interrupted = False
        self.late: list[Late] = []
        self._served: dict[int, Served] = {}
        self._keys: dict[int, SelectorKey] = {}
        self._map: _KeyMap | None = _KeyMap(self)
        self._batch = _BATCH

    # ------------------------------------------------------------ the engine's side

    def serve(self, fd: int, served: Served, mask: int = READ) -> None:
        """Have `served.on_event` called for events of `fd` in `mask`."""
        try:
            self.poller.register(fd, mask)
        except OSError:
            if not mask & EXCLUSIVE:
                raise
            self.poller.register(fd, mask & ~EXCLUSIVE)
        self._served[fd] = served

    def hand_over(self, fd: int, served: Served) -> None:
        """Have another one serve `fd`, for the same events."""
        self._served[fd] = served

    def forget(self, fd: int) -> None:
        """Undo `serve`; fine if the descriptor is unknown already."""
        if self._served.pop(fd, None) is not None:
            try:
                self.poller.unregister(fd)
            except (OSError, ValueError):
                # Closed elsewhere: the kernel took it out of the set then.
                return

    # ------------------------------------------------------------ asyncio's side (selectors.BaseSelector)

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        if not events or events & ~(EVENT_READ | EVENT_WRITE):
            raise ValueError(f"Invalid events: {events!r}")
        key = SelectorKey(fileobj, self._descriptor(fileobj), events, data)
        if key.fd in self._keys or key.fd in self._served:
            raise KeyError(f"{fileobj!r} (FD {key.fd}) is already registered")
        self.poller.register(key.fd, _mask(events))
        self._keys[key.fd] = key
        # All of asyncio's descriptors fit into one batch: those who use `select` expect it to tell of each.
        self._batch = max(self._batch, len(self._keys))
        return key

    def unregister(self, fileobj: Any) -> SelectorKey:
        try:
            key = self._keys.pop(self._descriptor(fileobj))
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None
        try:
            self.poller.unregister(key.fd)
        except OSError:
            # The descriptor was closed before: it is out of the set.
            return key
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        try:
            key = self._keys[self._descriptor(fileobj)]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None
        if events != key.events:
            try:
                self.poller.modify(key.fd, _mask(events))
            except BaseException:
                del self._keys[key.fd]
                raise
        changed = key._replace(events=events, data=data)
        self._keys[key.fd] = changed
        return changed

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        self.is_interrupted = False
        turn = self.turn
        if timeout is not None and timeout < 0:
            timeout = 0.0
        deadline = None if timeout is None else time.monotonic() + timeout
        wait = timeout if turn is None else self._shorter(timeout, turn.end())
        while True:
            if self.late:
                self.end_batch()
            if self.is_interrupted:
                wait = 0.0
            events = self.poller.poll(wait, self._batch)
            if turn is not None:
                turn.begin(len(events))
            ready = self._serve_batch(events) if events else []
            if self.late:
                self.end_batch()
            limit = 0.0 if turn is None else turn.end()
            if ready or self.is_interrupted:
                return ready
            if deadline is None:
                wait = None if turn is None else limit
                continue
            left = deadline - time.monotonic()
            if left <= 0:
                return ready
            wait = left if turn is None else min(left, limit)

    def close(self) -> None:
        self.poller.close()
        self._keys.clear()
        self._served.clear()
        self._map = None

    def get_map(self) -> Mapping[Any, SelectorKey]:
        return self._map  # type: ignore[return-value]  # None once closed, as in selectors

    def fileno(self) -> int:
        return self.poller.fileno()

    # ------------------------------------------------------------ inside

    def _serve_batch(self, events: list[tuple[int, int]]) -> list[tuple[SelectorKey, int]]:
        ready: list[tuple[SelectorKey, int]] = []
        served = self._served
        for fd, mask in events:
            # Looked up for each event: an earlier one of this batch may have forgotten the descriptor.
            one = served.get(fd)
            if one is None:
                self._note_ready(ready, fd, mask)
                continue
            try:
                one.on_event(mask)
            except Exception:  # noqa: BLE001  # the root of everything that runs for a connection
                self._fail(one)
        return ready

    def end_batch(self) -> None:
        """Do what is late. By itself when a batch was served."""
        late, self.late = self.late, []
        for one in late:
            try:
                one.go_out()
            except Exception:  # noqa: BLE001  # a root: one connection's failure must not keep back what others send
                traceback.print_exc(file=sys.stderr)

    def _fail(self, one: Served) -> None:
        """Tell of the exception being handled, and give up what raised it."""
        traceback.print_exc(file=sys.stderr)
        try:
            one.on_failure()
        except Exception:  # noqa: BLE001  # a root too: one connection must not end the loop
            traceback.print_exc(file=sys.stderr)

    def _note_ready(self, ready: list[tuple[SelectorKey, int]], fd: int, mask: int) -> None:
        key = self._keys.get(fd)
        if key is None:
            return
        events = (EVENT_WRITE if mask & ~READ else 0) | (EVENT_READ if mask & ~WRITE else 0)
        if events & key.events:
            ready.append((key, events & key.events))

    def _shorter(self, timeout: float | None, limit: float) -> float:
        return limit if timeout is None else max(0.0, min(timeout, limit))

    def _descriptor(self, fileobj: Any) -> int:
        """As selectors does it: of an object that was closed meanwhile, the number under which it is registered."""
        try:
            return _fileno(fileobj)
        except ValueError:
            for key in self._keys.values():
                if key.fileobj is fileobj:
                    return key.fd
            raise


class _KeyMap(Mapping[Any, SelectorKey]):
    """What `get_map` gives: file objects to keys, read-only."""

    def __init__(self, selector: EngineSelector) -> None:
        self._selector = selector

    def __len__(self) -> int:
        return len(self._selector._keys)

    def __getitem__(self, fileobj: Any) -> SelectorKey:
        try:
            return self._selector._keys[self._selector._descriptor(fileobj)]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None

    def __iter__(self) -> Any:
        return iter(self._selector._keys)


class EngineLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on an EngineSelector. Whatever is scheduled while the selector serves interrupts it, so that it
    runs in this very turn."""

    def __init__(self, selector: EngineSelector) -> None:
        super().__init__(selector)
        self.engine_selector = selector
        self._is_starting = False
        self._first_step: tuple[Callable[..., object], Context | None] | None = None
        # What `call_soon` gives for a step that is not left to the loop: nobody can look at it, and one is enough.
        self._no_handle = asyncio.Handle(_do_nothing, (), self)

    def start_task(self, coroutine: Coroutine[Any, Any, _Result], name: str = "request") -> asyncio.Task[_Result]:
        """A task whose first step is run here and now, not in the next turn: most responses are done within it.

        On the loop thread, while no task runs (inside `select`). The task is current during that step, as asyncio's
        own time-outs and task groups need it.
        """
        # With a name asyncio need not make one up, which alone takes 0.2 µs.
        if sys.version_info >= (3, 12):
            return asyncio.Task(coroutine, loop=self, name=name, eager_start=True)
        self._is_starting = True
        task = asyncio.Task(coroutine, loop=self, name=name)
        assert self._first_step is not None
        step, context = self._first_step
        self._first_step = None
        if context is None:
            step()
        else:
            context.run(step)
        return task

    def stop(self) -> None:
        self.engine_selector.is_interrupted = True
        super().stop()

    def call_soon(
        self,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        if self._is_starting:
            # A new task schedules its first step, and nothing else: `start_task` takes it.
            self._is_starting = False
            self._first_step = (callback, context)
            return self._no_handle
        self.engine_selector.is_interrupted = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.engine_selector.is_interrupted = True
        return super().call_at(when, callback, *args, context=context)


def _do_nothing() -> None:
    """A callback for a handle that is never called."""


def _mask(events: int) -> int:
    return (READ if events & EVENT_READ else 0) | (WRITE if events & EVENT_WRITE else 0)


def _fileno(fileobj: Any) -> int:
    if isinstance(fileobj, int):
        fd = fileobj
    else:
        try:
            fd = int(fileobj.fileno())
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"Invalid file object: {fileobj!r}") from None
    if fd < 0:
        raise ValueError(f"Invalid file descriptor: {fd}")
    return fd
