"""What a folder of files answers for a path: the same rules as handlers.static.folder, told instead of served."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

from skitaid.cli.table import size
from skitaid.config.model import MountOptions
from skitaid.handlers.static.root import StaticRoot, is_hidden

INDEX = ("index.htm", "index.html")


class Outcome(Enum):
    """MISSING: the next mount is asked."""

    FILE = "file"
    LISTING = "listing"
    REDIRECT = "redirect"
    MISSING = "missing"


def look_for(folder: Path, rest: str, options: MountOptions | None = None) -> tuple[Outcome, str]:
    """`rest` is the path below the mount point, as the engine decodes it (latin-1)."""
    options = options or MountOptions()
    raw = rest.encode("latin-1")
    if is_hidden(raw):
        return Outcome.MISSING, "hidden files are not served"
    root = StaticRoot(str(folder), follows_links=options.symlinks)
    outcome, text = _look(root, raw, options)
    if outcome is not Outcome.MISSING or options.try_ is None:
        return outcome, text
    instead, found = _look(root, os.fsencode(options.try_), options)
    if instead is not Outcome.FILE:
        return Outcome.MISSING, f"{text}; nor the one of try = {options.try_}: {found}"
    return Outcome.FILE, f"{text}; try = {options.try_} stands in: {found}"


def _look(root: StaticRoot, raw: bytes, options: MountOptions) -> tuple[Outcome, str]:
    path = os.path.join(root.prefix(0.0), raw.lstrip(b"/"))
    if os.path.isdir(path):
        outcome, text = _folder(root, path.rstrip(b"/") + b"/", options)
        if outcome is Outcome.MISSING or raw.endswith(b"/"):
            return outcome, text
        return Outcome.REDIRECT, "a folder: 301 to the address with a slash at its end"
    if not os.path.isfile(path) or raw.endswith(b"/"):
        return Outcome.MISSING, f"there is no file {os.fsdecode(path)}"
    return _file(root, path)


def _folder(root: StaticRoot, path: bytes, options: MountOptions) -> tuple[Outcome, str]:
    index = options.index if options.index is not None else INDEX
    names = [name for name in index if os.path.isfile(os.path.join(path, os.fsencode(name)))]
    if not names and not options.listing:
        return Outcome.MISSING, f"the folder {os.fsdecode(path)} has no {' or '.join(index)}"
    if root.real_path(path) is None:
        return Outcome.MISSING, _leads_out(path)
    if not names:
        return Outcome.LISTING, f"the list of the files in {os.fsdecode(path)}"
    return _file(root, os.path.join(path, os.fsencode(names[0])))


def _file(root: StaticRoot, path: bytes) -> tuple[Outcome, str]:
    real = root.real_path(path)
    if real is None:
        return Outcome.MISSING, _leads_out(path)
    return Outcome.FILE, f"{os.fsdecode(real)} ({size(os.stat(real).st_size)})"


def _leads_out(path: bytes) -> str:
    return f"{os.fsdecode(path)} leads out of the folder by a link: not served (symlinks = yes would)"
