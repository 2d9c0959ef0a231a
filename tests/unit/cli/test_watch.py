from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.cli import watch
from skitaid.cli.watch import Watched
from skitaid.config.model import AppTarget, Host, Instance, Mount, StaticTarget


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_instance_is_its_conf_and_its_apps_folders(tmp_path: Path) -> None:
    inner = put(tmp_path / "site" / "pkg" / "sub" / "wsgi.py")
    put(tmp_path / "site" / "pkg" / "__init__.py")
    put(tmp_path / "site" / "pkg" / "sub" / "__init__.py")
    host = Host(
        mounts=(
            Mount("/", AppTarget(inner)),
            Mount("/b", AppTarget(inner)),
            Mount("/s", StaticTarget(tmp_path / "files")),
        )
    )
    conf = tmp_path / "site.conf"
    watched = watch.watched_by(Instance("site", conf, hosts=(host,)))
    assert watched == Watched((conf,), (tmp_path / "site",))


def test_only_what_can_be_part_of_an_app_is_looked_at(tmp_path: Path) -> None:
    wanted = [put(tmp_path / "app.py"), put(tmp_path / "services" / "a.py"), put(tmp_path / "templates" / "a.html")]
    for other in ("data.sqlite", ".git/hook.py", "__pycache__/app.py", "node_modules/x/y.py"):
        put(tmp_path / other)
    assert sorted(watch.snapshot(Watched(folders=(tmp_path,)))) == sorted(map(str, wanted))


def test_changes_are_what_was_added_removed_or_written(tmp_path: Path) -> None:
    kept, gone, written = (put(tmp_path / name) for name in ("kept.py", "gone.py", "written.py"))
    watched = Watched(folders=(tmp_path,))
    before = watch.snapshot(watched)
    assert watch.changes(before, watch.snapshot(watched)) == []
    gone.unlink()
    written.write_text("x = 1")
    added = put(tmp_path / "added.py")
    assert watch.changes(before, watch.snapshot(watched)) == sorted(map(str, (added, gone, written)))
    assert str(kept) in before


def test_a_huge_folder_is_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        put(tmp_path / f"m{number}.py")
    monkeypatch.setattr(watch, "FILES_MAX", 3)
    assert len(watch.snapshot(Watched(folders=(tmp_path,)))) == 3


def test_changed_files_are_named_shortly() -> None:
    assert watch.shown(["/a/b.py"]) == "b.py"
    assert watch.shown(["/a/b.py", "/a/c.py", "/d", "/e", "/f"]) == "b.py, c.py, d and 2 more"
