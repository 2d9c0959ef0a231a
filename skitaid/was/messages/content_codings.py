"""Content codings of a response undone (RFC 9110 section 8.4), with a bound on what they grow to. Pure."""

from __future__ import annotations

import importlib
import zlib
from functools import cache
from typing import Any, Final

from skitaid.was.messages.errors import ReplyError

__all__ = ["accepted", "decoded"]

_MAX_CODINGS: Final = 3
_ANY_ZLIB: Final = 47  # gzip or zlib, whichever it is
_RAW: Final = -15


@cache
def accepted() -> bytes:
    """The value of Accept-Encoding. Brotli only where its decoder can be stopped: 20 KB of it can hold a gigabyte."""
    return b"gzip, deflate" if _brotli() is None else b"gzip, deflate, br"


def decoded(body: bytes, coding: str, max_bytes: int) -> bytes:
    """`body` without its codings, `coding` being the value of Content-Encoding. Raises ReplyError when it is broken, of
    a coding that we do not know, or longer than `max_bytes`."""
    names = [name for part in coding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if len(names) > _MAX_CODINGS:
        raise ReplyError(f"the response has {len(names)} content codings, at most {_MAX_CODINGS} are undone")
    for name in reversed(names):
        body = _undone(body, name, max_bytes) if body else b""
    return body


def _undone(body: bytes, name: str, max_bytes: int) -> bytes:
    if name in ("gzip", "x-gzip"):
        return _gzip(body, max_bytes)
    if name == "deflate":
        return _deflate(body, max_bytes)
    if name == "br" and _brotli() is not None:
        return _unbrotli(body, max_bytes)
    raise ReplyError(f"the response has a content coding that was not asked for: {name!r:.40}")


def _gzip(body: bytes, max_bytes: int) -> bytes:
    """One member or several (RFC 1952 section 2.2); what follows them and is none is left out."""
    pieces: list[bytes] = []
    left = max_bytes
    while body[:2] == b"\x1f\x8b" or not pieces:
        piece, body = _inflated(body, _ANY_ZLIB, left)
        left -= len(piece)
        pieces.append(piece)
    return b"".join(pieces)


def _deflate(body: bytes, max_bytes: int) -> bytes:
    """zlib's format; some servers send the raw one, as the name suggests."""
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _inflated(body, zlib.MAX_WBITS if is_zlib else _RAW, max_bytes)[0]


def _inflated(body: bytes, window: int, max_bytes: int) -> tuple[bytes, bytes]:
    """What was compressed, and what follows it."""
    decoder = zlib.decompressobj(window)
    try:
        data = decoder.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise ReplyError(f"the compressed response is broken: {error}") from error
    if len(data) > max_bytes:
        raise ReplyError(f"the decompressed response has more than {max_bytes} bytes")
    if not decoder.eof:
        raise ReplyError("the compressed response ends before its end")
    return data, decoder.unused_data


@cache
def _brotli() -> Any:
    """The module, when it is there and its decoder takes a bound (from 1.2 on)."""
    try:
        module = importlib.import_module("brotli")
        module.Decompressor().process(b"", output_buffer_limit=1)
    except (ImportError, TypeError, AttributeError):
        return None
    return module


def _unbrotli(body: bytes, max_bytes: int) -> bytes:
    brotli = _brotli()
    decoder = brotli.Decompressor()
    pieces: list[bytes] = []
    size = 0
    try:
        while True:
            piece = decoder.process(body, output_buffer_limit=max_bytes + 1 - size)
            pieces.append(piece)
            size += len(piece)
            body = b""
            if size > max_bytes:
                raise ReplyError(f"the decompressed response has more than {max_bytes} bytes")
            if decoder.is_finished() or not piece:
                break
    except brotli.error as error:
        raise ReplyError(f"the compressed response is broken: {error}") from error
    if not decoder.is_finished():
        raise ReplyError("the compressed response ends before its end")
    return b"".join(pieces)
