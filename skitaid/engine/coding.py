"""Which responses are compressed, and how (RFC 9110 sections 8.4 and 12.5.3). Decisions and codecs; nothing here knows
a connection.

What a client can't read, what would not get smaller and what must stay as the app made it goes out as it is. A response
that another client would have got compressed says so (Vary), or a cache between them would mix the two up.
"""

from __future__ import annotations

import importlib
import re
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple, Protocol

from skitaid.protocols.headers import HeaderBlock, tokens
from skitaid.protocols.kept import Kept
from skitaid.protocols.negotiation import choose_coding

__all__ = ["MIN_BYTES", "Choice", "Encoder", "choose", "confirm", "encode", "encoder", "is_plain"]

Fields = Sequence[tuple[Any, Any]]

MIN_BYTES: Final = 1000
"""Less fits into one packet anyway."""
# Level 4 takes 0.5 ms for 64 KB of JSON or HTML, level 6 a third more for 3 % less; brotli's 4 is as quick as zlib's.
_GZIP_LEVEL: Final = 4
_BROTLI_LEVEL: Final = 4
_BROTLI_WINDOW: Final = 18
_GZIP_FORMAT: Final = 16

_BR: Final = b"br"
_GZIP: Final = b"gzip"

# Its codec or a checksum fixes the body, or it is a part of another one.
_BLOCKING: Final = frozenset({"content-encoding", "content-range", "content-md5", "digest", "content-digest",
                              "repr-digest"})  # fmt: skip
_NOTED: Final = _BLOCKING | {"content-type", "content-length", "cache-control", "etag", "vary", "accept-ranges"}
_PLAIN: Final = re.compile(
    r"(?:text/(?!event-stream\b)[\w.+-]+"
    r"|[\w-]+/[\w.-]+\+(?:json|xml|yaml)"
    r"|application/(?:json|javascript|x-javascript|ecmascript|xml|xml-dtd|wasm|x-ndjson|jsonl|yaml|toml|sql|graphql|rtf"
    r"|postscript|x-sh|x-httpd-php|vnd\.ms-fontobject|x-font-(?:ttf|otf|opentype|truetype))"
    r"|image/(?:bmp|x-icon|vnd\.microsoft\.icon)|font/(?:ttf|otf|sfnt|collection))\s*(?:;|$)",
    re.ASCII | re.IGNORECASE,
).match
_MAX_KEPT: Final = 512


class Choice(NamedTuple):
    """How a body is compressed. `coding`: the content coding, None for none. `fields`: what the response then has to
    say. `length`: the bytes that the app promised, None when it did not."""

    coding: bytes | None
    fields: Fields
    length: int | None = None


def choose(request: HeaderBlock, status: str, fields: Fields, size: int | None, *, is_lean: bool = False) -> Choice:
    """The coding for a response of `size` bytes; None: as its Content-Length says, else unknown, which counts as much.
    `is_lean`: see `encoder`.

    What is wrong with `status` or `fields` is not told here: whoever sends them will.
    """
    known = _known(status, fields)
    if known is None:
        return Choice(None, fields)
    length = known.length
    size = length if size is None else size
    if size is not None and size < MIN_BYTES:
        return Choice(None, fields, length)
    # Who says nothing could read anything (RFC 9110 section 12.5.3), but is more likely not to know.
    coding = _preferred(request.accept_encoding, is_lean) if request.accept_encoding else None
    if coding is None:
        return known.plain
    return Choice(coding, _coded(fields, known.found, coding), length)


class _Known(NamedTuple):
    """What status and fields say: those that matter as text, the length, and the choice not to compress."""

    found: dict[str, str]
    length: int | None
    plain: Choice


_KNOWN: Final[Kept[tuple[object, ...], _Known]] = Kept(512, 131072)
_KNOWN_FOUND: Final = _KNOWN.found


def _known(status: str, fields: Fields) -> _Known | None:
    """Looked up: most responses say the same as others before. None for what is not to be compressed."""
    key = (status, *fields)
    try:
        known = _KNOWN_FOUND.get(key)
        if known is None:
            known = _look_at(status, fields)
            if known is not None:
                _KNOWN.offer(key, known, 64 * len(key) + sum(len(name) + len(value) for name, value in fields))
    except TypeError:
        # Lists for pairs, as some ASGI apps have them, and what can't be sent at all.
        return _look_at(status, fields)
    return known


def _look_at(status: str, fields: Fields) -> _Known | None:
    found = _survey(fields)
    if found is None or not _has_content(status) or not _may_shrink(found):
        return None
    length = _length(found.get("content-length"))
    # A copy: the app may go on with its own list.
    return _Known(found, length, Choice(None, list(_with_vary(fields, found)), length))


def confirm(request: HeaderBlock, fields: Fields) -> Fields:
    """The fields of a 304. Its ETag is that of the response it stands for (RFC 9110 section 15.4.5): if the client
    holds the weak one, which is the one of a compressed response, it is told of that."""
    found = _survey(fields)
    etag = None if found is None else found.get("etag")
    held = request.get(b"if-none-match")
    if found is None or held is None or not etag or etag.startswith("W/"):
        return fields
    tags = [tag.strip() for tag in held.decode("latin-1").split(",")]
    if etag in tags or f"W/{etag}" not in tags:
        return fields
    kept = [field for field in fields if _kind(field[0]) != "etag"]
    return _with_vary([*kept, ("ETag", f"W/{etag}")], found)


# ---------------------------------------------------------------- fields


_KINDS: Final[dict[Any, str]] = {}


def _kind(name: Any) -> str:
    """The name of a field that matters here, "" for the others. Raises AttributeError for what is not a name."""
    try:
        return _KINDS[name]
    except KeyError:
        plain = (name.decode("latin-1") if isinstance(name, bytes) else name).lower()
    kind = plain if plain in _NOTED else ""
    if len(_KINDS) < _MAX_KEPT:
        _KINDS[name] = kind
    return kind


def _survey(fields: Fields) -> dict[str, str] | None:
    """The fields that matter, as text. None for what can't be sent at all."""
    found: dict[str, str] = {}
    try:
        for name, value in fields:
            kind = _kind(name)
            if kind:
                text = value.decode("latin-1") if isinstance(value, bytes) else value
                found[kind] = f"{found[kind]}, {text}" if kind in found else text
    except (TypeError, ValueError, AttributeError):
        return None
    return found if all(isinstance(value, str) for value in found.values()) else None


def _has_content(status: str) -> bool:
    """Whether a response of this status is one that a whole representation may come with: not a redirect, whose text
    nobody reads, and not a part (206)."""
    return isinstance(status, str) and status[:1] in ("2", "4", "5") and status[:3] not in ("204", "205", "206")


def _may_shrink(found: dict[str, str]) -> bool:
    if not is_plain(found.get("content-type", "")) or not _BLOCKING.isdisjoint(found):
        return False
    control = found.get("cache-control")
    # RFC 9111 section 5.2.2.6
    return control is None or b"no-transform" not in tokens(control.encode("latin-1", "replace"))


_TYPES: Final[dict[str, bool]] = {}


def is_plain(content_type: str) -> bool:
    """Whether content of this type is not compressed already."""
    try:
        return _TYPES[content_type]
    except KeyError:
        answer = _PLAIN(content_type.strip()) is not None
    if len(_TYPES) < _MAX_KEPT:
        _TYPES[content_type] = answer
    return answer


def _length(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) <= 18 else None


def _with_vary(fields: Fields, found: dict[str, str]) -> Fields:
    vary = found.get("vary")
    if vary is None:
        return [*fields, ("Vary", "Accept-Encoding")]
    named = tokens(vary.encode("latin-1", "replace"))
    if b"accept-encoding" in named or b"*" in named:
        return fields
    # In one line, as some caches read the first only.
    kept = [field for field in fields if _kind(field[0]) != "vary"]
    return [*kept, ("Vary", f"{vary}, Accept-Encoding" if named else "Accept-Encoding")]


def _coded(fields: Fields, found: dict[str, str], coding: bytes) -> Fields:
    """The fields of the compressed form: of another length, without byte ranges, and with an ETag that no longer stands
    for these very bytes (RFC 9110 section 8.8.1)."""
    dropped = ("content-length", "accept-ranges", "etag")
    kept: list[tuple[Any, Any]] = [field for field in _with_vary(fields, found) if _kind(field[0]) not in dropped]
    etag = found.get("etag")
    if etag:
        kept.append(("ETag", etag if etag.startswith("W/") else f"W/{etag}"))
    kept.append(("Content-Encoding", coding.decode("ascii")))
    return kept


# ---------------------------------------------------------------- codings


_PREFERENCES: Final[dict[tuple[bytes, bool], bytes | None]] = {}


def _preferred(accepted: bytes, is_lean: bool) -> bytes | None:
    try:
        return _PREFERENCES[accepted, is_lean]
    except KeyError:
        # Brotli is looked for when somebody can read it. It takes 1 MB, at its least 160 KB for less than gzip gives.
        may_br = not is_lean and b"br" in accepted.lower() and _brotli() is not None
        offered = (_BR, _GZIP) if may_br else (_GZIP,)
        coding = choose_coding(accepted, offered)
    if len(_PREFERENCES) < _MAX_KEPT and len(accepted) < _MAX_KEPT:
        _PREFERENCES[accepted, is_lean] = coding
    return coding


@cache
def _brotli() -> Any:
    """The module, if it is installed."""
    try:
        return importlib.import_module("brotli")
    except ImportError:
        return None


class Encoder(Protocol):
    """Compresses one body. `flush`: what was given until now can be read without what comes after it."""

    def piece(self, data: bytes | memoryview, *, flush: bool = True) -> bytes: ...
    def end(self) -> bytes: ...


class _Gzip:
    """RFC 1952. `window_bits`: 15 takes 256 KB while the response lasts, 13 and less memory 64 KB."""

    def __init__(self, window_bits: int, memory_level: int) -> None:
        self._codec = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT + window_bits, memory_level)

    def piece(self, data: bytes | memoryview, *, flush: bool = True) -> bytes:
        coded = self._codec.compress(data)
        return coded + self._codec.flush(zlib.Z_SYNC_FLUSH) if flush else coded

    def end(self) -> bytes:
        return self._codec.flush()


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self._codec = _brotli().Compressor(quality=_BROTLI_LEVEL, lgwin=_BROTLI_WINDOW)

    def piece(self, data: bytes | memoryview, *, flush: bool = True) -> bytes:
        coded: bytes = self._codec.process(bytes(data))
        return coded + bytes(self._codec.flush()) if flush else coded

    def end(self) -> bytes:
        return bytes(self._codec.finish())


def encoder(coding: bytes, *, is_lean: bool = False) -> Encoder:
    """One for a body that comes in pieces. `is_lean`: there may be thousands of them at a time, so each takes 64 KB
    instead of 256 KB, for a tenth more to send."""
    if coding == _BR:
        return _Brotli()
    return _Gzip(13, 6) if is_lean else _Gzip(15, 8)


def encode(coding: bytes, body: bytes) -> bytes:
    """A whole body at once."""
    codec = encoder(coding)
    return codec.piece(body, flush=False) + codec.end()
