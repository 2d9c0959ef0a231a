"""`was.gentemp`."""

from __future__ import annotations

import os
from pathlib import Path

from skitaid import was
from skitaid.was.worker import current_worker
from tests.unit.was.rig import World


def test_gentemp(world: World, tmp_path: Path) -> None:
    names = {was.gentemp() for _ in range(50)}
    assert len(names) == 50
    assert not any(Path(name).exists() for name in names)
    folder = tmp_path / "temp" / str(os.getpid())
    assert {Path(name).parent for name in names} == {folder}
    assert folder.stat().st_mode & 0o777 == 0o700
    Path(names.pop()).write_text("x")
    assert was.gentemp(".png").endswith(".png")
    current_worker().end()
    assert not folder.exists()


def test_what_dead_workers_left_is_removed(world: World, tmp_path: Path) -> None:
    (tmp_path / "temp" / "999999999").mkdir(parents=True)
    (tmp_path / "temp" / "1").mkdir()
    was.gentemp()
    assert {path.name for path in (tmp_path / "temp").iterdir()} == {"1", str(os.getpid())}


def test_gentemp_without_a_worker() -> None:
    assert not Path(was.gentemp()).exists()
