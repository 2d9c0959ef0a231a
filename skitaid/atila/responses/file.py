"""`was.File`: a file of the disk as a response; the server sends it in the cheapest way it has."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final
from urllib.parse import quote

from skitaid.atila.contracts import Was
from skitaid.atila.responses.bodies import Body
from skitaid.atila.responses.reply import Fields, Reply, check_field
from skitaid.protocols.dates import http_date
from skitaid.was.errors import HTTPError

__all__ = ["make_file"]

_BLOCK_BYTES: Final = 65536


def make_file(was: Was, path: str, mimetype: str | None = None, filename: str | None = None) -> Reply:
    """A response. `mimetype`: else it is guessed by the path. `filename`: the browser saves it under that name. Raises
    HTTPError 404 when it can't be read, and it is the app that says which paths a client may ask for."""
    path = os.fspath(path)
    # Before the file is open: often it is what a client said of its upload, and it may raise.
    _, kind = check_field("Content-Type", mimetype or mimetypes.guess_type(path)[0] or "application/octet-stream")
    try:
        file = open(path, "rb")  # noqa: SIM115  # whatever sends it closes it
    except (OSError, ValueError) as error:
        # ValueError: a NUL in it, or what the file system has no bytes for.
        raise HTTPError("404 Not Found", "there is no such file") from error
    found = os.fstat(file.fileno())
    modified = http_date(found.st_mtime)
    fields: Fields = [("Last-Modified", modified)]
    if was.env.get("HTTP_IF_MODIFIED_SINCE") == modified and was.env["REQUEST_METHOD"] in ("GET", "HEAD"):
        file.close()
        return Reply("304 Not Modified", "", fields)
    if filename is not None:
        quoted = quote(filename, safe="", errors="replace")
        fields.append(("Content-Disposition", f"attachment; filename*=UTF-8''{quoted}"))
    fields.append(("Content-Length", str(found.st_size)))
    wrap: Any = was.env.get("wsgi.file_wrapper", _Blocks)
    return Reply(None, _File(wrap(file, _BLOCK_BYTES), kind), fields)


class _File:
    def __init__(self, content: Iterable[bytes], kind: str) -> None:
        self._body = Body(content, kind)

    def to_body(self) -> Body:
        return self._body


class _Blocks:
    """For servers without a wrapper of their own."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        while block := self._file.read(self._size):
            yield block

    def close(self) -> None:
        self._file.close()
