"""The files of a folder as a page for people, and as JSON for programs. Reading the folder is apart from showing it."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from operator import attrgetter
from typing import Final

from skitaid.handlers.quoting import quote_path
from skitaid.handlers.static.root import StaticRoot, is_hidden
from skitaid.protocols.dates import http_date

__all__ = ["MAX_ENTRIES", "Entry", "Listing", "listing_html", "listing_json", "read_folder"]

MAX_ENTRIES: Final = 10_000
"""More make a page that no browser likes, and a long wait for it."""
_UNITS: Final = ("kB", "MB", "GB", "TB")
_STYLE: Final = (
    "body{font:16px/1.6 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#222;background:#fff}"
    "h1{font-size:1.3em;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}"
    "td,th{padding:.15em .6em;text-align:left;font-weight:400}th{color:#888;border-bottom:1px solid #ddd}"
    "td:first-child{overflow-wrap:anywhere}td+td,th+th{text-align:right;white-space:nowrap;color:#666}"
    "a{color:#0645ad;text-decoration:none}a:hover{text-decoration:underline}p{color:#888}"
    "@media(prefers-color-scheme:dark){body{background:#16181d;color:#ddd}a{color:#8ab4f8}th{border-color:#333}"
    "td+td{color:#999}}"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder. `size` is in bytes, 0 for a folder; `modified` in seconds since the epoch."""

    name: bytes
    is_folder: bool
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Folders first, each kind by name. `is_cut`: there are more than are listed."""

    entries: Sequence[Entry]
    is_cut: bool = False


def read_folder(root: StaticRoot, real: bytes) -> Listing:
    """What of a folder is shown: what could be asked for. Links that lead out of the root are left out. May wait for
    the disk. Raises OSError."""
    fd = root.open_folder(real)
    try:
        with os.scandir(fd) as found:
            shown = (entry for each in found if (entry := _entry(root, real, each)) is not None)
            entries = list(islice(shown, MAX_ENTRIES + 1))
    finally:
        os.close(fd)
    is_cut = len(entries) > MAX_ENTRIES
    del entries[MAX_ENTRIES:]
    entries.sort(key=attrgetter("name"))
    entries.sort(key=attrgetter("is_folder"), reverse=True)
    return Listing(entries, is_cut)


def listing_html(path: str, listing: Listing) -> bytes:
    """A page for the folder at `path`, the decoded path of its URL (latin-1)."""
    title = escape(_shown(path.encode("latin-1")))
    rows = "".join(_rows(path, listing))
    note = f"<p>Only the first {MAX_ENTRIES} are shown.</p>" if listing.is_cut else ""
    empty = "" if rows else "<p>This folder is empty.</p>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>"
        f"<table><tr><th>Name<th>Size<th>Changed (UTC)</tr>{rows}</table>{empty}{note}</html>\n"
    ).encode()


def listing_json(listing: Listing) -> bytes:
    """A list of objects: name, type (`file` or `directory`), mtime as an HTTP date, and a file's size in bytes."""
    objects = []
    for entry in listing.entries:
        told: dict[str, str | int] = {"name": _shown(entry.name), "type": "directory" if entry.is_folder else "file"}
        told["mtime"] = http_date(entry.modified)
        if not entry.is_folder:
            told["size"] = entry.size
        objects.append(told)
    return json.dumps(objects, ensure_ascii=False, indent=1).encode() + b"\n"


def _entry(root: StaticRoot, folder: bytes, found: os.DirEntry[str]) -> Entry | None:
    name = os.fsencode(found.name)
    if is_hidden(name):
        return None
    try:
        if found.is_symlink() and root.real_path(folder + b"/" + name) is None:
            return None
        status = found.stat()
    except OSError:
        # Gone meanwhile, or a link that leads nowhere.
        return None
    if stat.S_ISDIR(status.st_mode):
        return Entry(name, True, 0, _seconds(status))
    return Entry(name, False, status.st_size, _seconds(status)) if stat.S_ISREG(status.st_mode) else None


def _seconds(status: os.stat_result) -> int:
    # What the date has room for: years of four digits.
    return max(0, min(int(status.st_mtime), 253402300799))


def _rows(path: str, listing: Listing) -> Iterator[str]:
    if path.strip("/"):
        yield '<tr><td><a href="../">../</a><td><td></tr>'
    for entry in listing.entries:
        slash = "/" if entry.is_folder else ""
        # The dot keeps a name such as "javascript:x" from being taken for a URL of its own.
        href = escape("./" + quote_path(entry.name) + slash)
        size = "" if entry.is_folder else _size(entry.size)
        yield (
            f'<tr><td><a href="{href}">{escape(_shown(entry.name))}{slash}</a>'
            f"<td>{size}<td>{_date(entry.modified)}</tr>"
        )


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for unit in _UNITS:
        amount /= 1000
        if amount < 999.5 or unit == _UNITS[-1]:
            break
    return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:.0f} {unit}"


def _date(seconds: int) -> str:
    """`2024-05-31 08:15`."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
