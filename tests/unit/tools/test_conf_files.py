"""tools/conf_files.py: no edit is ever lost."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "tools" / "conf_files.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("skitaid_tools_conf_files", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


conf_files = load()
Action, Sums, ConfFolder = conf_files.Action, conf_files.Sums, conf_files.ConfFolder


@pytest.mark.parametrize(
    ("current", "installed", "shipped", "action"),
    [
        (None, None, "new", Action.WRITE),
        (None, "old", "new", Action.STAY_AWAY),
        ("new", None, "new", Action.SAME),
        ("new", "old", "new", Action.SAME),
        ("old", "old", "new", Action.REPLACE),
        ("mine", "new", "new", Action.KEEP),
        ("mine", "old", "new", Action.WRITE_BESIDE),
        ("mine", None, "new", Action.WRITE_BESIDE),
    ],
)
def test_decide(current: str | None, installed: str | None, shipped: str, action: object) -> None:
    assert conf_files.decide(Sums(current, installed, shipped)) is action


def test_a_new_version_replaces_what_was_not_edited(tmp_path: Path) -> None:
    ConfFolder(tmp_path).install({"a.conf": b"1", "sub/b.conf": b"1", "gone.conf": b"1"})
    (tmp_path / "a.conf").write_bytes(b"mine")
    actions = ConfFolder(tmp_path).install({"a.conf": b"2", "sub/b.conf": b"2"})
    assert actions == {"a.conf": Action.WRITE_BESIDE, "sub/b.conf": Action.REPLACE}
    assert (tmp_path / "a.conf").read_bytes() == b"mine"
    assert (tmp_path / "a.conf.new").read_bytes() == b"2"
    assert (tmp_path / "sub/b.conf").read_bytes() == b"2"
    assert not (tmp_path / "gone.conf").exists()


def test_the_new_version_beside_goes_once_it_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"mine")
    ConfFolder(tmp_path).install({"a.conf": b"1"})
    (tmp_path / "a.conf").write_bytes(b"1")
    ConfFolder(tmp_path).install({"a.conf": b"1"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".installed", "a.conf"]


def test_uninstall_keeps_edits_and_remembers_them(tmp_path: Path) -> None:
    ConfFolder(tmp_path).install({"a.conf": b"1", "sub/b.conf": b"1"})
    (tmp_path / "a.conf").write_bytes(b"mine")
    assert ConfFolder(tmp_path).uninstall() == ["a.conf"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".installed", "a.conf"]
    assert ConfFolder(tmp_path).install({"a.conf": b"1", "sub/b.conf": b"1"})["sub/b.conf"] is Action.WRITE


def test_uninstall_of_all_leaves_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    ConfFolder(folder).install({"a.conf": b"1", "sub/b.conf": b"1"})
    assert ConfFolder(folder).uninstall() == []
    assert not folder.exists()
