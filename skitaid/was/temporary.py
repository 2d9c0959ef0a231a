"""`was.gentemp`: names for files that are gone when the worker ends."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from skitaid.was.private import private_folder
from skitaid.was.worker import worker_or_none

__all__ = ["gentemp"]

_numbers: Final = count(1)


def gentemp(suffix: str = "") -> str:
    """The full path of a file that does not exist yet, in a folder that nobody else can look into. Files there are
    gone when the worker ends. Raises FolderError."""
    folder = private_folder() / "temp" / str(os.getpid())
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        worker = worker_or_none()
        if worker is not None:
            worker.at_end.append(lambda: _remove(folder))
            _remove_left_behind(folder.parent)
    return str(folder / f"{next(_numbers)}-{secrets.token_hex(8)}{suffix}")


def _remove(folder: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(folder)


def _remove_left_behind(folder: Path) -> None:
    """Of workers that were killed."""
    for each in folder.iterdir():
        if each.name.isdecimal() and not Path(f"/proc/{each.name}").exists() and Path("/proc/self").exists():
            _remove(each)
