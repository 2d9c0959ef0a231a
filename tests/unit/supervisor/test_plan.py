from __future__ import annotations

import os
from pathlib import Path

from skitaid.supervisor.plan import Plan, Stamp, diff, look, settle


def stamp(version: int) -> Stamp:
    return Stamp(Path("/x.conf"), version, 1, 1)


def test_diff() -> None:
    old = {"gone": stamp(1), "edited": stamp(1), "same": stamp(1)}
    new = {"came": stamp(1), "edited": stamp(2), "same": stamp(1)}
    assert diff(old, new) == Plan(start=("came",), stop=("gone",), edited=("edited",), keep=("same",))
    assert diff(new, new).is_idle
    assert not diff(old, new).is_idle


def test_a_change_counts_at_the_second_look() -> None:
    one, two = {"a": stamp(1)}, {"a": stamp(2)}
    assert settle(one, one, two) == one
    assert settle(one, two, two) == two


def test_a_file_written_in_halves_counts_when_it_rests() -> None:
    known = {"a": stamp(1)}
    for before, now in ((1, 2), (2, 3), (3, 4)):
        known = dict(settle(known, {"a": stamp(before)}, {"a": stamp(now)}))
        assert known == {"a": stamp(1)}
    assert settle(known, {"a": stamp(4)}, {"a": stamp(4)}) == {"a": stamp(4)}


def test_a_file_gone_for_a_moment_stays() -> None:
    known = {"a": stamp(1)}
    assert settle(known, known, {}) == known
    assert settle(known, {}, {"a": stamp(2)}) == known
    assert settle(known, {"a": stamp(2)}, {"a": stamp(2)}) == {"a": stamp(2)}


def test_a_new_file_and_a_removed_one_need_two_looks() -> None:
    new = {"a": stamp(1)}
    assert settle({}, {}, new) == {}
    assert settle({}, new, new) == new
    assert settle(new, {}, {}) == {}


def test_look_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    there = tmp_path / "a.conf"
    there.write_text("x")
    [found] = look({"a": there, "b": tmp_path / "b.conf"}).values()
    assert (found.path, found.size) == (there, 1)


def test_every_way_of_writing_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("one")
    os.utime(path, ns=(1, 1))
    first = look({"a": path})
    path.write_text("two")
    os.utime(path, ns=(2, 2))
    second = look({"a": path})
    (tmp_path / "new").write_text("two")
    os.utime(tmp_path / "new", ns=(2, 2))
    (tmp_path / "new").rename(path)
    assert len({first["a"], second["a"], look({"a": path})["a"]}) == 3
