from __future__ import annotations

from pathlib import Path

import pytest

from skitaid.exceptions import ConfError
from skitaid.supervisor.confs import Confs
from skitaid.supervisor.journal import Journal

GOOD = "[server]\nport = {port}\n[routes:line]\n/ = ../static\n"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    (folder / "servers-enabled").mkdir(parents=True)
    (folder / "static").mkdir()
    return folder


def confs_of(etc: Path) -> Confs:
    return Confs(etc, Journal(etc.parent / "log"))


def write(etc: Path, name: str, text: str) -> None:
    (etc / "servers-enabled" / f"{name}.conf").write_text(text)


def test_what_is_there_at_first_counts_at_once(etc: Path) -> None:
    write(etc, "a", GOOD.format(port=5001))
    confs = confs_of(etc)
    assert confs.names() == {"a"}
    assert confs.changes().keep == ("a",)


def test_two_looks_for_what_comes_later(etc: Path) -> None:
    confs = confs_of(etc)
    write(etc, "a", GOOD.format(port=5001))
    assert confs.changes().is_idle
    assert confs.changes().start == ("a",)
    assert confs.changes().is_idle


def test_taking_counts_at_once_for_the_one_that_is_meant(etc: Path) -> None:
    write(etc, "gone", GOOD.format(port=5001))
    confs = confs_of(etc)
    write(etc, "a", GOOD.format(port=5002))
    write(etc, "b", GOOD.format(port=5003))
    (etc / "servers-enabled" / "gone.conf").unlink()
    assert confs.take("a").start == ("a",)
    assert confs.take("gone").stop == ("gone",)
    assert confs.take().start == ("b",)
    assert confs.changes().is_idle


def test_main_conf_is_watched(etc: Path) -> None:
    confs = confs_of(etc)
    (etc / "skitaid.conf").write_text("[global]\n")
    assert not confs.main_changed()
    assert confs.main_changed()
    assert not confs.main_changed()


def test_verdicts(etc: Path) -> None:
    write(etc, "good", GOOD.format(port=5001))
    write(etc, "bad", GOOD.format(port="many"))
    reading = confs_of(etc).read()
    assert reading.verdicts["good"].instance is not None
    assert reading.verdicts["bad"].instance is None
    assert reading.verdicts["bad"].problems[0].line == 2


def test_a_wrong_main_conf_raises(etc: Path) -> None:
    (etc / "skitaid.conf").write_text("[global]\nlog = x\n")
    with pytest.raises(ConfError):
        confs_of(etc).read()


@pytest.mark.parametrize("how", ["gone", "a file"])
def test_without_the_folder_nothing_changes(etc: Path, how: str) -> None:
    write(etc, "a", GOOD.format(port=5001))
    confs = confs_of(etc)
    (etc / "servers-enabled").rename(etc / "aside")
    if how == "a file":
        (etc / "servers-enabled").touch()
    assert all(confs.changes().is_idle for _ in range(3))
    assert confs.names() == {"a"}
    assert confs.take().is_idle
    log = (etc.parent / "log" / "skitaid.log").read_text().splitlines()
    assert len(log) == 1 and "what runs goes on" in log[0]
    if how == "a file":
        (etc / "servers-enabled").unlink()
    (etc / "aside").rename(etc / "servers-enabled")
    (etc / "servers-enabled" / "a.conf").unlink()
    assert confs.changes().is_idle
    assert confs.changes().stop == ("a",)


def test_a_file_that_cannot_be_looked_at_is_not_gone(etc: Path) -> None:
    conf = etc / "servers-enabled" / "a.conf"
    write(etc, "a", GOOD.format(port=5001))
    confs = confs_of(etc)
    conf.unlink()
    conf.symlink_to(conf)  # a loop; root may look at everything else
    assert confs.changes().is_idle
    assert confs.changes().edited == ("a",)
    assert confs.read().verdicts["a"].problems
