"""The folder where `was` keeps files of its own, which no other user shall change."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from skitaid.was.errors import FolderError
from skitaid.was.worker import worker_or_helper

__all__ = ["private_folder"]


def private_folder() -> Path:
    """That of the instance; in a process that is no worker's, one of this user's. Raises FolderError."""
    shared = worker_or_helper()
    return _folder_of_user() if shared is None else shared.var_folder


def _folder_of_user() -> Path:
    """Beside temporary files, where anybody may have made a folder of that name before us."""
    import tempfile

    folder = Path(tempfile.gettempdir(), f"skitaid-{os.getuid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise FolderError(f"{folder} is not a folder of ours: remove it, or name another place by TMPDIR")
    if found.st_mode & 0o022:
        folder.chmod(0o700)
    return folder
