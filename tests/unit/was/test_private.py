"""The folder that `was` has for itself."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from skitaid.was.errors import FolderError
from skitaid.was.private import private_folder
from tests.unit.was.rig import World


@pytest.fixture
def of_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is in a process that is no worker."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"skitaid-{os.getuid()}"


def test_of_a_worker_it_is_the_instances(world: World, tmp_path: Path) -> None:
    assert private_folder() == tmp_path


def test_it_is_made_for_this_user_alone(of_user: Path) -> None:
    before = os.umask(0o002)
    try:
        assert private_folder() == of_user
    finally:
        os.umask(before)
    assert of_user.stat().st_mode & 0o777 == 0o700


def test_one_that_others_could_write_to_is_closed(of_user: Path) -> None:
    of_user.mkdir()
    of_user.chmod(0o775)
    private_folder()
    assert of_user.stat().st_mode & 0o077 == 0


def test_somebody_elses_is_not_used(of_user: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    of_user.symlink_to(tmp_path / "theirs")
    with pytest.raises(FolderError, match="TMPDIR"):
        private_folder()
