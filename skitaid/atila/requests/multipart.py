"""Bodies of type multipart/form-data (RFC 7578): fields in memory, files on disk as they come in.

Everything has a limit: the body, each file, all fields together, the number of parts and their heads. Whoever goes
beyond is refused as soon as that is seen, and what was written is removed.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from skitaid.atila.contracts import Was
from skitaid.atila.requests.reading import check_end
from skitaid.atila.requests.uploads import UploadedFile
from skitaid.atila.values import Values, grouped
from skitaid.was.errors import HTTPError

__all__ = ["Limits", "form_of", "limits_of", "read_multipart"]

_CHUNK: Final = 65536
_MAX_HEADER: Final = 4096
_MAX_HEADERS: Final = 8
_IS_TYPE: Final = re.compile(rb"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}").fullmatch
"""RFC 6838 section 4.2. Apps send it back as the type of the file."""


@dataclass(frozen=True)
class Limits:
    """In bytes, and a number of parts. `fields`: of all that is not a file, together."""

    body: int = 20 << 20
    file: int = 20_000_000
    fields: int = 5 << 20
    parts: int = 1000


def limits_of(config: Any) -> Limits:
    """Those of an app (app.config)."""
    return Limits(
        body=config.max_multipart_body_size,
        file=config.max_upload_file_size,
        fields=config.max_post_body_size,
        parts=config.get("max_multipart_parts", Limits.parts),
    )


class _Part:
    """One that is being read."""

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self.name = ""
        self.value = bytearray()
        self.file: UploadedFile | None = None
        self.size = 0


class _Form:
    """Collects what a parser finds in one body."""

    def __init__(self, limits: Limits) -> None:
        self.pairs: list[tuple[str, Any]] = []
        self.is_whole = False
        self._limits = limits
        self._parts = 0
        self._in_fields = 0
        self._part = _Part()
        self._descriptor = -1
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """As the parser calls them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def close(self) -> None:
        """Of a file that was not finished."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self._limits.parts:
            raise HTTPError("413 Content Too Large", f"more than {self._limits.parts} parts in a form")
        self._part = _Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _header_end(self) -> None:
        name, value = self._header
        self._part.fields[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _headers_finished(self) -> None:
        kind, options = parse_options_header(self._part.fields.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise HTTPError("400 Bad Request", "a part of the form has no Content-Disposition with a name")
        self._part.name = _text(options[b"name"])
        if b"filename" in options:
            self._open(_text(options[b"filename"]))

    def _open(self, posted_name: str) -> None:
        self._descriptor, path = tempfile.mkstemp(prefix="upload-")
        kind = self._part.fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
        mimetype = kind.decode("ascii") if _IS_TYPE(kind) else "application/octet-stream"
        self._part.file = UploadedFile(path, posted_name, mimetype)

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        part.size += end - start
        if part.file is None:
            self._in_fields += end - start
            if self._in_fields > self._limits.fields:
                raise HTTPError("413 Content Too Large", f"more than {self._limits.fields} bytes in fields of a form")
            part.value.extend(memoryview(data)[start:end])
            return
        if part.size > self._limits.file:
            raise HTTPError("413 Content Too Large", f"a file of more than {self._limits.file} bytes")
        self._write(memoryview(data)[start:end])

    def _write(self, rest: memoryview) -> None:
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise HTTPError("507 Insufficient Storage", "there is no room for the file") from error
            raise

    def _part_end(self) -> None:
        self.close()
        part = self._part
        if part.file is None:
            self.pairs.append((part.name, _text(bytes(part.value))))
        elif part.size or part.file.posted_name:
            self.pairs.append((part.name, part.file))
        else:
            # A form was sent with no file chosen.
            part.file.remove()
            self.pairs.append((part.name, None))

    def _end(self) -> None:
        self.is_whole = True


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def read_multipart(pieces: Iterator[bytes], content_type: str, limits: Limits) -> Values:
    """Fields and files by name; one that comes more than once has a list. Raises HTTPError: 400 for a body that is no
    such form, 413 for one that is too large, 507 for one that the disk has no room for."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise HTTPError("400 Bad Request", "expected Content-Type: multipart/form-data with a boundary")
    form, read = _Form(limits), 0
    try:
        parser = MultipartParser(
            options[b"boundary"],
            form.callbacks(),  # type: ignore[arg-type]
            max_header_count=_MAX_HEADERS,
            max_header_size=_MAX_HEADER,
        )
        for piece in pieces:
            read += len(piece)
            if read > limits.body:
                raise HTTPError("413 Content Too Large", f"a form of more than {limits.body} bytes")
            parser.write(piece)
    except FormParserError as error:
        raise HTTPError("400 Bad Request", f"the form can't be read: {error}") from error
    finally:
        form.close()
    if not form.is_whole:
        raise HTTPError("400 Bad Request", "the form breaks off")
    return grouped(form.pairs)


def form_of(was: Was) -> Values:
    """`was.request.multipart`. Raises HTTPError for a body that is too large or cannot be read."""
    limits = limits_of(was.app.config)
    length = was.env.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > limits.body:
        raise HTTPError("413 Content Too Large", f"a form of {length} bytes, and {limits.body} are taken")
    return read_multipart(_pieces(was.env, length), was.env.get("CONTENT_TYPE", ""), limits)


def _pieces(env: dict[str, Any], length: str) -> Iterator[bytes]:
    """The body, as it comes in. A server that does not say where it ends ends it itself."""
    read = env["wsgi.input"].read
    left = int(length) if length.isdecimal() else None
    if left is None:
        check_end(env)
    while left is None or left > 0:
        piece: bytes = read(_CHUNK if left is None else min(_CHUNK, left))
        if not piece:
            return
        left = None if left is None else left - len(piece)
        yield piece
