"""A process and everything that it started, whatever sessions and groups those made for themselves.

A runner becomes the "child subreaper" (prctl(2)) of what it starts: a process whose parent ended becomes the runner's
child instead of init's, so all of them are found below it. Where the system has neither that nor /proc, the job's own
process group is what can be ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

__all__ = ["adopt_orphans", "descendants", "end_group", "is_any_left", "is_marked", "parents", "signal_tree"]

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> bool:
    """From now on orphans below this process become its children. False: this system cannot do that."""
    import ctypes  # not resident: runners need it, agents do not

    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return False
    return bool(prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def descendants(root: int, parent_of: Mapping[int, int]) -> list[int]:
    """All below `root`, without itself."""
    children: dict[int, list[int]] = {}
    for pid, parent in parent_of.items():
        children.setdefault(parent, []).append(pid)
    found = list(children.get(root, ()))
    for pid in found:  # grows as it goes
        found += children.get(pid, ())
    return found


def parents() -> dict[int, int]:
    """Every process with its parent, but for zombies; empty without /proc."""
    return dict(_parents())


def _parents() -> Iterator[tuple[int, int]]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in filter(str.isdecimal, names):
        with suppress(OSError, ValueError):
            with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                state, parent = file.read(1000).rpartition(b")")[2].split()[:2]
            if state != b"Z":
                yield int(name), int(parent)


def is_any_left() -> bool:
    """Is there anybody below this process?"""
    return bool(descendants(os.getpid(), parents()))


def signal_tree(group: int, number: int) -> None:
    """To all below this process, and to the process group `group`, which is one of its children's."""
    found = descendants(os.getpid(), parents())
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
    for pid in found:
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) != group:  # asked twice, it may take the second time for impatience
                os.kill(pid, number)


def end_group(group: int, number: int) -> None:
    """Signal a process group whose runner is gone, so that nobody can find more of the job than that."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def is_marked(pid: int, mark: str) -> bool:
    """Was that process begun with `NAME=value` in its environment? Numbers of processes are used again."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark.encode() in file.read().split(b"\0")
    except OSError:
        return False
