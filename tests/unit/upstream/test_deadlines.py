"""What takes too long is looked at, and nobody is woken for nothing."""

from __future__ import annotations

import pytest

from skitaid.upstream.deadlines import SWEEP_S, Deadlines
from tests.unit.upstream.scene import Loop


class Timed:
    def __init__(self, deadlines: Deadlines, until: float = 0.0) -> None:
        self.deadlines = deadlines
        self.until = until
        self.looks: list[float] = []

    def sweep(self, now: float) -> None:
        self.looks.append(now)
        if now >= self.until:
            self.deadlines.discard(self)


class Failing(Timed):
    def sweep(self, now: float) -> None:
        raise RuntimeError("broken")


def run(loop: Loop, seconds: float) -> None:
    end = loop.now + seconds
    while loop.next_at is not None and loop.next_at <= end:
        loop.now = loop.next_at
        loop.run()
    loop.now = end


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def deadlines(loop: Loop) -> Deadlines:
    return Deadlines(loop, lambda: loop.now)  # type: ignore[arg-type]


def test_what_is_under_way_is_looked_at_until_it_is_not(loop: Loop, deadlines: Deadlines) -> None:
    first, second = Timed(deadlines, 1000.25), Timed(deadlines, 1000.45)
    deadlines.add(first)
    deadlines.add(second)
    run(loop, 10)
    assert (len(first.looks), len(second.looks)) == (3, 5)
    assert second.looks == pytest.approx([1000 + SWEEP_S * (1 + n) for n in range(5)])
    assert loop.next_at is None


def test_the_clock_starts_again(loop: Loop, deadlines: Deadlines) -> None:
    deadlines.add(Timed(deadlines))
    run(loop, 1)
    later = Timed(deadlines)
    deadlines.add(later)
    run(loop, 1)
    assert len(later.looks) == 1


def test_one_that_ends_another_in_the_same_look(loop: Loop, deadlines: Deadlines) -> None:
    class Ending(Timed):
        def sweep(self, now: float) -> None:
            self.looks.append(now)
            deadlines.discard(first)
            deadlines.discard(second)

    first, second = Ending(deadlines), Ending(deadlines)
    deadlines.add(first)
    deadlines.add(second)
    run(loop, 1)
    assert len(first.looks) + len(second.looks) == 1


def test_one_that_fails_does_not_stop_the_others(
    loop: Loop, deadlines: Deadlines, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = Timed(deadlines, 1000.35)
    deadlines.add(Failing(deadlines))
    deadlines.add(fine)
    run(loop, 1)
    assert len(fine.looks) == 4
    assert capsys.readouterr().err.count("RuntimeError: broken") == 1


def test_the_end(loop: Loop, deadlines: Deadlines) -> None:
    timed = Timed(deadlines, 2000)
    deadlines.add(timed)
    deadlines.close()
    run(loop, 1)
    assert timed.looks == []
