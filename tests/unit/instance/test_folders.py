from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from skitaid.config.load import default_main
from skitaid.config.model import Instance
from skitaid.instance.arguments import Conf
from skitaid.instance.folders import Folders, FoldersError


@pytest.fixture
def conf(tmp_path: Path) -> Conf:
    main = default_main(tmp_path / "etc")
    return Conf(main, Instance("site", tmp_path / "site.conf"), tmp_path / "log" / "site", tmp_path / "lib" / "site")


def test_folders_and_logs_are_made(conf: Conf) -> None:
    folders = Folders(conf, is_verbose=True)
    assert conf.var_folder.is_dir()
    assert sorted(os.listdir(conf.log_folder)) == ["app.log", "request.log", "server.log", "stderr.log"]
    assert folders.logbook.folder == conf.log_folder
    folders.logbook.close()


def test_the_same_conf_changes_nothing(conf: Conf) -> None:
    folders = Folders(conf, is_verbose=True)
    before = folders.logbook
    folders.follow(replace(conf))
    assert folders.logbook is before
    before.close()


def test_another_log_folder_is_followed(conf: Conf, tmp_path: Path) -> None:
    folders = Folders(conf, is_verbose=True)
    folders.logbook.server.write("info", "before")
    folders.follow(replace(conf, log_folder=tmp_path / "elsewhere"))
    folders.logbook.server.write("info", "after")
    assert "before" in (conf.log_folder / "server.log").read_text()
    assert "after" in (tmp_path / "elsewhere" / "server.log").read_text()
    folders.logbook.close()


def test_a_folder_that_cannot_be_made_is_told(conf: Conf, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FoldersError, match=r"cannot make .*/file/site: .* \(make its parent writable"):
        Folders(replace(conf, var_folder=tmp_path / "file" / "site"), is_verbose=True)
