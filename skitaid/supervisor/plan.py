"""Which conf files came, went and changed, and what follows. Pure but for `look`, which asks the file system.

A change counts once two looks in a row see the same, because editors write in halves and some remove a file for a
moment to write it anew. What is there at the first look counts at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Files", "Plan", "Stamp", "diff", "look", "settle"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one content of a file from another without reading it."""

    path: Path
    mtime_ns: int
    size: int
    inode: int


Files = Mapping[str, Stamp]
"""The conf file of each instance, by the instance's name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Names, sorted: files that came (`start`), went (`stop`), changed (`edited`: to be validated and reported, applied
    by reload or restart) and stayed as they were (`keep`)."""

    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    @property
    def is_idle(self) -> bool:
        return not (self.start or self.stop or self.edited)


def diff(old: Files, new: Files) -> Plan:
    """What `new` asks for where `old` was in force."""
    both = sorted(old.keys() & new.keys())
    return Plan(
        start=tuple(sorted(new.keys() - old.keys())),
        stop=tuple(sorted(old.keys() - new.keys())),
        edited=tuple(name for name in both if old[name] != new[name]),
        keep=tuple(name for name in both if old[name] == new[name]),
    )


def settle(known: Files, before: Files, now: Files) -> Files:
    """`known` with each change that the last two looks, `before` and `now`, agree upon."""
    names = known.keys() | before.keys() | now.keys()
    settled = {name: now.get(name) if before.get(name) == now.get(name) else known.get(name) for name in names}
    return {name: stamp for name, stamp in settled.items() if stamp is not None}


def look(files: Mapping[str, Path]) -> Files:
    """The stamps of `files` (name → path). One that vanished since it was listed is left out; one that cannot be
    looked at is there."""
    stamps = {name: _stamp(path) for name, path in files.items()}
    return {name: stamp for name, stamp in stamps.items() if stamp is not None}


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError:
        return Stamp(path, 0, 0, 0)
    return Stamp(path, found.st_mtime_ns, found.st_size, found.st_ino)
