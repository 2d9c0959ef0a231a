from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from skitaid.engine.bell import Bell

pytestmark = pytest.mark.time_limit(60)
PATIENCE_S = 20.0


@pytest.fixture(params=[sys.platform, "one without eventfd"])
def bell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bell]:
    monkeypatch.setattr(sys, "platform", request.param)
    made = Bell()
    monkeypatch.undo()
    yield made
    made.close()


def test_who_waits_is_woken_each_time_that_it_rings(bell: Bell) -> None:
    woken = threading.Semaphore(0)

    def sleeper() -> None:
        for _ in range(3):
            bell.wait()
            woken.release()

    thread = threading.Thread(target=sleeper, daemon=True)
    thread.start()
    for _ in range(3):
        assert not woken.acquire(blocking=False)
        bell.ring()
        assert woken.acquire(timeout=PATIENCE_S)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_who_comes_after_it_rang_does_not_wait(bell: Bell) -> None:
    bell.ring()
    bell.wait()


def test_descriptors_are_given_back() -> None:
    before = set(os.listdir("/proc/self/fd"))
    bell = Bell()
    assert set(os.listdir("/proc/self/fd")) - before
    bell.close()
    assert set(os.listdir("/proc/self/fd")) == before
