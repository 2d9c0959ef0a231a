from __future__ import annotations

from collections.abc import Callable

from skitaid.instance.memory import GROWTH_BYTES, LOOK_EVERY, MOST_PATIENT, MemoryKeeper, give_back, resident_bytes


class Rig:
    """A keeper whose orders are done at once; a trim leaves `floor` bytes."""

    def __init__(self) -> None:
        self.resident = self.floor = 30 << 20
        self.trims = 0
        self.orders: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.keeper = MemoryKeeper(
            lambda work, done: self.orders.append((work, done)), resident=lambda: self.resident, trim=self._trim
        )

    def _trim(self) -> None:
        self.trims += 1
        self.resident = self.floor

    def look(self, ticks: int = LOOK_EVERY) -> int:
        """How many trims were made in so many seconds."""
        before = self.trims
        for _ in range(ticks):
            self.keeper.tick()
            for work, done in self.orders:
                work()
                done()
            self.orders.clear()
        return self.trims - before


def test_a_little_more_is_no_reason() -> None:
    rig = Rig()
    rig.resident += GROWTH_BYTES - 1
    assert rig.look(1000) == 0


def test_what_a_burst_took_is_given_back() -> None:
    rig = Rig()
    rig.resident += GROWTH_BYTES
    assert rig.look() == 1
    assert rig.resident == rig.floor
    assert rig.look(1000) == 0


def test_what_was_in_use_is_asked_for_again_until_it_is_free() -> None:
    rig = Rig()
    low = rig.floor
    rig.resident = rig.floor = 200 << 20
    assert rig.look() == 1
    rig.floor = low
    assert rig.look(LOOK_EVERY * 2) == 1
    assert rig.resident == low


def test_what_an_app_keeps_is_asked_for_seldom() -> None:
    rig = Rig()
    rig.resident = rig.floor = 200 << 20
    rig.look(10_000)
    assert rig.look(MOST_PATIENT * 3) == 3


def test_growth_is_measured_from_the_least_there_was() -> None:
    rig = Rig()
    rig.resident = rig.floor = 10 << 20
    assert rig.look() == 0
    rig.resident += GROWTH_BYTES
    assert rig.look() == 1


def test_this_machine() -> None:
    assert resident_bytes() > 1 << 20
    give_back()
