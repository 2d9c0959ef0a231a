from __future__ import annotations

import errno
import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from skitaid.cli import doctor_spool
from skitaid.cli.doctor_spool import check_folder, check_spool
from skitaid.cli.finding import Level
from skitaid.config.identity import Identity
from skitaid.config.load import default_main
from skitaid.config.model import Global, Instance, Main, Server


@pytest.fixture
def main(tmp_path: Path) -> Main:
    return replace(default_main(tmp_path / "etc"), global_=Global(tmp_path, tmp_path, tmp_path))


def instance(**server: object) -> Instance:
    return Instance("shop", Path("/etc/shop.conf"), Server(**server))  # type: ignore[arg-type]


def test_without_a_folder_of_its_own_there_is_nothing_to_say(main: Main) -> None:
    assert list(check_spool(instance(), main)) == []
    assert list(check_spool(instance(spool_limit_bytes=0, spool_dir=Path("/nowhere")), main)) == []


def test_a_folder_that_is_there_or_can_be_made(main: Main, tmp_path: Path) -> None:
    (found,) = check_spool(instance(spool_dir=tmp_path), main)
    assert (found.level, found.text) == (Level.FINE, f"spool_dir {tmp_path} is writable")
    (found,) = check_spool(instance(spool_dir=tmp_path / "a" / "b"), main)
    assert (found.level, found.text.endswith("will be made when it is needed")) == (Level.FINE, True)


def test_a_folder_below_a_file(main: Main, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (found,) = check_spool(instance(spool_dir=tmp_path / "file" / "bodies"), main)
    assert (found.level, f"{tmp_path}/file is not a folder" in found.text) == (Level.WRONG, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody but root becomes another user")
def test_the_workers_user_has_to_write_there(tmp_path: Path) -> None:
    folder = tmp_path / "odd name"
    folder.mkdir(mode=0o700)
    entry = pwd.getpwnam("nobody")
    found = check_folder("shop", folder, Identity(entry.pw_name, entry.pw_uid, entry.pw_gid))
    assert (found.level, "cannot be written to by user nobody" in found.text) == (Level.WRONG, True)
    assert f"chown nobody '{folder}'" in found.fix


def test_a_disk_without_room(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "the disk is nearly full")

    monkeypatch.setattr(doctor_spool, "check_room", full)
    (found,) = check_spool(instance(), main)
    assert (found.level, "answered 507: the disk is nearly full" in found.text) == (Level.WARNING, True)
