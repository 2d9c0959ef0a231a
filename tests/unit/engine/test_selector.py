from __future__ import annotations

import asyncio
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from skitaid.engine.poller import EXCLUSIVE, READ, PortablePoller
from skitaid.engine.selector import EngineLoop, EngineSelector

pytestmark = pytest.mark.time_limit(20)


class Pipe:
    """A served descriptor: `on_event` takes one byte and calls `action`."""

    def __init__(self, selector: EngineSelector, action: Callable[[], object] = lambda: None) -> None:
        self.reader, self.writer = os.pipe()
        self.action = action
        self.events = 0
        self.failures = 0
        self._selector = selector
        selector.serve(self.reader, self)

    def poke(self, data: bytes = b"x") -> None:
        os.write(self.writer, data)

    def on_event(self, mask: int) -> None:
        os.read(self.reader, 1)
        self.events += 1
        self.action()

    def on_failure(self) -> None:
        self.failures += 1

    def close(self) -> None:
        self._selector.forget(self.reader)
        os.close(self.reader)
        os.close(self.writer)


class Always(Pipe):
    """Is ready whenever it is looked at."""

    def on_event(self, mask: int) -> None:
        self.events += 1
        self.action()


class Turns:
    """A turn that remembers, and says how long the next poll may last."""

    def __init__(self, limit: float = 5.0) -> None:
        self.limit = limit
        self.batches: list[int] = []
        self.ends = 0

    def begin(self, event_count: int) -> None:
        self.batches.append(event_count)

    def end(self) -> float:
        self.ends += 1
        return self.limit


@pytest.fixture
def selector() -> Iterator[EngineSelector]:
    made = EngineSelector()
    yield made
    made.close()


@pytest.fixture
def loop() -> Iterator[EngineLoop]:
    made = EngineLoop(EngineSelector())
    yield made
    made.close()


@pytest.fixture
def pipes(request: pytest.FixtureRequest) -> Iterator[list[Pipe]]:
    made: list[Pipe] = []
    yield made
    for pipe in made:
        pipe.close()


# ---------------------------------------------------------------- serving


def test_serves_without_returning_to_asyncio(selector: EngineSelector, pipes: list[Pipe]) -> None:
    pipes.append(pipe := Pipe(selector))
    pipe.poke(b"xyz")
    assert selector.select(0) == []
    assert pipe.events == 1
    # Until the time is over it serves again and again.
    assert selector.select(0.02) == []
    assert pipe.events == 3


def test_a_descriptor_forgotten_earlier_in_the_batch_is_not_served(selector: EngineSelector, pipes: list[Pipe]) -> None:
    first, second = Pipe(selector), Pipe(selector)
    pipes += [first, second]
    first.action = lambda: selector.forget(second.reader)
    second.action = lambda: selector.forget(first.reader)
    first.poke()
    second.poke()
    selector.select(0)
    assert first.events + second.events == 1


def test_forgetting_the_unknown_and_the_closed_is_fine(selector: EngineSelector) -> None:
    selector.forget(12345)
    reader, writer = os.pipe()
    os.close(writer)
    pipe = Pipe(selector)
    selector.serve(reader, pipe)
    os.close(reader)
    selector.forget(reader)
    selector.forget(reader)
    pipe.poke()
    assert selector.select(0) == []
    assert pipe.events == 1
    pipe.close()


def test_a_served_descriptor_is_not_asyncios(selector: EngineSelector, pipes: list[Pipe]) -> None:
    pipes.append(pipe := Pipe(selector))
    with pytest.raises(KeyError):
        selector.register(pipe.reader, selectors.EVENT_READ)


def test_one_that_fails_is_told_and_the_others_are_served(
    selector: EngineSelector, pipes: list[Pipe], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("the pipe is broken")

    bad, good = Pipe(selector, fail), Pipe(selector)
    pipes += [bad, good]
    bad.poke()
    good.poke()
    assert selector.select(0) == []
    assert (bad.failures, good.failures, good.events) == (1, 0, 1)
    assert "ZeroDivisionError: the pipe is broken" in capsys.readouterr().err


def test_not_even_a_failing_on_failure_escapes(
    selector: EngineSelector, pipes: list[Pipe], capsys: pytest.CaptureFixture[str]
) -> None:
    class Hopeless(Pipe):
        def on_failure(self) -> None:
            raise KeyError("and giving up failed too")

    def fail() -> None:
        raise ZeroDivisionError

    pipes.append(pipe := Hopeless(selector, fail))
    pipe.poke()
    assert selector.select(0) == []
    assert "and giving up failed too" in capsys.readouterr().err


def test_serves_everything_of_a_crowd(selector: EngineSelector, pipes: list[Pipe]) -> None:
    pipes += [Pipe(selector) for _ in range(300)]
    for pipe in pipes:
        pipe.poke()
    selector.select(0.001)
    selector.select(0.001)
    assert [pipe.events for pipe in pipes] == [1] * 300


def test_exclusive_is_asked_for_only_where_it_is_known(pipes: list[Pipe]) -> None:
    class Old(PortablePoller):
        def register(self, fd: int, eventmask: int = READ) -> None:
            if eventmask & EXCLUSIVE:
                raise OSError("Invalid argument")
            super().register(fd, eventmask)

    selector = EngineSelector()
    selector.poller.close()
    selector.poller = Old()
    pipes.append(pipe := Pipe(selector))
    selector.forget(pipe.reader)
    selector.serve(pipe.reader, pipe, READ | EXCLUSIVE)
    pipe.poke()
    selector.select(0)
    assert pipe.events == 1


def test_works_without_epoll(pipes: list[Pipe]) -> None:
    selector = EngineSelector()
    selector.poller.close()
    selector.poller = PortablePoller()
    loop = EngineLoop(selector)
    pipes.append(pipe := Pipe(selector, lambda: loop.call_soon(loop.stop)))
    pipe.poke()
    loop.run_forever()
    assert pipe.events == 1
    pipe.close()
    pipes.clear()
    loop.close()


# ---------------------------------------------------------------- the turn


class Later:
    """Something late."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.go_out = action


def test_what_is_late_waits_for_the_others_of_its_batch(selector: EngineSelector, pipes: list[Pipe]) -> None:
    told: list[str] = []

    def served() -> None:
        told.append("served")
        selector.late.append(Later(lambda: told.append("late")))  # type: ignore[arg-type]

    for _ in range(2):
        pipes.append(pipe := Pipe(selector, served))
        pipe.poke()
    selector.select(0)
    assert told == ["served", "served", "late", "late"]


def test_nobody_waits_while_something_is_late(selector: EngineSelector) -> None:
    told: list[str] = []
    selector.late.append(Later(lambda: told.append("late")))  # type: ignore[arg-type]
    selector.select(0)
    assert told == ["late"]


def test_what_is_late_and_fails_keeps_nothing_else_back(
    selector: EngineSelector, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    selector.late.append(Later(lambda: 1 / 0))  # type: ignore[arg-type]
    selector.late.append(Later(lambda: told.append("late")))  # type: ignore[arg-type]
    selector.select(0)
    assert told == ["late"]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_turn_frames_every_batch(selector: EngineSelector, pipes: list[Pipe]) -> None:
    turns = selector.turn = Turns()
    pipes.append(pipe := Pipe(selector))
    pipe.poke()
    selector.select(0)
    assert turns.batches == [1]
    # Before the first poll too: asyncio's callbacks may have left something to do.
    assert turns.ends == 2


def test_the_turn_shortens_the_poll(selector: EngineSelector) -> None:
    class FourTurns(Turns):
        def begin(self, event_count: int) -> None:
            super().begin(event_count)
            selector.is_interrupted = len(self.batches) == 4

    turns = selector.turn = FourTurns(limit=0.001)
    assert selector.select(None) == []
    assert turns.batches == [0, 0, 0, 0]


# ---------------------------------------------------------------- first law: scheduled inside the poll runs at once


@pytest.mark.parametrize(
    "schedule",
    [
        lambda loop: loop.call_soon(loop.stop),
        lambda loop: loop.call_later(0, loop.stop),
        lambda loop: loop.call_at(loop.time() + 0.001, loop.stop),
        lambda loop: loop.create_future().add_done_callback(lambda _: None) or loop.stop(),
        lambda loop: loop.create_task(_stop(loop)),
        lambda loop: asyncio.run_coroutine_threadsafe(_stop(loop), loop),
    ],
    ids=["call_soon", "call_later", "call_at", "stop", "task", "threadsafe"],
)
def test_scheduled_inside_the_poll_runs_at_once(loop: EngineLoop, schedule: Callable[[EngineLoop], object]) -> None:
    """Without the law the poll would go on for ever: nothing else happens here."""
    pipe = Pipe(loop.engine_selector, lambda: schedule(loop))
    pipe.poke()
    loop.run_forever()
    assert pipe.events == 1
    pipe.close()


def test_a_future_resolved_inside_the_poll_wakes_its_task(loop: EngineLoop) -> None:
    async def wait_for_the_pipe() -> str:
        future: asyncio.Future[str] = loop.create_future()
        pipe = Pipe(loop.engine_selector, lambda: future.set_result("poked"))
        pipe.poke()
        try:
            return await future
        finally:
            pipe.close()

    assert loop.run_until_complete(wait_for_the_pipe()) == "poked"


def test_another_thread_wakes_the_poll(loop: EngineLoop) -> None:
    thread = threading.Timer(0.01, loop.call_soon_threadsafe, [loop.stop])
    thread.start()
    loop.run_forever()
    thread.join()


async def _stop(loop: EngineLoop) -> None:
    loop.stop()


# ---------------------------------------------------------------- second law: neither side starves


def test_the_engine_is_served_while_asyncio_is_always_busy(loop: EngineLoop) -> None:
    turns = [0]
    pipe = Pipe(loop.engine_selector, lambda: loop.stop() if pipe.events == 50 else None)

    def again() -> None:
        turns[0] += 1
        loop.call_soon(again)

    again()
    pipe.poke(b"x" * 50)
    loop.run_forever()
    assert pipe.events == 50
    # One batch a turn, no more: asyncio had its turn between any two.
    assert turns[0] >= 49
    pipe.close()


def test_asyncio_is_served_while_the_engine_is_always_busy(loop: EngineLoop) -> None:
    always = Always(loop.engine_selector)
    always.poke()

    async def converse() -> list[bytes]:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        other_reader, other_writer = await asyncio.open_connection(sock=theirs)
        heard = []
        for number in range(20):
            writer.write(b"%d\n" % number)
            heard.append(await other_reader.readline())
            await asyncio.sleep(0.001)
        for each in (writer, other_writer):
            each.close()
            await each.wait_closed()
        assert await reader.read() == b""
        return heard

    assert loop.run_until_complete(converse()) == [b"%d\n" % number for number in range(20)]
    assert always.events > 20
    always.close()


def test_a_timer_is_on_time_while_the_engine_is_always_busy(loop: EngineLoop) -> None:
    always = Always(loop.engine_selector)
    always.poke()
    began = time.monotonic()
    loop.run_until_complete(asyncio.sleep(0.05))
    assert time.monotonic() - began >= 0.045
    assert always.events > 10
    always.close()


# ---------------------------------------------------------------- selectors' own rules that its tests leave out


def test_a_negative_time_does_not_wait(selector: EngineSelector) -> None:
    assert selector.select(-1) == []


def test_closed_it_maps_nothing() -> None:
    selector = EngineSelector()
    selector.close()
    assert selector.get_map() is None
    with pytest.raises(RuntimeError):
        selector.get_key(0)


def test_more_than_a_batch_is_told_at_once(selector: EngineSelector) -> None:
    pairs = [socket.socketpair() for _ in range(300)]
    for ours, _ in pairs:
        selector.register(ours, selectors.EVENT_WRITE)
    assert len(selector.select(0)) == 300
    for ours, theirs in pairs:
        ours.close()
        theirs.close()
