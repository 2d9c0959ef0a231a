"""Numbers and times that processes share."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skitaid import was
from skitaid.was import states
from skitaid.was.state_table import MAX_NAME_BYTES, SLOTS, StateTable, StateTableError
from skitaid.was.worker import current_worker
from tests.unit.was.rig import World, until


@pytest.fixture
def table() -> StateTable:
    return StateTable.create()


def in_child(work: Callable[[], object]) -> int:
    """The exit code of a process that was forked to do it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_values(table: StateTable) -> None:
    assert table.value("a") == 0
    table.set_value("a", -5)
    assert (table.value("a"), table.value("b"), table.names()) == (-5, 0, ["a", "b"])
    assert (table.add("a", 7), table.add("a", -2), table.value("a")) == (2, 0, 0)


def test_times_never_go_back(table: StateTable) -> None:
    assert table.time_ns("a") == 0
    table.touch("a", 10)
    table.touch("a", 5)
    assert (table.time_ns("a"), table.value("a")) == (10, 0)


def test_numbers_have_64_bits(table: StateTable) -> None:
    table.set_value("a", (1 << 63) - 1)
    with pytest.raises(StateTableError, match="64 bits"):
        table.add("a", 1)
    assert table.value("a") == (1 << 63) - 1


def test_names_are_bounded(table: StateTable) -> None:
    table.set_value("é" * (MAX_NAME_BYTES // 2), 1)
    for name in ("", "x" * (MAX_NAME_BYTES + 1)):
        with pytest.raises(StateTableError, match="expected a name"):
            table.value(name)


def test_slots_are_bounded(table: StateTable) -> None:
    for number in range(SLOTS):
        table.value(str(number))
    with pytest.raises(StateTableError, match="slots are taken"):
        table.value("one more")
    assert table.value("5") == 0


def test_processes_share_it(table: StateTable) -> None:
    table.set_value("ours", 1)

    def work() -> None:
        assert table.value("ours") == 1
        table.set_value("theirs", 2)
        table.touch("ours", 3)

    assert in_child(work) == 0
    assert (table.value("theirs"), table.time_ns("ours"), table.names()) == (2, 3, ["ours", "theirs"])


def test_it_is_found_by_its_descriptor(table: StateTable) -> None:
    table.set_value("a", 1)
    other = StateTable.of(os.dup(table.fd))
    assert other.add("a", 1) == table.value("a") == 2


def test_nothing_is_lost_between_processes_and_threads(table: StateTable) -> None:
    rounds = 300

    def work() -> None:
        for number in range(rounds):
            table.add("sum", 1)
            table.add(f"name{number % 7}", 1)

    def fork() -> None:
        codes.append(in_child(work))

    codes: list[int] = []
    threads = [threading.Thread(target=target) for target in (fork, fork, work, work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (codes, table.value("sum")) == ([0, 0], 4 * rounds)
    assert sum(table.value(f"name{number}") for number in range(7)) == 4 * rounds
    assert len(table.names()) == 8


def test_the_lock_of_a_process_that_dies_is_released(table: StateTable) -> None:
    table.value("a")
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        with table._locked(0):
            os.write(tell, b"x")
            time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert table.add("a", 1) == 1
    os.close(ready)
    os.close(tell)


# ---------------------------------------------------------------- what apps call


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = set(states._registered)
    yield
    states._registered.clear()
    states._registered.update(before)
    states.listeners.clear()


def test_getgs_and_setgs(world: World) -> None:
    current_worker().states = table = StateTable.create()
    was.register_states("nodes", "other")
    was.setgs("nodes", was.getgs("nodes") + 1)
    assert (was.getgs("nodes"), table.value("nodes"), was.getgs("other")) == (1, 1, 0)
    assert (was.addgs("nodes"), was.addgs("nodes", -5)) == (2, -3)


def test_getlu_and_setlu(world: World) -> None:
    current_worker().states = StateTable.create()
    was.register_states("users", "photos")
    assert was.getlu("users", "photos") == was.getlu() == 0.0
    before = time.time()
    was.setlu("photos")
    assert before - 0.001 <= was.getlu("users", "photos") <= time.time()
    assert was.getlu("users") == 0.0


def test_a_state_that_nobody_registered() -> None:
    for use in (lambda: was.getgs("typo"), lambda: was.setgs("typo", 1), lambda: was.setlu("typo")):
        with pytest.raises(KeyError, match=r"'typo' is not registered: call register_states"):
            use()


def test_a_state_is_a_whole_number() -> None:
    was.register_states("nodes")
    for value in (1.5, "1", None):
        with pytest.raises(TypeError, match="whole number"):
            was.setgs("nodes", value)
    with pytest.raises(TypeError, match="not the name of a state"):
        was.register_states(["nodes"])


def test_register_states_is_a_decorator() -> None:
    @was.register_states("mine", "yours")
    def mount(app: object) -> str:
        return "mounted"

    assert mount(None) == "mounted"
    assert was.getgs("yours") == 0


def test_who_listens_is_told() -> None:
    told: list[Any] = []
    states.listeners.append(lambda *event: told.append(event))
    was.register_states("users")
    was.setlu("users", 5, user="Hans")
    was.setgs("users", 1, node="a")
    was.addgs("users")
    assert told == [
        ("model-changed:users", (5,), {"user": "Hans"}),
        ("users", (), {"node": "a"}),
        ("users", (), {}),
    ]


# ---------------------------------------------------------------- locks


def test_a_lock_keeps_threads_out(world: World) -> None:
    lock = was.get_lock("a")
    assert was.get_lock("a") is lock
    assert was.get_lock("b") is not lock
    assert not lock.locked()
    with lock:
        assert lock.locked()
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(timeout=0.01)
        with was.get_lock():
            assert was.get_lock("__main__").locked()
    assert lock.acquire(timeout=0.01)
    lock.release()
    with pytest.raises(RuntimeError, match="not held"):
        lock.release()


def test_a_lock_keeps_processes_out(world: World) -> None:
    lock = was.get_lock("a")
    with lock:
        assert in_child(lambda: _fails_to_get(lock)) == 0
    assert in_child(lambda: lock.acquire(timeout=5)) == 0
    # It died with the lock.
    assert lock.acquire(timeout=5)
    lock.release()


def _fails_to_get(lock: Any) -> None:
    other = type(lock)(lock._path)
    assert not other.acquire(blocking=False)
    assert not other.acquire(timeout=0.02)


@pytest.mark.parametrize("is_another_process", [False, True])
def test_a_lock_is_waited_for(world: World, is_another_process: bool) -> None:
    lock = was.get_lock("a")
    # Another object for the same file meets it as another process does.
    other = type(lock)(lock._path) if is_another_process else lock
    lock.acquire()
    got: list[bool] = []
    threads = [threading.Thread(target=lambda: got.append(other.acquire())) for _ in range(2)]
    for thread in threads:
        thread.start()
    lock.release()
    until(lambda: got, "one of the two to get the lock")
    other.release()
    for thread in threads:
        thread.join(5)
    other.release()
    assert got == [True, True]
    assert lock.acquire(blocking=False)
    lock.release()


def test_any_name_will_do(world: World, tmp_path: Path) -> None:
    for name in ("a/../b", "é", "x" * 300, ".hidden", ""):
        with was.get_lock(name):
            assert len(list((tmp_path / "locks").iterdir())) > 0
    assert {path.parent for path in (tmp_path / "locks").iterdir()} == {tmp_path / "locks"}


def test_waiting_for_a_lock_on_the_loop_thread_is_an_error(world: World) -> None:
    from skitaid.was.errors import LoopThreadError

    lock = was.get_lock("a")
    with lock:
        assert isinstance(world.portal.run(lock.acquire), LoopThreadError)
        assert world.portal.run(lambda: lock.acquire(False)) is False
    assert world.portal.run(lock.acquire) is True
    lock.release()
