from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from skitaid.agents.cron.records import Due, Last, Records, boot_id
from skitaid.exceptions import RefusedError


@pytest.fixture
def records(tmp_path: Path) -> Records:
    found = Records(tmp_path / "cron")
    found.make()
    return found


def test_what_is_written_is_read(records: Records) -> None:
    assert (records.due("a"), records.last("a"), records.known()) == (Due(), None, ({}, 0.0))
    records.note_due("a", Due(12.5, "boot"))
    records.note_due("agent", Due(1.0))
    records.note_last("a", Last(7, 12.5))
    records.note_known({"a": "@daily"}, 3.5)
    assert records.known() == ({"a": "@daily"}, 3.5)
    assert (records.due("a"), records.last("a")) == (Due(12.5, "boot"), Last(7, 12.5))
    records.note_last("a", Last(7, 12.5, 13.0, 3))
    assert Records(records.folder).last("a") == Last(7, 12.5, 13.0, 3)
    os.utime(records.folder / "known", (5, 5))
    assert records.known() == ({"a": "@daily"}, 5.0)
    records.note_alive(7.5)
    assert records.known()[1] == 7.5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": "x", "started": [], "pid": null}'])
def test_what_is_damaged_is_not_there(records: Records, text: str) -> None:
    for name in ("jobs/a.due", "jobs/a.last"):
        (records.folder / name).write_text(text)
    assert (records.due("a"), records.last("a")) == (Due(), None)


def test_nobody_else_may_look(records: Records) -> None:
    assert records.folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_was_emptied_is_made_again(records: Records) -> None:
    shutil.rmtree(records.folder)
    records.note_due("a", Due(12.5))
    shutil.rmtree(records.folder)
    records.note_known({}, 1.0)
    shutil.rmtree(records.folder)
    fd = records.take("a")
    assert fd is not None
    assert records.runs("a")
    os.close(fd)


def test_what_cannot_be_written_leaves_nothing(records: Records) -> None:
    (records.folder / "jobs" / "a.due").mkdir()
    with pytest.raises(OSError, match="directory"):
        records.note_due("a", Due(12.5))
    assert [path.name for path in (records.folder / "jobs").iterdir()] == ["a.due"]


def test_one_agent(records: Records) -> None:
    fd = records.hold()
    with pytest.raises(RefusedError, match="another cron agent"):
        Records(records.folder).hold()
    os.close(fd)
    os.close(records.hold())


def test_a_lock_whose_file_is_gone_keeps_nobody_out(records: Records) -> None:
    fd = records.hold()
    assert records.is_held(fd)
    shutil.rmtree(records.folder)
    assert not records.is_held(fd)
    other = records.hold()
    assert (records.is_held(fd), records.is_held(other)) == (False, True)
    os.close(fd)
    os.close(other)


def test_a_job_is_taken_once(records: Records) -> None:
    assert not records.runs("a")
    fd = records.take("a")
    assert fd is not None
    assert records.runs("a")
    assert records.take("a") is None
    assert records.take("a", shared=True) is None
    os.close(fd)
    assert not records.runs("a")


def test_a_job_that_may_overlap_is_taken_again(records: Records) -> None:
    first, second = records.take("a", shared=True), records.take("a", shared=True)
    assert first is not None
    assert second is not None
    os.close(first)
    assert records.runs("a")
    assert records.take("a") is None
    os.close(second)
    assert not records.runs("a")


def test_a_start_of_the_machine_or_of_a_container(tmp_path: Path) -> None:
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "1").mkdir()

    def boot(kernel: str, started: int) -> str:
        (tmp_path / "sys/kernel/random/boot_id").write_text(f"{kernel}\n")
        (tmp_path / "1/stat").write_text(f"1 (a ) b) S {' '.join(['0'] * 18)} {started} 0 0\n")
        return boot_id(tmp_path)

    assert boot("k", 4) == boot("k", 4)
    assert len({boot("k", 4), boot("k", 5), boot("l", 4)}) == 3
    assert boot_id(tmp_path / "nowhere") == "this one"
