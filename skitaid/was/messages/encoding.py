"""What an app gives as data, as the bytes of a body or as a query. Pure.

Text and bytes are taken as they are, whatever the content type; dictionaries, lists and other values are written as the
content type says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from skitaid.was.messages.content_types import Kind, kind_of
from skitaid.was.messages.errors import CallError

__all__ = ["encode_body", "encode_query"]


def encode_body(data: object, content_type: str) -> bytes:
    """`data` as the bytes of a body. Raises CallError when the type has no form for it."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if isinstance(data, str):
        return _utf8(data)
    kind = kind_of(content_type)
    if kind is Kind.JSON:
        return _json(data)
    if kind in (Kind.FORM, Kind.NVP):
        return _form(data).encode("ascii")
    raise CallError(
        f"data of type {type(data).__name__} has no form in {content_type}: give str or bytes, or a Content-Type of"
        " application/json or application/x-www-form-urlencoded"
    )


def encode_query(data: object) -> str:
    """`data` as the query of a request that has no body, without its "?". Raises CallError."""
    if data is None:
        return ""
    if isinstance(data, str):
        return data.lstrip("?")
    if isinstance(data, bytes):
        return data.decode("latin-1").lstrip("?")
    return _form(data)


def _json(data: object) -> bytes:
    try:
        # Infinity and NaN are not JSON (RFC 8259 section 6): the other side would refuse them, less plainly.
        return _utf8(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_as_json))
    except (TypeError, ValueError, RecursionError) as error:
        raise CallError(f"data cannot be written as JSON: {error}") from error


def _as_json(value: object) -> object:
    """Dates as RFC 3339 has them; nothing else is guessed at."""
    isoformat = getattr(value, "isoformat", None)
    if isoformat is not None:
        return isoformat()
    raise TypeError(f"a value of type {type(value).__name__} has no form in JSON")


def _form(data: object) -> str:
    """Pairs with None are left out; a list stands for several values of one name."""
    pairs = list(data.items()) if isinstance(data, Mapping) else data
    try:
        return urlencode([(key, _plain(value)) for key, value in pairs if value is not None], doseq=True)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise CallError(f"data: found {data!r:.200}, expected {{name: value}} or [(name, value), …]") from error


def _plain(value: object) -> object:
    """What urlencode knows: text, bytes, or a sequence of them."""
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(each) for each in value if each is not None]
    return value if isinstance(value, bytes) else str(value)


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CallError(f"data has a lone surrogate at {error.start}, which no encoding has") from error
