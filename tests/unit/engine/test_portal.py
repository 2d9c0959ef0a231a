from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from skitaid.engine.portal import Portal
from skitaid.engine.selector import EngineSelector

pytestmark = pytest.mark.time_limit(30)


@pytest.fixture
def selector() -> Iterator[EngineSelector]:
    made = EngineSelector()
    yield made
    made.close()


@pytest.fixture
def portal(selector: EngineSelector) -> Iterator[Portal]:
    made = Portal(selector)
    yield made
    made.close()


def test_the_loop_makes_the_call(selector: EngineSelector, portal: Portal) -> None:
    made: list[int] = []
    thread = threading.Thread(target=portal.call, args=[lambda: made.append(threading.get_ident())])
    thread.start()
    thread.join()
    assert made == []
    selector.select(0)
    assert made == [threading.get_ident()]


def test_many_calls_cost_one_wake_up(selector: EngineSelector, portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: (written.append(data), write(fd, data))[1])
    made: list[int] = []
    for number in range(100):
        portal.call(partial(made.append, number))
    selector.select(0)
    assert made == list(range(100))
    assert len(written) == 1


def test_a_call_made_during_a_call_has_its_turn(selector: EngineSelector, portal: Portal) -> None:
    made: list[str] = []

    def outer() -> None:
        made.append("outer")
        portal.call(lambda: made.append("inner"))

    portal.call(outer)
    selector.select(0)
    assert made == ["outer"]
    selector.select(0)
    assert made == ["outer", "inner"]


def test_a_call_that_fails_does_not_lose_the_others(
    selector: EngineSelector, portal: Portal, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []
    portal.call(lambda: {}["nothing there"])
    portal.call(lambda: made.append("after"))
    selector.select(0)
    assert made == ["after"]
    assert "KeyError: 'nothing there'" in capsys.readouterr().err


def test_no_call_is_lost_and_each_thread_keeps_its_order(selector: EngineSelector, portal: Portal) -> None:
    made: list[tuple[int, int]] = []
    count = 3000

    def note(call: tuple[int, int]) -> None:
        made.append(call)
        selector.is_interrupted = len(made) == 4 * count

    def leave(thread: int) -> None:
        for number in range(count):
            portal.call(partial(note, (thread, number)))

    threads = [threading.Thread(target=leave, args=[thread]) for thread in range(4)]
    for thread in threads:
        thread.start()
    # Ends early when the last call is made. Nothing but wake-ups brings calls: one without would be missing.
    selector.select(25)
    for thread in threads:
        thread.join()
    for index in range(4):
        assert [number for thread, number in made if thread == index] == list(range(count))


def test_a_call_after_the_end_touches_no_descriptor(selector: EngineSelector) -> None:
    portal = Portal(selector)
    portal.close()
    # The numbers are free now: somebody else gets them.
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    portal.call(lambda: None)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    os.close(reader)
    os.close(writer)
