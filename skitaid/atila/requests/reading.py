"""The body of a request out of its WSGI environ: bounded, and read once."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from skitaid.was.errors import HTTPError

__all__ = ["check_end", "has_body", "read_body", "read_json"]


def has_body(environ: dict[str, Any]) -> bool:
    """Whether the request has one."""
    length = environ.get("CONTENT_LENGTH")
    return bool(length and length != "0") or "HTTP_TRANSFER_ENCODING" in environ


def check_end(environ: dict[str, Any]) -> None:
    """Whether a body without a length can be read to its end. Servers that end it themselves say so; under others, such
    as wsgiref, reading would wait for the client to hang up. Raises HTTPError 411."""
    if not environ.get("wsgi.input_terminated"):
        raise HTTPError("411 Length Required", "this server takes no chunked bodies")


def read_body(environ: dict[str, Any], most: int) -> bytes:
    """The body. `most`: bytes. Raises HTTPError 400, 411, 413."""
    if not has_body(environ):
        return b""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        if not length.isdecimal():
            raise HTTPError("400 Bad Request", "Content-Length is not a number")
        if int(length) > most:
            raise _too_long(most)
        body: bytes = stream.read(int(length))
        if len(body) < int(length):
            raise HTTPError("400 Bad Request", "the body ends early")
        return body
    check_end(environ)
    body = stream.read(most + 1)
    if len(body) > most:
        raise _too_long(most)
    return body


def read_json(body: bytes) -> Any:
    """The value that `body` is as JSON. Raises HTTPError 400."""
    try:
        # RFC 8259 section 8.1: it is UTF-8, so nobody need look.
        return _read(body.decode("utf-8"))
    except RecursionError as error:
        raise HTTPError("400 Bad Request", "the body is JSON that is nested too deeply") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise HTTPError("400 Bad Request", f"the body is not JSON: {error}") from error
    except ValueError as error:
        raise HTTPError("400 Bad Request", "the body is JSON with a number that can't be read") from error


def _refuse_constant(name: str) -> NoReturn:
    """NaN passes each comparison as it likes; RFC 8259 section 6 has none, and no Infinity."""
    raise ValueError(name)


# Made once: json.loads makes one for each call that has options.
_read: Final = json.JSONDecoder(parse_constant=_refuse_constant).decode


def _too_long(most: int) -> HTTPError:
    return HTTPError("413 Content Too Large", f"a body may have {most} bytes here")
