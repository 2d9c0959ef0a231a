from __future__ import annotations

import os

from skitaid.agents.cron.tree import descendants, parents


def test_all_below() -> None:
    parent_of = {2: 1, 3: 2, 4: 3, 5: 2, 6: 1, 7: 6}
    assert sorted(descendants(2, parent_of)) == [3, 4, 5]
    assert sorted(descendants(1, parent_of)) == [2, 3, 4, 5, 6, 7]
    assert descendants(4, parent_of) == []


def test_processes_are_seen() -> None:
    assert parents()[os.getpid()] == os.getppid()
