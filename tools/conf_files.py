"""Installing conf files without ever losing an edit.

What was installed is remembered as checksums in a file that `sha256sum -c` reads. A file that is still as it was
installed is replaced by the new version; an edited one stays, and the new version is put beside it as NAME.new; one
that was deleted stays deleted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

MANIFEST = ".installed"
HEADER = "# What `make install` put here, to tell an edited file from an old one; see: sha256sum -c .installed\n"


class Action(Enum):
    """What becomes of one conf file; the value is what the person who installs is told."""

    WRITE = "installed"
    REPLACE = "replaced by the new version: it had not been edited"
    SAME = "up to date"
    KEEP = "kept: edited"
    WRITE_BESIDE = "kept: edited; the new version is beside it, as .new"
    STAY_AWAY = "left out: it was installed before and deleted since"


@dataclass(frozen=True, slots=True)
class Sums:
    """Checksums of one file: on disk now, as installed last, as shipped now; None: there is none."""

    current: str | None
    installed: str | None
    shipped: str


def decide(sums: Sums) -> Action:
    """Pure: what to do about one file."""
    if sums.current is None:
        return Action.WRITE if sums.installed is None else Action.STAY_AWAY
    if sums.current == sums.shipped:
        return Action.SAME
    if sums.current == sums.installed:
        return Action.REPLACE
    return Action.KEEP if sums.installed == sums.shipped else Action.WRITE_BESIDE


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_checksum(path: Path) -> str | None:
    try:
        return checksum(path.read_bytes())
    except FileNotFoundError:
        return None


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Whole or not at all: a daemon that looks at the folder never reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.half")
    half.write_bytes(content)
    half.chmod(mode)
    os.replace(half, path)


def beside(path: Path) -> Path:
    return path.with_name(path.name + ".new")


class ConfFolder:
    """The installed conf folder and its manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sums = self._read_manifest()

    def install(self, shipped: Mapping[str, bytes]) -> dict[str, Action]:
        """Brings the folder to the shipped files (path relative to it → content); says what became of each."""
        actions = {name: self._install_one(name, content) for name, content in shipped.items()}
        for name in self._sums.keys() - shipped.keys():
            self._remove_one(name)
        self._write_manifest()
        return actions

    def uninstall(self) -> list[str]:
        """Removes what is as it was installed. Returns the names of the edited files, which stay."""
        kept = [name for name in sorted(self._sums) if not self._remove_one(name)]
        self._write_manifest()
        self._remove_empty_folders()
        return kept

    def _install_one(self, name: str, content: bytes) -> Action:
        path = self.folder / name
        action = decide(Sums(file_checksum(path), self._sums.get(name), checksum(content)))
        if action in (Action.WRITE, Action.REPLACE):
            write(path, content)
        elif action is Action.WRITE_BESIDE:
            write(beside(path), content)
        elif action is Action.SAME:
            beside(path).unlink(missing_ok=True)
        self._sums[name] = checksum(content)
        return action

    def _remove_one(self, name: str) -> bool:
        """False when the file was edited and therefore stays."""
        path = self.folder / name
        beside(path).unlink(missing_ok=True)
        if file_checksum(path) not in (None, self._sums[name]):
            return False
        path.unlink(missing_ok=True)
        del self._sums[name]
        return True

    def _remove_empty_folders(self) -> None:
        for folder, _folders, _files in os.walk(self.folder, topdown=False):
            if not os.listdir(folder):
                os.rmdir(folder)

    def _read_manifest(self) -> dict[str, str]:
        try:
            lines = (self.folder / MANIFEST).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        pairs = (line.split("  ", 1) for line in lines if line and not line.startswith("#"))
        return {name: total for total, name in pairs}

    def _write_manifest(self) -> None:
        if not self._sums:
            (self.folder / MANIFEST).unlink(missing_ok=True)
            return
        lines = "".join(f"{total}  {name}\n" for name, total in sorted(self._sums.items()))
        write(self.folder / MANIFEST, (HEADER + lines).encode())
