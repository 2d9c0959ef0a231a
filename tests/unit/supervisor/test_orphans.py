from __future__ import annotations

import os
import signal

from skitaid.supervisor.orphans import OrphanedGroups, signal_group


class Groups:
    """The groups that still have members, and what was sent to them."""

    def __init__(self, *alive: int) -> None:
        self.alive = set(alive)
        self.killed: list[int] = []

    def send(self, group: int, number: int) -> bool:
        if group not in self.alive:
            return False
        if number == signal.SIGKILL:
            self.killed.append(group)
        return True


def test_a_group_that_is_gone_is_not_kept() -> None:
    groups = Groups()
    orphans = OrphanedGroups(groups.send)
    orphans.add(7, kill_at=0)
    groups.alive.add(7)  # the number is somebody else's now
    assert orphans.tick(10) == []
    assert groups.killed == []


def test_killed_when_its_time_is_over() -> None:
    groups = Groups(7, 8)
    orphans = OrphanedGroups(groups.send)
    orphans.add(7, kill_at=10)
    orphans.add(8, kill_at=20)
    assert orphans.tick(9) == []
    assert orphans.tick(10) == [7]
    groups.alive.discard(7)
    assert orphans.tick(19) == []
    assert orphans.kill_all() == [8]


def test_one_that_left_by_itself_is_forgotten() -> None:
    groups = Groups(7)
    orphans = OrphanedGroups(groups.send)
    orphans.add(7, kill_at=10)
    groups.alive.clear()
    assert orphans.tick(1) == []
    groups.alive.add(7)
    assert orphans.tick(11) == []


def test_a_real_group() -> None:
    hears, says = os.pipe()
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.write(says, b"x")
        signal.pause()
        os._exit(0)
    os.read(hears, 1)
    assert signal_group(child, 0)
    assert signal_group(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not signal_group(child, 0)
    os.close(hears)
    os.close(says)
