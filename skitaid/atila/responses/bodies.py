"""What functions of an app may return, as bytes or as an iterable of bytes.

A text is sent as UTF-8, a number as its text, a dict as JSON. An object with `read` is read, one with `more`, `next` or
`_next` asked until it has no more, and a list or tuple is all of what it holds, one after the other. What has a `close`
is closed when it is sent, or the client is gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

__all__ = ["HTML", "JSON", "Body", "UnsendableError", "body_of", "text_to_bytes", "to_json"]

HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
_BLOCK_BYTES: Final = 65536
_TEXTS: Final = (str, bytes, bytearray, memoryview, int, float)


class UnsendableError(TypeError):
    """The author of the app must act: a function returned something that can't be sent."""

    def __init__(self, thing: object, where: str = "") -> None:
        super().__init__(
            f"a function of the app returned {type(thing).__name__}{where}, expected a text, bytes, a number, a dict,"
            " a file, an iterator, was.response(…), was.API(…) or was.File(…)"
        )


class Body:
    """The body of a response. `content`: bytes, or an iterable of them. `kind`: the Content-Type, if the app says
    nothing else. `fields` go along."""

    __slots__ = ("content", "fields", "kind")

    def __init__(
        self, content: bytes | Iterable[bytes], kind: str = HTML, fields: Iterable[tuple[str, str]] = ()
    ) -> None:
        self.content = content
        self.kind = kind
        self.fields = fields


def body_of(thing: Any) -> Body:
    """What a function returned, as a body. Raises UnsendableError."""
    if isinstance(thing, str):
        return Body(text_to_bytes(thing))
    if thing is None:
        return Body(b"")
    if isinstance(thing, _TEXTS):
        return Body(_bytes_of(thing))
    if isinstance(thing, dict):
        return Body(to_json(thing), JSON)
    make = getattr(thing, "to_body", None)
    if make is not None:
        made: Body = make()
        return made
    if isinstance(thing, (list, tuple)):
        _refuse_data(thing)
        if all(isinstance(each, _TEXTS) for each in thing):
            return Body(b"".join(_bytes_of(each) for each in thing))
        return Body(_Pieces(_chained(thing), thing))
    return Body(_Pieces(_pieces_of(thing), (thing,)))


def to_json(thing: Any) -> bytes:
    """JSON; dates, decimals and the like become texts."""
    text = _encode(thing)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # RFC 8259 section 8.2: half a pair of UTF-16 has no UTF-8, and a client may have sent one: it goes escaped.
        return _encode_ascii(thing).encode("ascii")


def text_to_bytes(text: str) -> bytes:
    """As UTF-8, what has none as `?`: what one visitor wrote must not take the page from all others."""
    return text.encode("utf-8", "replace")


class _Pieces:
    """An iterable of bytes that closes what it is made of."""

    def __init__(self, pieces: Iterator[Any], things: Iterable[Any]) -> None:
        self._pieces = pieces
        self._things = things

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            yield piece if type(piece) is bytes else _bytes_of(piece)

    def close(self) -> None:
        for thing in self._things:
            close = getattr(thing, "close", None)
            if close is not None:
                close()


def _refuse_data(things: Iterable[Any]) -> None:
    """A dict among pieces would be sent as its keys; rows of data belong into JSON. Raises UnsendableError."""
    for thing in things:
        if thing is None or isinstance(thing, Mapping):
            raise UnsendableError(thing, " in a list; was.API(list) sends a list as JSON")


def _chained(things: Iterable[Any]) -> Iterator[Any]:
    for thing in things:
        if isinstance(thing, _TEXTS):
            yield thing
        else:
            yield from _pieces_of(thing)


def _pieces_of(thing: Any) -> Iterator[Any]:
    if isinstance(thing, (list, tuple)):
        return _chained(thing)
    if hasattr(thing, "read"):
        return _until_empty(lambda: thing.read(_BLOCK_BYTES))
    if hasattr(thing, "more"):
        return _until_empty(thing.more)
    if hasattr(thing, "__next__") or hasattr(thing, "__iter__"):
        return iter(thing)
    step = getattr(thing, "_next", None) or getattr(thing, "next", None)
    if step is not None:
        return _until_stop(step)
    raise UnsendableError(thing)


def _until_empty(read: Callable[[], Any]) -> Iterator[Any]:
    while piece := read():
        yield piece


def _until_stop(step: Callable[[], Any]) -> Iterator[Any]:
    while True:
        try:
            piece = step()
        except StopIteration:
            return
        yield piece


def _bytes_of(piece: Any) -> bytes:
    if isinstance(piece, str):
        return text_to_bytes(piece)
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece)
    if isinstance(piece, (int, float)):
        return str(piece).encode()
    raise UnsendableError(piece)


def _plain(thing: Any) -> Any:
    """What JSON has no form for."""
    if hasattr(thing, "isoformat"):
        return thing.isoformat()
    if isinstance(thing, (set, frozenset)):
        return list(thing)
    if isinstance(thing, bytes):
        return thing.decode("utf-8", "replace")
    for name in ("_asdict", "asdict", "to_dict"):
        if hasattr(thing, name):
            return getattr(thing, name)()
    return str(thing)


_encode: Final = json.JSONEncoder(ensure_ascii=False, default=_plain).encode
_encode_ascii: Final = json.JSONEncoder(default=_plain).encode
