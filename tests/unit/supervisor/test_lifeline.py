from __future__ import annotations

import os

from skitaid.supervisor.lifeline import LIFELINE_FD, Lifeline, inherited, is_cut


def test_whole_while_the_parent_holds_its_end_and_cut_after() -> None:
    line = Lifeline.create()
    assert not is_cut(line.read_fd)
    os.close(line.write_fd)
    assert is_cut(line.read_fd)
    os.close(line.read_fd)


def test_ends_are_not_inherited_over_exec() -> None:
    line = Lifeline.create()
    assert not os.get_inheritable(line.read_fd)
    assert not os.get_inheritable(line.write_fd)
    line.close()


def test_a_forked_child_that_keeps_the_read_end_sees_the_parents_close() -> None:
    line = Lifeline.create()
    says, hears = os.pipe()[::-1]
    child = os.fork()
    if not child:
        read_fd = line.keep_read_end()
        os.write(says, b"w" if not is_cut(read_fd) else b"c")
        os.read(read_fd, 1)
        os._exit(0 if is_cut(read_fd) else 1)
    assert os.read(hears, 1) == b"w"
    line.close()
    assert os.waitpid(child, 0)[1] == 0
    os.close(says)
    os.close(hears)


def test_inherited_descriptor_becomes_close_on_exec() -> None:
    line = Lifeline.create()
    os.set_inheritable(line.read_fd, True)
    assert inherited({LIFELINE_FD: str(line.read_fd)}) == line.read_fd
    assert not os.get_inheritable(line.read_fd)
    line.close()


def test_no_lifeline_in_the_environment() -> None:
    assert inherited({}) is None
    assert inherited({LIFELINE_FD: "x"}) is None
