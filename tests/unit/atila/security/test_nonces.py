"""Nonces of digest authentication: good for a while, each count once, in all workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skitaid.atila.security.nonces import NONCE_LIFE_S, Nonces, Seen, open_table


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def nonces(clock: Clock) -> Nonces:
    return Nonces(*open_table(None), clock=clock)


def test_a_count_is_good_once_in_any_order(nonces: Nonces) -> None:
    nonce = nonces.make()
    order = [1, 3, 2, 10, 4, 70, 69, 9]
    assert [nonces.see(nonce, f"{count:08x}") for count in order] == [Seen.NEW] * len(order)
    assert [nonces.see(nonce, f"{count:08x}") for count in order] == [Seen.REPLAYED] * len(order)
    assert nonces.see(nonce, "00000000") is Seen.REPLAYED
    assert nonces.see(nonce, f"{70 - 64:08x}") is Seen.REPLAYED
    assert nonces.see(nonce, "ffffffff") is Seen.NEW
    assert nonces.see(nonce, "ffffffff") is Seen.REPLAYED


def test_a_nonce_lives_for_a_while(nonces: Nonces, clock: Clock) -> None:
    nonce = nonces.make()
    clock.now += NONCE_LIFE_S - 1
    assert nonces.see(nonce, "00000001") is Seen.NEW
    clock.now += 1
    assert nonces.see(nonce, "00000002") is Seen.STALE


@pytest.mark.parametrize("nonce", ["", "x.y.z", "...", "ff.00.é", "\udcff.x.y"])
def test_what_is_none_of_ours_is_stale(nonces: Nonces, nonce: str) -> None:
    assert nonces.see(nonce, "00000001") is Seen.STALE


def test_a_nonce_of_somebody_else_is_stale(nonces: Nonces, clock: Clock) -> None:
    assert nonces.see(Nonces(*open_table(None), clock=clock).make(), "00000001") is Seen.STALE


def test_what_there_was_no_room_for_is_stale_and_never_taken_twice(nonces: Nonces, clock: Clock) -> None:
    taken = []
    for _ in range(6000):
        clock.now += 0.01
        taken.append(nonces.make())
        assert nonces.see(taken[-1], "00000001") is Seen.NEW
    assert nonces.see(taken[0], "00000001") is Seen.STALE
    assert {nonces.see(nonce, "00000001") for nonce in taken} == {Seen.STALE, Seen.REPLAYED}
    clock.now += 0.01
    assert nonces.see(nonces.make(), "00000001") is Seen.NEW


def test_places_of_nonces_that_are_over_are_free(nonces: Nonces, clock: Clock) -> None:
    for _ in range(2):
        made = [nonces.make() for _ in range(500)]
        assert [nonces.see(nonce, "00000001") for nonce in made] == [Seen.NEW] * 500
        clock.now += NONCE_LIFE_S


def test_workers_share_them(tmp_path: Path, clock: Clock) -> None:
    one, other = (Nonces(*open_table(str(tmp_path)), clock=clock) for _ in range(2))
    nonce = one.make()
    assert other.see(nonce, "00000001") is Seen.NEW
    assert one.see(nonce, "00000001") is Seen.REPLAYED
    assert one.see(nonce, "00000002") is Seen.NEW
    (file,) = tmp_path.iterdir()
    assert os.stat(file).st_mode & 0o777 == 0o600


def test_a_folder_that_can_not_be_used(tmp_path: Path, clock: Clock) -> None:
    table, descriptor = open_table(str(tmp_path / "missing"))
    assert descriptor is None
    nonces = Nonces(table, descriptor, clock=clock)
    assert nonces.see(nonces.make(), "00000001") is Seen.NEW
