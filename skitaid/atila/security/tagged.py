"""JSON that gives back the Python values it was made of: what signed cookies and tokens carry.

Nothing is pickled: what comes from a client is never more than values. A value that JSON has no form for is written as
an object of one key that starts with a blank, `{" d": "2030-01-01T12:00:00"}`.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

__all__ = ["dumps", "loads"]

_PLAIN: Final = (str, int, float, bool, type(None))
_WRITERS: Final[tuple[tuple[type | tuple[type, ...], str, Callable[[Any], Any]], ...]] = (
    (tuple, " t", lambda value: [_tag(each) for each in value]),
    ((set, frozenset), " s", lambda value: [_tag(each) for each in value]),
    (bytes, " b", lambda value: b64encode(value).decode()),
    (datetime, " d", datetime.isoformat),
    (date, " D", date.isoformat),
    (Decimal, " n", str),
    (UUID, " u", str),
)
_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    " t": tuple,
    " s": set,
    " b": b64decode,
    " d": datetime.fromisoformat,
    " D": date.fromisoformat,
    " n": Decimal,
    " u": UUID,
    " k": dict,
}


def dumps(value: object) -> str:
    """`value` as text. Raises TypeError for what can't be carried."""
    return _write(_tag(value))


def loads(text: str) -> Any:
    """The value that `dumps` wrote. Raises ValueError, TypeError for a text that it did not write."""
    return _read(text)


def _tag(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list):
        return [_tag(each) for each in value]
    if isinstance(value, dict):
        return _tag_mapping(value)
    for kind, tag, write in _WRITERS:
        if isinstance(value, kind):
            return {tag: write(value)}
    raise TypeError(
        f"{type(value).__name__} can't be kept in a cookie or token: keep a key by which it can be found again, or its"
        " parts as texts, numbers, dates, lists and dicts"
    )


def _tag_mapping(value: dict[Any, Any]) -> dict[str, Any]:
    # A dict of an app that looks like a tagged value is written as pairs, as one with other keys than texts is.
    if all(isinstance(key, str) for key in value) and not (len(value) == 1 and next(iter(value)).startswith(" ")):
        return {key: _tag(each) for key, each in value.items()}
    return {" k": [[_tag(key), _tag(each)] for key, each in value.items()]}


def _untag(found: dict[str, Any]) -> Any:
    if len(found) == 1:
        ((tag, value),) = found.items()
        if tag in _READERS:
            return _READERS[tag](value)
    return found


# Made once: json.dumps and json.loads make one for each call that has options.
_write: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_read: Final = json.JSONDecoder(object_hook=_untag).decode
