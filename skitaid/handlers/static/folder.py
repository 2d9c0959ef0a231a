"""Files of a folder, on the loop thread: small ones from memory, larger ones by sendfile.

Which file a path means is found in `files`, what of it the client wants in `protocols.conditions` and
`protocols.ranges`; here it is sent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final

from skitaid.engine.errors import ClientGoneError
from skitaid.engine.file_segment import FileSegment, OpenFile
from skitaid.engine.server import Engine
from skitaid.engine.stream import Stream
from skitaid.handlers.quoting import quote_path
from skitaid.handlers.router import Route
from skitaid.handlers.static.files import (
    FRESH_S,
    OK,
    FileCache,
    FileFinder,
    Folder,
    StaticFile,
    StaticSettings,
    version_of,
)
from skitaid.handlers.static.listing import listing_html, listing_json, read_folder
from skitaid.handlers.static.root import StaticRoot, is_hidden
from skitaid.handlers.status import error_page
from skitaid.protocols.conditions import CONDITIONAL, Verdict, judge, range_holds
from skitaid.protocols.http1.response import prepare_head
from skitaid.protocols.negotiation import choose_coding, prefers
from skitaid.protocols.ranges import ByteRange, content_range, parse_range, split_parts

__all__ = ["StaticFolder", "StaticSettings"]

_PARTIAL: Final = "206 Partial Content"
_DECIDING: Final = CONDITIONAL | {b"accept-encoding"}
# Browsers send few different values, again and again.
_MAX_KNOWN_BYTES: Final = 200
_choose_known: Final = lru_cache(maxsize=256)(choose_coding)


class StaticFolder:
    """A router.RouteHandler for one folder. `cache` is shared by all folders of a worker."""

    def __init__(self, engine: Engine, root: str, settings: StaticSettings, *, cache: FileCache | None = None) -> None:
        self._engine = engine
        self._settings = settings
        self._cache = FileCache() if cache is None else cache
        self._root = StaticRoot(root, follows_links=settings.symlinks)
        self._finder = FileFinder(self._root, settings, self._cache)
        self._fallback = None if settings.fallback is None else "/" + settings.fallback.lstrip("/")

    def serve(self, stream: Stream, route: Route) -> bool:
        line = stream.head.line
        if line.method not in ("GET", "HEAD"):
            return False
        relative = line.path[len(route.path) :]
        file = self._cache.get((self._finder, relative))
        if file is not None and self._engine.now - file.checked_at <= FRESH_S:
            self._serve_file(stream, file)
            return True
        return self._serve_anew(stream, relative)

    def _serve_anew(self, stream: Stream, relative: str) -> bool:
        """What is not known, or has to be looked at again."""
        now = self._engine.now
        found = self._finder.find(relative, now) or self._find_fallback(relative, now)
        if found is None:
            return False
        if isinstance(found, StaticFile):
            self._serve_file(stream, found)
        elif found.needs_slash:
            self._redirect(stream, stream.path + "/")
        else:
            stream.job = partial(self._send_listing, found)
            self._engine.submit(stream)
        return True

    def _find_fallback(self, relative: str, now: float) -> StaticFile | None:
        """The file that stands for whatever is missing. Not for what is refused."""
        if self._fallback is None or is_hidden(relative.encode("latin-1")):
            return None
        found = self._finder.find(self._fallback, now)
        return found if isinstance(found, StaticFile) else None

    # ------------------------------------------------------------ files

    def _serve_file(self, stream: Stream, file: StaticFile) -> None:
        fields = stream.head.fields
        lines = [line for line in fields.fields if line.name in _DECIDING]
        given = {line.name: line.value for line in lines}
        if len(given) < len(lines):
            given = {name: fields.get(name) or b"" for name in given}
        accepted = given.pop(b"accept-encoding", None)
        if accepted is not None and file.variants:
            file = _variant(file, accepted, is_whole=b"range" not in given)
        verdict = judge(given, file.validators) if given else Verdict.SEND
        if verdict is Verdict.SEND:
            self._send(stream, file, given)
        elif verdict is Verdict.NOT_MODIFIED:
            stream.respond("304 Not Modified", file.bare_fields, b"")
        else:
            self._engine.respond_error(stream, 412, "The file is not the one that this request is meant for.")

    def _send(self, stream: Stream, file: StaticFile, given: dict[bytes, bytes]) -> None:
        """The file, or the ranges of it that `given`, the conditional fields of the request, asks for."""
        if stream.head.line.method == "HEAD":
            # RFC 9110 section 14.2: ranges are defined for GET alone.
            stream.respond_prepared(OK, file.head or prepare_head(OK, file.fields, file.size), b"")
        elif file.body is not None:
            ranges = _ranges(file, given) if given else None
            if ranges is None:
                stream.respond_prepared(OK, file.head, file.body)
            else:
                self._send_from_memory(stream, file, ranges)
        else:
            self._send_from_disk(stream, file, given)

    def _send_from_memory(self, stream: Stream, file: StaticFile, ranges: Sequence[ByteRange]) -> None:
        body = file.body
        assert body is not None
        if not ranges:
            _refuse_range(stream, file)
        elif len(ranges) == 1:
            one = ranges[0]
            fields = [*file.fields, ("Content-Range", content_range(one, file.size))]
            stream.respond(_PARTIAL, fields, body[one.start : one.end])
        else:
            fields, boundary = _multipart_fields(file)
            parts = split_parts(ranges, file.size, file.content_type, boundary)
            pieces = [part.head + body[part.range.start : part.range.end] for part in parts.parts]
            stream.respond(_PARTIAL, fields, b"".join(pieces) + parts.tail)

    def _send_from_disk(self, stream: Stream, file: StaticFile, given: dict[bytes, bytes]) -> None:
        try:
            fd, status = self._root.open(file.real)
        except PermissionError:
            self._engine.respond_error(stream, 403, "The server may not read this file.")
            return
        except OSError:
            self._engine.respond_error(stream, 404, "There is nothing at this address.")
            return
        opened = OpenFile(fd)
        try:
            if version_of(status) != file.version:
                # Written to or replaced since it was looked at: what is open now is what is sent.
                varies = ("Vary", "Accept-Encoding") in file.fields
                file = self._finder.describe(file.real, status, self._engine.now, coding=file.coding, varies=varies)
            ranges = _ranges(file, given)
            if ranges is not None and not ranges:
                _refuse_range(stream, file)
            else:
                _send_segments(stream, file, opened, ranges)
        finally:
            opened.release()

    # ------------------------------------------------------------ folders

    def _redirect(self, stream: Stream, path: str) -> None:
        query = f"?{stream.head.line.query}" if stream.head.line.query else ""
        # Two slashes in front would name another host (RFC 3986 section 4.2).
        location = "/" + quote_path(path.lstrip("/").encode("latin-1")) + query
        status, fields, body = error_page(stream, 301, "This folder's address ends with a slash.")
        stream.respond(status, [*fields, ("Location", location)], body)

    def _send_listing(self, folder: Folder, stream: Stream) -> None:
        """In an app thread: a folder may be large, and its disk slow."""
        try:
            listing = read_folder(self._root, folder.real)
        except OSError:
            self._engine.respond_error(stream, 403, "The server may not read this folder.")
            return
        accept = stream.head.fields.get(b"accept") or b""
        if prefers(accept, b"application/json", b"text/html"):
            kind, body = "application/json", listing_json(listing)
        else:
            kind, body = "text/html; charset=utf-8", listing_html(stream.path, listing)
        fields = [("Content-Type", kind), ("Cache-Control", "no-cache"), ("Vary", "Accept")]
        stream.may_code = self._settings.gzip
        stream.respond(OK, fields, body)


def _variant(file: StaticFile, accept_encoding: bytes, *, is_whole: bool) -> StaticFile:
    """The file, or a compressed form of it if the client likes that better. Ranges are not taken of what was compressed
    here: another machine's zlib may make other bytes of it."""
    offered = [each for each in file.variants if is_whole or not each.is_packed]
    choose = _choose_known if len(accept_encoding) <= _MAX_KNOWN_BYTES else choose_coding
    coding = choose(accept_encoding, tuple([each.coding or b"" for each in offered]))
    for each in offered:
        if each.coding == coding:
            return each
    return file


def _ranges(file: StaticFile, given: dict[bytes, bytes]) -> list[ByteRange] | None:
    """What of the file is asked for; None: all of it."""
    value = given.get(b"range")
    if value is None or not range_holds(given, file.validators, time.time()):
        return None
    return parse_range(value, file.size)


def _refuse_range(stream: Stream, file: StaticFile) -> None:
    status, fields, body = error_page(stream, 416, f"The file has {file.size} bytes; none of those asked for.")
    stream.respond(status, [*fields, ("Content-Range", content_range(None, file.size))], body)


def _multipart_fields(file: StaticFile) -> tuple[list[tuple[str, str]], str]:
    """The fields of a multipart response, and its boundary."""
    boundary = os.urandom(12).hex()
    fields = [(name, value) for name, value in file.fields if name != "Content-Type"]
    return [("Content-Type", f"multipart/byteranges; boundary={boundary}"), *fields], boundary


def _send_segments(stream: Stream, file: StaticFile, opened: OpenFile, ranges: Sequence[ByteRange] | None) -> None:
    """Start on what takes its time: the connection goes on with it when the client took what it was sent."""
    stream.is_dispatched = True
    try:
        if ranges is None:
            stream.start(OK, [*file.fields, ("Content-Length", str(file.size))])
            stream.write_file(FileSegment(opened, 0, file.size))
        elif len(ranges) == 1:
            start, end = ranges[0]
            length = ("Content-Length", str(end - start))
            stream.start(_PARTIAL, [*file.fields, ("Content-Range", content_range(ranges[0], file.size)), length])
            stream.write_file(FileSegment(opened, start, end - start))
        else:
            _send_multipart(stream, file, opened, ranges)
    except ClientGoneError:
        stream.abandon()
        return
    stream.finish()


def _send_multipart(stream: Stream, file: StaticFile, opened: OpenFile, ranges: Sequence[ByteRange]) -> None:
    fields, boundary = _multipart_fields(file)
    parts = split_parts(ranges, file.size, file.content_type, boundary)
    stream.start(_PARTIAL, [*fields, ("Content-Length", str(parts.length))])
    for part in parts.parts:
        start, end = part.range
        stream.write_file(FileSegment(opened, start, end - start), before=part.head)
    stream.write(parts.tail)
