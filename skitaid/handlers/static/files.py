"""Files of a static mount: finding them, what is told of them, and the small ones kept in memory.

What was found counts for a second; then the file is looked at again, and read again if it changed.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from skitaid.handlers.static.compression import compress, is_compressible
from skitaid.handlers.static.media_types import content_type
from skitaid.handlers.static.root import StaticRoot, is_hidden
from skitaid.protocols.conditions import Validators
from skitaid.protocols.dates import http_date
from skitaid.protocols.http1.response import prepare_head

__all__ = ["FileCache", "FileFinder", "Folder", "StaticFile", "StaticSettings"]

OK: Final = "200 OK"
FRESH_S: Final = 1.0
KEPT_FILE_BYTES: Final = 65536
KEPT_BYTES: Final = 8 * 1024 * 1024
"""For all static mounts of a worker together."""
_ENTRY_BYTES: Final = 2048
_MAX_BARE: Final = 256
# A file touched so recently may change again without a new time stamp, as these are a few milliseconds apart.
_SETTLED_S: Final = 2.0
_NO_WAIT: Final[int] = getattr(os, "RWF_NOWAIT", 0)
_SLASHES: Final = re.compile("//+").sub

# Content codings, best first, and the ending of the neighbour that holds each.
_GZIP: Final = b"gzip"
_ENDINGS: Final[dict[bytes | None, bytes]] = {b"br": b".br", _GZIP: b".gz"}
_CODED_ENDINGS: Final = tuple(_ENDINGS.values())

_VARY: Final = ("Vary", "Accept-Encoding")

Version = tuple[int, int, int, int, int]
Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class StaticSettings:
    """How the files of one mount are served. `max_age_s`: how long clients may keep a file without asking. `index`:
    names tried for a folder. `listing`: show the files of a folder without one of these. `fallback`: the file, below
    the mount, that is served for what is missing. `symlinks`: follow links that lead out of the folder. `gzip`:
    compress small text files."""

    max_age_s: int = 300
    index: Sequence[str] = ("index.htm", "index.html")
    listing: bool = False
    fallback: str | None = None
    symlinks: bool = False
    gzip: bool = True


@dataclass(slots=True)
class StaticFile:
    """A file as it was at `checked_at`. `fields` go with its content, `bare_fields` with a 304. `body` is None for one
    that is not in memory; `head` goes with all of it. `variants`: the same content, compressed (RFC 9110 section 8.4),
    best first; their `coding` says how, and `is_packed` that it was done here. `cost`: bytes that the cache counts for
    it."""

    real: bytes
    version: Version
    size: int
    validators: Validators
    content_type: str
    fields: Fields
    bare_fields: Fields
    checked_at: float
    coding: bytes | None = None
    body: bytes | None = None
    head: bytes = b""
    is_settled: bool = True
    is_packed: bool = False
    is_pack_tried: bool = False
    variants: tuple[StaticFile, ...] = ()
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder without an index file, or any folder whose address lacks the slash at its end."""

    real: bytes
    needs_slash: bool


Key = tuple["FileFinder", str]


class FileCache:
    """Files by mount and path below it, one cache for all mounts of a worker. Those not asked for longest go first."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self._files: dict[Key, StaticFile] = {}
        self._limit = limit_bytes
        self.kept_bytes = 0
        self.get = self._files.get

    def __len__(self) -> int:
        return len(self._files)

    def keep(self, key: Key, file: StaticFile) -> None:
        """Keep a file, as the one asked for last."""
        self.drop(key)
        file.cost = sum(len(each.body or b"") + _ENTRY_BYTES for each in (file, *file.variants))
        self._files[key] = file
        self.kept_bytes += file.cost
        while self.kept_bytes > self._limit:
            self.drop(next(iter(self._files)))

    def drop(self, key: Key) -> None:
        """Forget a file; fine if it is not there."""
        file = self._files.pop(key, None)
        if file is not None:
            self.kept_bytes -= file.cost


class FileFinder:
    """Finds what a path below a mount stands for."""

    def __init__(self, root: StaticRoot, settings: StaticSettings, cache: FileCache) -> None:
        self.root = root
        self._settings = settings
        self._cache = cache
        self._index = [os.fsencode(name) for name in settings.index]
        self._bare: dict[bytes, tuple[int, float]] = {}

    def find(self, relative: str, now: float) -> StaticFile | Folder | None:
        """What `relative`, a decoded path (latin-1), stands for; None when nothing is to be served. `now` is the
        engine's time."""
        file = self._cache.get((self, relative))
        if file is not None and now - file.checked_at <= FRESH_S:
            return file
        if "//" in relative:
            # One address for each file, lest a client fills the cache with the others.
            return self.find(_SLASHES("/", relative), now)
        found = self._look(relative, file, now)
        if isinstance(found, StaticFile):
            self._cache.keep((self, relative), found)
        elif file is not None:
            self._cache.drop((self, relative))
        return found

    def describe(
        self, real: bytes, status: os.stat_result, now: float, *, coding: bytes | None = None, varies: bool = False
    ) -> StaticFile:
        """What is told of a file whose state is `status`. `varies`: what is sent depends on Accept-Encoding."""
        wall = time.time()
        # Never later than the response (RFC 9110 section 8.8.2.1), nor a year that the date has no room for.
        modified = max(0, min(int(status.st_mtime), int(wall)))
        suffix = "" if coding is None else f"-{coding.decode('ascii')}"
        etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}{suffix}"'
        kind = content_type(os.fsdecode(real.removesuffix(_ENDINGS.get(coding, b""))))
        bare = [("ETag", etag), ("Cache-Control", f"max-age={self._settings.max_age_s}")]
        if varies:
            bare.append(_VARY)
        fields = [("Content-Type", kind), ("Last-Modified", http_date(modified)), ("Accept-Ranges", "bytes"), *bare]
        if coding is not None:
            fields.append(("Content-Encoding", coding.decode("ascii")))
        return StaticFile(
            real, version_of(status), status.st_size, Validators(etag.encode("ascii"), modified), kind, fields, bare,
            now, coding, is_settled=wall - status.st_ctime > _SETTLED_S,
        )  # fmt: skip

    # ------------------------------------------------------------ looking

    def _look(self, relative: str, known: StaticFile | None, now: float) -> StaticFile | Folder | None:
        raw = relative.encode("latin-1").lstrip(b"/")
        if is_hidden(raw):
            return None
        path = self.root.prefix(now) + raw
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        if stat.S_ISDIR(status.st_mode):
            index = self._find_index(path.rstrip(b"/") + b"/", status, now)
            if index is None or not relative.endswith("/"):
                return self._folder(path, relative, has_index=index is not None)
            path, status = index
        elif relative.endswith("/") or not stat.S_ISREG(status.st_mode):
            return None
        real = self.root.real_path(path)
        return None if real is None else self._take(real, status, known, now)

    def _find_index(self, folder: bytes, status: os.stat_result, now: float) -> tuple[bytes, os.stat_result] | None:
        """The index file of a folder, whose own state is `status`."""
        bare = self._bare.get(folder)
        if bare is not None and bare[0] == status.st_mtime_ns and now - bare[1] <= FRESH_S:
            return None
        for name in self._index:
            try:
                found = os.stat(folder + name)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                return folder + name, found
        # Apps are often mounted over a folder that has none: looked for once a second, unless something in it changes.
        if time.time() - status.st_mtime > _SETTLED_S:
            if len(self._bare) >= _MAX_BARE:
                self._bare.clear()
            self._bare[folder] = (status.st_mtime_ns, now)
        return None

    def _folder(self, path: bytes, relative: str, *, has_index: bool) -> Folder | None:
        if not has_index and not self._settings.listing:
            return None
        real = self.root.real_path(path)
        return None if real is None else Folder(real, needs_slash=not relative.endswith("/"))

    def _take(self, real: bytes, status: os.stat_result, known: StaticFile | None, now: float) -> StaticFile:
        """The file, with its compressed forms; what is known of each is used again while it holds."""
        variants = [] if real.endswith(_CODED_ENDINGS) else self._neighbours(real, status, known, now)
        wants_pack = self._wants_pack(real, status, variants)
        varies = bool(variants) or wants_pack
        file = None
        if known is not None and varies == (_VARY in known.fields):
            file = _current(known, real, status, now)
        if file is None:
            file = self._load(real, status, now, varies=varies)
        if wants_pack and (packed := self._packed(file, status, now)) is not None:
            variants.append(packed)
        file.variants = tuple(variants)
        return file

    def _neighbours(
        self, real: bytes, status: os.stat_result, known: StaticFile | None, now: float
    ) -> list[StaticFile]:
        variants = []
        for coding, ending in _ENDINGS.items():
            path = real + ending
            if (found := _neighbour(path, status)) is not None:
                before = known and next((each for each in known.variants if each.real == path), None)
                variant = _current(before, path, found, now)
                variants.append(variant or self._load(path, found, now, coding=coding, varies=True))
        return variants

    def _wants_pack(self, real: bytes, status: os.stat_result, variants: Sequence[StaticFile]) -> bool:
        """Whether the file is to be compressed here: one that is kept, and has no such neighbour."""
        if not self._settings.gzip or status.st_size > KEPT_FILE_BYTES:
            return False
        is_new = all(each.coding != _GZIP for each in variants)
        return is_new and is_compressible(content_type(os.fsdecode(real)), status.st_size)

    def _packed(self, file: StaticFile, status: os.stat_result, now: float) -> StaticFile | None:
        """The compressed form of a file that is in memory: the one it has, or a new one."""
        if file.is_pack_tried:
            return next((each for each in file.variants if each.is_packed), None)
        file.is_pack_tried = file.body is not None
        if file.body is None or (body := compress(file.body)) is None:
            return None
        packed = self.describe(file.real, status, now, coding=_GZIP, varies=True)
        packed.body, packed.size, packed.is_packed = body, len(body), True
        packed.head = prepare_head(OK, packed.fields, len(body))
        return packed

    def _load(
        self, real: bytes, status: os.stat_result, now: float, *, coding: bytes | None = None, varies: bool = False
    ) -> StaticFile:
        if status.st_size > KEPT_FILE_BYTES:
            return self.describe(real, status, now, coding=coding, varies=varies)
        try:
            fd, status = self.root.open(real)
        except OSError:
            # Not readable, or gone: whoever sends it finds out, and says so.
            return self.describe(real, status, now, coding=coding, varies=varies)
        try:
            file = self.describe(real, status, now, coding=coding, varies=varies)
            body = _read_now(fd, status.st_size)
            if body is not None and version_of(os.fstat(fd)) == file.version:
                file.body = body
                file.head = prepare_head(OK, file.fields, len(body))
        finally:
            os.close(fd)
        return file


def _current(known: StaticFile | None, real: bytes, status: os.stat_result, now: float) -> StaticFile | None:
    """`known`, if it still is what lies there, and needs no second look."""
    if known is None or known.real != real or known.version != version_of(status) or not known.is_settled:
        return None
    if known.body is None and known.size <= KEPT_FILE_BYTES:
        return None
    known.checked_at = now
    return known


def _neighbour(path: bytes, status: os.stat_result) -> os.stat_result | None:
    """The state of a compressed neighbour that may stand for the file: a plain one, not older. In whole seconds, as
    some tools that copy a time stamp drop the rest."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) and int(found.st_mtime) >= int(status.st_mtime) else None


def version_of(status: os.stat_result) -> Version:
    """What changes when a file does."""
    return (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev, status.st_ctime_ns)


def _read_now(fd: int, size: int) -> bytes | None:
    """The whole file, if that takes no waiting for a disk. None also for a file that is just being written."""
    if size > KEPT_FILE_BYTES:
        return None
    buffer = bytearray(size + 1)
    try:
        length = os.preadv(fd, [buffer], 0, _NO_WAIT) if _NO_WAIT else os.preadv(fd, [buffer], 0)
    except BlockingIOError:
        return None
    except OSError:
        # This file system can't tell what is in memory.
        data = os.pread(fd, size + 1, 0)
        return data if len(data) == size else None
    return bytes(buffer[:size]) if length == size else None
