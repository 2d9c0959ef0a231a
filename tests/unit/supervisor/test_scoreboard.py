from __future__ import annotations

import os

import pytest

from skitaid.supervisor.scoreboard import MAX_SLOTS, SCOREBOARD_FD, Scoreboard, WorkerState, inherited


def test_new_board_is_empty() -> None:
    board = Scoreboard.create(4)
    assert board.slots == 4
    assert board.read_all() == []
    assert board.slot(3).is_empty
    assert board.slot(0).snapshot().state is WorkerState.EMPTY


def test_what_is_written_is_read_by_another_mapping() -> None:
    board = Scoreboard.create(4)
    other = Scoreboard.attach(os.dup(board.fd))
    board.slot(2).update(
        pid=77,
        state=WorkerState.READY,
        heartbeat_ns=2**60,
        requests=5,
        connections=3,
        rss_bytes=2**33,
        started_s=1_700_000_000.25,
    )
    [view] = other.read_all()
    assert (view.index, view.pid, view.state, view.connections) == (2, 77, WorkerState.READY, 3)
    assert (view.heartbeat_ns, view.requests, view.rss_bytes, view.started_s) == (2**60, 5, 2**33, 1_700_000_000.25)


def test_update_leaves_other_fields() -> None:
    slot = Scoreboard.create(1).slot(0)
    slot.update(pid=7, requests=10)
    slot.update(requests=11)
    assert (slot.snapshot().pid, slot.snapshot().requests) == (7, 11)


def test_unknown_field_is_refused_by_name() -> None:
    slot = Scoreboard.create(1).slot(0)
    with pytest.raises(TypeError, match="no field 'memory'"):
        slot.update(memory=1)


def test_clear_slot_and_board() -> None:
    board = Scoreboard.create(3)
    for index in range(3):
        board.slot(index).update(pid=index + 1, state=WorkerState.READY)
    board.count_replaced()
    board.slot(1).clear()
    assert [view.pid for view in board.read_all()] == [1, 3]
    assert board.replaced == 1
    board.clear()
    assert board.read_all() == []
    assert board.replaced == 0


def test_a_writer_killed_half_way_does_not_block_readers_or_the_next_writer() -> None:
    board = Scoreboard.create(1)
    slot = board.slot(0)
    slot.update(pid=7, requests=1)
    slot._words[slot._base] |= 1  # as if killed between the two sequence writes
    assert slot.snapshot().requests == 1
    slot.update(requests=2)
    assert slot._words[slot._base] % 2 == 0
    assert slot.snapshot().requests == 2


def test_an_unknown_state_number_reads_as_empty() -> None:
    slot = Scoreboard.create(1).slot(0)
    slot.update(pid=7, state=99)
    assert slot.snapshot().state is WorkerState.EMPTY


@pytest.mark.parametrize("slots", [0, -1, MAX_SLOTS + 1])
def test_number_of_slots_is_bounded(slots: int) -> None:
    with pytest.raises(ValueError, match="1 to 256 slots"):
        Scoreboard.create(slots)


@pytest.mark.parametrize("index", [-1, 2])
def test_slot_out_of_range(index: int) -> None:
    with pytest.raises(IndexError):
        Scoreboard.create(2).slot(index)


@pytest.mark.parametrize("content", [b"", b"x" * 256])
def test_attach_refuses_another_file(content: bytes, tmp_path: object) -> None:
    fd = os.open(f"{tmp_path}/file", os.O_RDWR | os.O_CREAT)
    os.write(fd, content)
    with pytest.raises(ValueError, match="not a scoreboard"):
        Scoreboard.attach(fd)
    os.close(fd)


def test_a_forked_child_writes_to_the_same_page() -> None:
    board = Scoreboard.create(1)
    child = os.fork()
    if not child:
        board.slot(0).update(pid=os.getpid(), requests=9)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert board.slot(0).snapshot().pid == child
    board.close()


def test_a_page_is_inherited_and_not_handed_on() -> None:
    board = Scoreboard.create(3)
    os.set_inheritable(board.fd, True)
    found = inherited({SCOREBOARD_FD: str(board.fd)})
    found.slot(2).update(pid=5)
    assert (found.fd, found.slots, board.slot(2).snapshot().pid) == (board.fd, 3, 5)
    assert not os.get_inheritable(board.fd)


@pytest.mark.parametrize("environ", [{}, {SCOREBOARD_FD: "none"}])
def test_who_is_not_watched_has_a_page_of_its_own(environ: dict[str, str]) -> None:
    board = inherited(environ)
    assert board.slots == MAX_SLOTS
    board.close()
