"""Paths in conf files: relative ones start at the conf file's folder; a missing one is explained, with the nearest
name there is. Paths are made absolute by their text alone, so that a link that is switched at each deployment stays
a link.
"""

from __future__ import annotations

import os
from pathlib import Path

from skitaid.config.document import Value
from skitaid.config.fields import Kind, Place, each, sequence
from skitaid.config.report import UnfitError, nearest

__all__ = [
    "cert_file",
    "check_readable",
    "explain_missing",
    "folder",
    "folders",
    "interpreter",
    "place_for_files",
    "reachable",
    "resolve",
]


def resolve(text: str, folder: Path) -> Path:
    """The absolute path that `text` means in `folder`. Raises UnfitError for `~`, and for control characters."""
    if "\0" in text or "\n" in text:
        raise UnfitError("holds a control character")
    if text.startswith("~/"):
        raise UnfitError("~ is not read here", f"write the whole path, such as {os.path.expanduser(text)}")
    return Path(os.path.abspath(folder / text))


def reachable(path: Path) -> Path:
    """The same path, when the folders above it let us look whether it is there. Raises UnfitError."""
    try:
        os.stat(path)
    except PermissionError as error:
        raise UnfitError(
            f"no permission to look at {path}", f"start as a user who may: namei -l {path} shows the rights"
        ) from error
    except OSError:
        # What is missing is told by who wants it.
        return path
    return path


def check_readable(path: Path) -> None:
    """Raises UnfitError when `path` is not a file that we may read."""
    if not reachable(path).is_file():
        raise UnfitError(f"there is no file {path}", explain_missing(path))
    if not os.access(path, os.R_OK):
        raise UnfitError(f"no permission to read {path}", "start as a user who may read it, or chmod it")


def explain_missing(path: Path) -> str:
    """The nearest existing name beside a missing `path`, or the folder that is missing on the way to it."""
    parent = path.parent
    if parent.is_dir():
        try:
            found = nearest(path.name, os.listdir(parent))
        except PermissionError:
            return f"no permission to look into {parent}"
        return f"did you mean {found}?" if found else f"create it in {parent}"
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    return f"its folder is missing too; {parent} is there"


def _existing_folder(text: str, place: Place) -> Path:
    path = reachable(resolve(text, place.folder))
    if not path.is_dir():
        if path.exists():
            raise UnfitError(f"{path} is not a folder")
        raise UnfitError(f"there is no folder {path}", explain_missing(path))
    return path


def folder() -> Kind:
    """A folder that exists."""
    return Kind("a folder", lambda value, place: _existing_folder(value.text, place))


def folders() -> Kind:
    """A list of folders that exist, separated by commas or, as in PYTHONPATH, by colons."""
    kind = sequence("folders, separated by commas", _existing_folder)

    def read(value: Value, place: Place) -> tuple[Path, ...]:
        parts = [part for item in value.items for part in item.split(":") if part]
        return each(parts, lambda part: _existing_folder(part, place))

    return Kind(kind.expected, read, kind.show, is_list=True, takes_empty=True)


def place_for_files() -> Kind:
    """A folder that skitaid may have to create first."""
    return Kind("a folder's path", lambda value, place: resolve(value.text, place.folder))


def cert_file() -> Kind:
    """A readable file, relative to the `cert` folder."""
    return Kind("a file in PEM form", lambda value, place: resolve(value.text, place.cert))


def interpreter() -> Kind:
    """A Python interpreter or a virtual environment's folder, as an absolute path (text)."""
    return Kind("a Python interpreter or a virtual environment's folder", _find_interpreter)


def _find_interpreter(value: Value, place: Place) -> str:
    path = reachable(resolve(value.text, place.folder))
    if "/" not in value.text and not path.exists():
        path = _on_search_path(value.text) or path
    if path.is_dir():
        program = path / "bin" / "python"
        if not os.access(program, os.X_OK):
            raise UnfitError(f"{path} is not a virtual environment: it has no bin/python", f"python3 -m venv {path}")
    elif not path.exists():
        raise UnfitError(f"there is no {path}", explain_missing(path))
    elif not os.access(path, os.X_OK):
        raise UnfitError(f"{path} is not a program that can be run", "name the interpreter, such as /usr/bin/python3")
    return str(path)


def _on_search_path(name: str) -> Path | None:
    for part in os.environ.get("PATH", "").split(":"):
        path = Path(part) / name
        if part and path.is_file() and os.access(path, os.X_OK):
            return path
    return None
