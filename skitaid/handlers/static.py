"""Files of a folder, on the loop thread.

Small files are kept in memory and looked at again once a second; larger ones are read from the page cache in pieces as
the client takes them. Nothing outside the folder is served, whatever the path says or a link inside points at.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from skitaid.engine.server import Engine
from skitaid.engine.stream import ClientGoneError, Stream
from skitaid.handlers.router import Route
from skitaid.handlers.status import error_page
from skitaid.protocols.dates import http_date, parse_http_date

__all__ = ["StaticFolder", "StaticSettings"]

_FRESH_S: Final = 1.0
_KEPT_FILE_BYTES: Final = 65536
_KEPT_BYTES: Final = 8 * 1024 * 1024
_MAX_KEPT: Final = 1024
_PIECE_BYTES: Final = 131072
_TEXT: Final = ("application/javascript", "application/json", "application/xml", "image/svg+xml")


@dataclass(frozen=True, slots=True)
class StaticSettings:
    """`max_age_s`: how long clients may keep a file without asking. `index`: names tried for a folder."""

    max_age_s: int = 300
    index: Sequence[str] = ("index.htm", "index.html")


@dataclass(slots=True)
class _File:
    """A regular file inside the root, as it was at `checked_at`."""

    path: bytes
    size: int
    fields: list[tuple[str, str]]
    etag: str
    modified: int
    checked_at: float
    version: tuple[int, int, int]
    body: bytes | None = None


class StaticFolder:
    """A router.RouteHandler for one folder."""

    def __init__(self, engine: Engine, root: str, settings: StaticSettings) -> None:
        self._engine = engine
        self._root = os.path.realpath(os.fsencode(root))
        self._prefix = self._root.rstrip(b"/") + b"/"
        self._settings = settings
        self._index = [os.fsencode(name) for name in settings.index]
        self._kept: dict[str, _File] = {}
        self._kept_bytes = 0

    def serve(self, stream: Stream, route: Route) -> bool:
        line = stream.head.line
        if line.method not in ("GET", "HEAD"):
            return False
        relative = line.path[len(route.path) :]
        file = self._kept.get(relative)
        if file is None or self._engine.now - file.checked_at > _FRESH_S:
            found = self._look(relative, file)
            if found is None:
                return False
            if isinstance(found, str):
                return self._redirect(stream, route.path + relative + "/")
            file = found
        self._send(stream, file)
        return True

    # ------------------------------------------------------------ finding

    def _look(self, relative: str, known: _File | None) -> _File | str | None:
        """The file at `relative`; "/" when it is a folder and the slash is missing; None when nothing is to be
        served."""
        path = self._path(relative)
        if path is None:
            self._drop(relative)
            return None
        found = self._resolve(path, relative)
        if found is None or isinstance(found, str):
            self._drop(relative)
            return found
        real, status = found
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        if known is not None and known.version == version and known.path == real:
            known.checked_at = self._engine.now
            return known
        self._drop(relative)
        file = self._describe(real, status, version)
        self._keep(relative, file)
        return file

    def _path(self, relative: str) -> bytes | None:
        """The path of the file system, or None if it must not even be looked at. Hidden files (.git, .env) are not
        served, but for .well-known (RFC 8615)."""
        raw = relative.encode("latin-1")
        for segment in raw.split(b"/"):
            if segment.startswith(b".") and segment != b".well-known":
                return None
        return self._prefix + raw.lstrip(b"/")

    def _resolve(self, path: bytes, relative: str) -> tuple[bytes, os.stat_result] | str | None:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        if stat.S_ISDIR(status.st_mode):
            if not relative.endswith("/"):
                return "/" if self._find_index(path + b"/") else None
            index = self._find_index(path)
            if index is None:
                return None
            path, status = index
        elif relative.endswith("/") or not stat.S_ISREG(status.st_mode):
            return None
        real = os.path.realpath(path)
        if not real.startswith(self._prefix):
            return None
        return real, status

    def _find_index(self, folder: bytes) -> tuple[bytes, os.stat_result] | None:
        for name in self._index:
            try:
                status = os.stat(folder + name)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                return folder + name, status
        return None

    def _describe(self, real: bytes, status: os.stat_result, version: tuple[int, int, int]) -> _File:
        etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        modified = int(status.st_mtime)
        fields = [
            ("Content-Type", _content_type(os.fsdecode(real))),
            ("ETag", etag),
            ("Last-Modified", http_date(modified)),
            ("Cache-Control", f"max-age={self._settings.max_age_s}"),
        ]
        return _File(real, status.st_size, fields, etag, modified, self._engine.now, version)

    def _keep(self, relative: str, file: _File) -> None:
        if file.size > _KEPT_FILE_BYTES:
            return
        try:
            with open(file.path, "rb", buffering=0) as source:
                body = source.read(file.size + 1)
        except OSError:
            return
        if len(body) != file.size:
            # Being written just now: not to be kept.
            return
        if len(self._kept) >= _MAX_KEPT or self._kept_bytes + file.size > _KEPT_BYTES:
            self._kept.clear()
            self._kept_bytes = 0
        file.body = body
        self._kept[relative] = file
        self._kept_bytes += file.size

    def _drop(self, relative: str) -> None:
        file = self._kept.pop(relative, None)
        if file is not None:
            self._kept_bytes -= file.size

    # ------------------------------------------------------------ sending

    def _redirect(self, stream: Stream, path: str) -> bool:
        query = f"?{stream.head.line.query}" if stream.head.line.query else ""
        # Two slashes in front would name another host (RFC 3986 section 4.2).
        location = "/" + _quote(path.lstrip("/")) + query
        status, fields, body = error_page(stream, 301, "This folder's address ends with a slash.")
        stream.respond(status, [*fields, ("Location", location)], body)
        return True

    def _send(self, stream: Stream, file: _File) -> None:
        if _is_unmodified(stream, file):
            stream.respond("304 Not Modified", file.fields[1:], b"")
        elif file.body is not None:
            stream.respond("200 OK", file.fields, file.body)
        else:
            self._send_large(stream, file)

    def _send_large(self, stream: Stream, file: _File) -> None:
        try:
            fd = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            self._engine.respond_error(stream, 404, "There is nothing at this address.")
            return
        stream.is_dispatched = True
        fields = [*file.fields, ("Content-Length", str(file.size))]
        if stream.head.line.method == "HEAD":
            os.close(fd)
            stream.start("200 OK", fields)
            stream.finish()
            return
        stream.start("200 OK", fields)
        _Sending(fd, file.size).go_on(stream)


class _Sending:
    """A large file on its way: a piece at a time, as the client takes them."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._offset = 0
        self._size = size

    def go_on(self, stream: Stream) -> None:
        """Send until the client can take no more for now, or until the end."""
        try:
            while self._offset < self._size:
                piece = os.pread(self._fd, min(_PIECE_BYTES, self._size - self._offset), self._offset)
                if not piece:
                    break
                self._offset += len(piece)
                stream.write(piece)
                if stream.connection.is_congested:
                    stream.job = self.go_on
                    return
        except ClientGoneError:
            self._end(stream.connection.abandon, stream)
            return
        except OSError:
            self._end(Stream.abort, stream)
            return
        # A file that shrank under our hands is shorter than promised: the client must see that.
        self._end(Stream.finish if self._offset == self._size else Stream.abort, stream)

    def _end(self, how: Callable[[Stream], None], stream: Stream) -> None:
        os.close(self._fd)
        how(stream)


def _is_unmodified(stream: Stream, file: _File) -> bool:
    """RFC 9110 section 13.2.2: If-None-Match decides when it is there, else If-Modified-Since."""
    get = stream.head.fields.get
    tags = get(b"if-none-match")
    if tags is not None:
        given = {tag.strip().removeprefix("W/") for tag in tags.decode("latin-1").split(",")}
        return "*" in given or file.etag in given
    since = get(b"if-modified-since")
    if since is None:
        return False
    seconds = parse_http_date(since.decode("latin-1"))
    return seconds is not None and file.modified <= seconds


def _content_type(path: str) -> str:
    kind, encoding = mimetypes.guess_type(path)
    if encoding is not None:
        return "application/gzip" if encoding == "gzip" else "application/octet-stream"
    if kind is None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind in _TEXT else kind


_SAFE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/")


def _quote(path: str) -> str:
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in path.encode("latin-1"))
