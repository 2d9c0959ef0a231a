"""The files on the desk: a few, in the folder where the site may write."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from surroundings import data_folder

_MOST = 20


class FullError(Exception):
    """There is no room for another file."""


class Upload(Protocol):
    """A file as Atila hands it over."""

    def save(self, into: Path, *, mkdir: bool) -> str: ...


@dataclass(frozen=True, slots=True)
class DeskFile:
    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Folder:
    """Raises OSError where the folder can't be used; FileNotFoundError for a file that is not there."""

    place: Path

    @classmethod
    def of_site(cls) -> Folder | None:
        """None: these apps were started without skitaid, and nobody said where they may write."""
        data = data_folder()
        return None if data is None else cls(data / "desk")

    def files(self) -> list[DeskFile]:
        if not self.place.is_dir():
            return []
        found = [DeskFile(entry.name, entry.stat().st_size) for entry in os.scandir(self.place) if entry.is_file()]
        return sorted((each for each in found if not each.name.startswith(".")), key=lambda each: each.name.lower())

    def put(self, file: Upload) -> str:
        """The name that it has here: another than its own, if there is one of that name."""
        if len(self.files()) >= _MOST:
            raise FullError(f"There are {_MOST} files on the desk, which is all that it holds.")
        return os.path.basename(file.save(self.place, mkdir=True))

    def path(self, name: str) -> str:
        """Of a file that is listed: a name that leads elsewhere is none of them."""
        if name not in {each.name for each in self.files()}:
            raise FileNotFoundError(name)
        return str(self.place / name)

    def remove(self, name: str) -> None:
        os.unlink(self.path(name))


def signing_key(folder: Path | None) -> str:
    """A random text that every process of the site shares, and that is still the same tomorrow: it is kept in a file
    that nobody else may read. Without a folder it is new each time."""
    if folder is None:
        return secrets.token_hex(32)
    path = folder / "desk.key"
    if not path.exists():
        # It gets its name when it is complete, and the first to give it wins: workers start at the same time.
        new = folder / f"desk.key.{os.getpid()}"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
        new.unlink()
    return path.read_text()
