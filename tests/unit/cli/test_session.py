"""How paths are shown to people."""

from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.cli.session import short


def test_a_path_below_the_working_folder_is_shown_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert short(tmp_path / "etc" / "a.conf") == "etc/a.conf"
    assert short(tmp_path.parent / "a.conf") == f"{tmp_path.parent}/a.conf"


def test_at_the_root_paths_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert short(Path("/etc/skitaid/a.conf")) == "/etc/skitaid/a.conf"
