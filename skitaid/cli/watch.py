"""Which files make up a site, and which of them changed. Looking again and again is all it takes: no notification
service of the system is needed, and network folders and editors that replace files work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from skitaid.config.model import AppTarget, Instance

SUFFIXES = (".py", ".html", ".jinja", ".jinja2", ".j2")
SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
FILES_MAX = 5000
"""A look at this many files takes some 20 ms; a home folder that was named by mistake must not keep a core busy."""

Stamp = tuple[int, int, int]
Snapshot = Mapping[str, Stamp]


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at for changes. `files`: each by itself (confs). `folders`: with everything below that could be a
    part of an app."""

    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()


def watched_by(instance: Instance) -> Watched:
    """An instance's conf and its apps' folders. A package is watched from the folder it lies in."""
    modules = [
        mount.target.module for host in instance.hosts for mount in host.mounts if isinstance(mount.target, AppTarget)
    ]
    return Watched((instance.path,), tuple(dict.fromkeys(project_folder(module) for module in modules)))


def project_folder(module: Path) -> Path:
    """The folder a project's absolute imports start from: the first one up that is not a package."""
    folder = module.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def snapshot(watched: Watched) -> dict[str, Stamp]:
    """What identifies each file's content, by path; what is gone is absent."""
    found: dict[str, Stamp] = {}
    for path in paths(watched):
        stamp = _stamp(path)
        if stamp is not None:
            found[path] = stamp
        if len(found) >= FILES_MAX:
            break
    return found


def paths(watched: Watched) -> Iterator[str]:
    yield from (str(file) for file in watched.files)
    for folder in watched.folders:
        for parent, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.startswith("."))
            yield from (os.path.join(parent, name) for name in names if name.endswith(SUFFIXES))


def changes(before: Snapshot, now: Snapshot) -> list[str]:
    """Paths that were added, removed or written, in order."""
    return sorted(path for path in {*before, *now} if before.get(path) != now.get(path))


def shown(changed: Iterable[str], limit: int = 3) -> str:
    """A few changed files by name, for a line to a person."""
    names = [os.path.basename(path) for path in changed]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
