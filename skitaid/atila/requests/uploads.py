"""Files that came with a form: `was.request.FORM["file"]`.

Each is in a temporary file until it is saved, and gone when nobody has it any more.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import unicodedata
import weakref
from typing import Final

__all__ = ["UploadedFile", "safe_name"]

_MAX_NAME_BYTES: Final = 200
_MAX_NUMBER: Final = 1000
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f<>:"|?*\u200b-\u200f\u202a-\u202e\u2066-\u2069]')
_IS_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE).match


def safe_name(posted: str) -> str:
    """A name that stays in its folder, whatever was posted: without folders, control signs, leading dots and what other
    systems do not take, and not too long. `file` where nothing is left."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", posted))[-1]
    name = _FORBIDDEN.sub("_", last).strip().lstrip(".").rstrip(". ")
    if _IS_DEVICE(name):
        name = f"_{name}"
    stem, suffix = os.path.splitext(name)
    room = _MAX_NAME_BYTES - len(suffix.encode()[:32])
    shortened = stem.encode("utf-8", "ignore")[:room].decode("utf-8", "ignore")
    return (shortened + suffix.encode("utf-8", "ignore")[:32].decode("utf-8", "ignore")) or "file"


class UploadedFile:
    """A file that came with a form. `path`: where it is now. `name`: as it was posted, made safe; `posted_name`: as it
    was posted, not to be used for a path. `size` in bytes. `mimetype`: what the client says it is, which nobody has
    looked at."""

    def __init__(self, path: str, posted_name: str, mimetype: str) -> None:
        self.path = path
        self.posted_name = posted_name
        self.name = safe_name(posted_name)
        self.mimetype = mimetype
        self._finish = weakref.finalize(self, _unlink, path)

    @property
    def file(self) -> str:
        """The older name of path."""
        return self.path

    @property
    def size(self) -> int:
        return os.path.getsize(self.path)

    def read(self) -> bytes:
        """Its content."""
        with open(self.path, "rb") as file:
            return file.read()

    def remove(self) -> None:
        """Remove it, also where it was saved."""
        self._finish.detach()
        _unlink(self.path)

    def save(self, into: str | os.PathLike[str], name: str | None = None, mkdir: bool = False, dup: str = "u") -> str:
        """Move it into the folder `into`, under `name`, else its own; the path that it has then. `dup`, when there is
        one of that name: "u" finds a name that is free, "o" takes its place. Raises ValueError for a name that is not
        one of a file; OSError, FileNotFoundError if there is no such folder and it is not to be made."""
        if dup not in ("u", "o"):
            raise ValueError(f"dup={dup!r}: expected 'u' (make the name unique) or 'o' (overwrite)")
        wanted = self.name if name is None else _checked(name)
        folder = os.fspath(into)
        if mkdir:
            os.makedirs(folder, exist_ok=True)
        placed = self._place(folder)
        try:
            target = os.path.join(folder, wanted) if dup == "o" else _reserve(folder, wanted)
            os.replace(placed, target)
        except BaseException:
            _unlink(placed)
            raise
        self._finish.detach()
        self.path = target
        return target

    def _place(self, folder: str) -> str:
        """Bring it into the folder under a name that nobody looks for, with the rights that a new file gets there."""
        placed = os.path.join(folder, f".{secrets.token_hex(8)}.upload")
        with open(placed, "xb") as target:
            mode = os.fstat(target.fileno()).st_mode & 0o777
            try:
                os.replace(self.path, placed)
                os.chmod(placed, mode)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    _unlink(placed)
                    raise
                with open(self.path, "rb") as source:
                    shutil.copyfileobj(source, target, 1 << 20)
                _unlink(self.path)
        return placed

    def __repr__(self) -> str:
        return f"<UploadedFile {self.name!r} at {self.path}>"


def _checked(name: str) -> str:
    if name in ("", ".", "..") or any(sign in name for sign in ("/", "\\", "\0")):
        advice = "name the folder as the first argument, safe_name(text) helps"
        raise ValueError(f"{name!r} is not the name of a file: {advice}")
    return name


def _reserve(folder: str, name: str) -> str:
    """A free name, with an empty file there, so that nobody else takes it."""
    stem, suffix = os.path.splitext(name)
    for number in range(_MAX_NUMBER):
        path = os.path.join(folder, name if number == 0 else f"{stem}.{number}{suffix}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        return path
    return os.path.join(folder, f"{stem}.{secrets.token_hex(8)}{suffix}")


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
