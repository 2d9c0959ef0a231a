from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from skitaid.exceptions import RefusedError
from skitaid.supervisor import lock
from tests.unit.rights import as_nobody


def test_the_second_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    fd = lock.acquire(tmp_path / "run")
    lock.write_pid(tmp_path / "run", 4711)
    with pytest.raises(RefusedError, match="already running with pid 4711"):
        lock.acquire(tmp_path / "run")
    assert lock.is_held(tmp_path / "run")
    lock.release(fd)
    assert not lock.is_held(tmp_path / "run")
    lock.release(lock.acquire(tmp_path / "run"))


def test_a_lock_whose_file_was_removed_or_replaced_is_not_there(tmp_path: Path) -> None:
    fd = lock.acquire(tmp_path)
    assert lock.is_there(tmp_path, fd)
    (tmp_path / lock.LOCK_FILE).unlink()
    assert not lock.is_there(tmp_path, fd)
    another = lock.acquire(tmp_path)
    assert not lock.is_there(tmp_path, fd)
    assert lock.is_there(tmp_path, another)
    lock.release(fd)
    lock.release(another)


def test_the_lock_outlives_the_process_that_took_it_in_the_one_that_got_it(tmp_path: Path) -> None:
    fd = lock.acquire(tmp_path)
    hears, says = os.pipe()
    child = os.fork()
    if not child:
        os.close(says)
        os.read(hears, 1)
        os._exit(0)
    os.close(fd)  # the child still has it
    assert lock.is_held(tmp_path)
    os.close(says)
    assert os.waitpid(child, 0)[1] == 0
    assert not lock.is_held(tmp_path)
    os.close(hears)


def test_released_though_a_child_has_the_descriptor(tmp_path: Path) -> None:
    fd = lock.acquire(tmp_path)
    copy = os.dup(fd)
    lock.release(fd)
    assert not lock.is_held(tmp_path)
    os.close(copy)


def test_not_inherited_over_exec(tmp_path: Path) -> None:
    fd = lock.acquire(tmp_path)
    assert not os.get_inheritable(fd)
    lock.release(fd)


def test_a_run_path_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match=re.escape(f"cannot use run_path {tmp_path}/file/run")):
        lock.acquire(tmp_path / "file" / "run")
    assert not lock.is_held(tmp_path / "file" / "run")


def test_the_lock_of_another_user_counts_as_held(tmp_path: Path) -> None:
    assert not lock.is_closed(tmp_path)
    lock.release(lock.acquire(tmp_path))
    assert not lock.is_closed(tmp_path)
    (tmp_path / lock.LOCK_FILE).chmod(0)
    assert as_nobody(lambda: f"{lock.is_closed(tmp_path)} {lock.is_held(tmp_path)}") == "True True"


@pytest.mark.parametrize("content", [b"", b"x\n", b"-5\n", b"\xff"])
def test_a_pid_file_of_nonsense(tmp_path: Path, content: bytes) -> None:
    (tmp_path / lock.PID_FILE).write_bytes(content)
    assert lock.read_pid(tmp_path) is None


def test_pid_file(tmp_path: Path) -> None:
    assert lock.read_pid(tmp_path) is None
    lock.write_pid(tmp_path, 12)
    lock.write_pid(tmp_path, 13)
    assert lock.read_pid(tmp_path) == 13
    lock.remove_pid(tmp_path)
    lock.remove_pid(tmp_path)
    assert list(tmp_path.iterdir()) == []
