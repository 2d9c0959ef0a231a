from __future__ import annotations

import os
from pathlib import Path

import pytest

from skitaid.exceptions import RefusedError
from skitaid.instance.lock import HeldError, InstanceLock, is_held


def test_one_at_a_time(tmp_path: Path) -> None:
    first = InstanceLock.take(tmp_path, "site")
    with pytest.raises(HeldError, match=rf"site is running already with pid {os.getpid()} \(it holds .*site\.lock\)"):
        InstanceLock.take(tmp_path, "site")
    InstanceLock.take(tmp_path, "other").release()
    first.release()
    InstanceLock.take(tmp_path, "site").release()


def test_an_orderly_end_leaves_no_trace(tmp_path: Path) -> None:
    first = InstanceLock.take(tmp_path, "site")
    assert not first.follows_a_killed_one
    first.release()
    second = InstanceLock.take(tmp_path, "site")
    assert not second.follows_a_killed_one
    second.release()


def test_a_killed_one_leaves_its_pid(tmp_path: Path) -> None:
    first = InstanceLock.take(tmp_path, "site")
    os.close(first.fd)  # all that the kernel does for a killed process
    second = InstanceLock.take(tmp_path, "site")
    assert second.follows_a_killed_one
    assert (tmp_path / "instances" / "site.lock").read_text() == f"{os.getpid()}\n"
    second.release()


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match=r"cannot use .*site\.lock: .*name another run_path") as caught:
        InstanceLock.take(tmp_path / "file", "site")
    assert not isinstance(caught.value, HeldError)


def test_others_see_whether_one_runs(tmp_path: Path) -> None:
    assert not is_held(tmp_path, "site")
    lock = InstanceLock.take(tmp_path, "site")
    assert is_held(tmp_path, "site")
    assert not is_held(tmp_path, "other")
    lock.release()
    assert not is_held(tmp_path, "site")


def test_two_masters_share_one(tmp_path: Path) -> None:
    first = InstanceLock.take(tmp_path, "site")
    second = InstanceLock(os.dup(first.fd))
    second.claim()
    first.part()
    first.release()
    assert is_held(tmp_path, "site")
    assert (tmp_path / "instances" / "site.lock").read_text() == f"{os.getpid()}\n"
    second.release()
    assert not is_held(tmp_path, "site")


def test_the_end_of_one_does_not_wipe_the_other_out(tmp_path: Path) -> None:
    lock = InstanceLock.take(tmp_path, "site")
    (tmp_path / "instances" / "site.lock").write_text("1\n")
    lock.release()
    assert (tmp_path / "instances" / "site.lock").read_text() == "1\n"
