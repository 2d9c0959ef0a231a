"""What a folder of files answers for a path: the same rules as handlers.static, told instead of served."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from skitaid.cli.table import size

INDEX = ("index.htm", "index.html")


class Outcome(Enum):
    """MISSING: the next mount is asked."""

    FILE = "file"
    REDIRECT = "redirect"
    MISSING = "missing"


def look_for(root: Path, rest: str, index: Sequence[str] | None = None) -> tuple[Outcome, str]:
    """`rest` is the path below the mount point, as the engine decodes it (latin-1)."""
    raw = rest.encode("latin-1")
    if any(segment.startswith(b".") and segment != b".well-known" for segment in raw.split(b"/")):
        return Outcome.MISSING, "hidden files are not served"
    path = os.path.join(os.fsencode(root), raw.lstrip(b"/"))
    if os.path.isdir(path):
        return _folder(root, path, rest, index if index is not None else INDEX)
    if not os.path.isfile(path) or rest.endswith("/"):
        return Outcome.MISSING, f"there is no file {os.fsdecode(path)}"
    return _file(root, path)


def _folder(root: Path, path: bytes, rest: str, index: Sequence[str]) -> tuple[Outcome, str]:
    names = [name for name in index if os.path.isfile(os.path.join(path, os.fsencode(name)))]
    if not names:
        return Outcome.MISSING, f"the folder {os.fsdecode(path)} has no {' or '.join(index)}"
    if not rest.endswith("/"):
        return Outcome.REDIRECT, "a folder: 301 to the address with a slash at its end"
    return _file(root, os.path.join(path, os.fsencode(names[0])))


def _file(root: Path, path: bytes) -> tuple[Outcome, str]:
    real = os.path.realpath(path)
    if not real.startswith(os.path.realpath(os.fsencode(root)) + b"/"):
        return Outcome.MISSING, f"{os.fsdecode(path)} is a link that leads out of the folder: not served"
    return Outcome.FILE, f"{os.fsdecode(real)} ({size(os.stat(real).st_size)})"
