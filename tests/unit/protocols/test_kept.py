from __future__ import annotations

from skitaid.protocols.kept import Kept


def test_what_is_offered_twice_is_kept() -> None:
    kept: Kept[bytes, int] = Kept(4, 1000)
    kept.offer(b"key", 1, 3)
    assert kept.found == {}
    kept.offer(b"key", 2, 3)
    assert kept.found == {b"key": 2}


def test_a_flood_of_things_that_come_once_pushes_nothing_out() -> None:
    kept: Kept[bytes, int] = Kept(4, 1000)
    for _ in range(2):
        kept.offer(b"useful", 1, 6)
    for number in range(1000):
        kept.offer(b"%d" % number, number, 4)
    assert kept.found == {b"useful": 1}
    assert len(kept._seen) <= 16


def test_a_full_table_starts_anew() -> None:
    kept: Kept[int, int] = Kept(4, 1000)
    for number in range(6):
        kept.offer(number, number, 4)
        kept.offer(number, number, 4)
    assert kept.found == {4: 4, 5: 5}


def test_keys_have_so_much_room_in_all() -> None:
    kept: Kept[int, int] = Kept(100, 1000)
    for number in range(9):
        for _ in range(3):
            kept.offer(number, number, 300)
    assert kept.found == {6: 6, 7: 7, 8: 8}
