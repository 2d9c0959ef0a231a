"""Values that come by name: dicts whose items are attributes too, and how a query or a form becomes one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from skitaid.was.errors import HTTPError

__all__ = ["Values", "as_told", "grouped", "read_urlencoded"]

MAX_FIELDS: Final = 1000
"""In a query or a form: names that hash alike could cost more than they are worth (CPU), and nobody writes as many."""


_HARMLESS: Final = "/:@!$*+,;=~-._ []"


class Values(dict[str, Any]):
    """A dict whose items are attributes, too: `args.limit`. A name that it does not have is an AttributeError, one that
    is a method of dict has to be asked for as an item."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None


def grouped(pairs: Iterable[tuple[str, Any]]) -> Values:
    """By name; one that comes more than once has a list."""
    found = Values()
    several: set[str] = set()
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif name in several:
            found[name].append(value)
        else:
            several.add(name)
            found[name] = [found[name], value]
    return found


def as_told(text: str) -> str:
    """What a client sent, as the reason of an error may have it: an app's error page may forget to escape it."""
    return "".join(
        sign if sign.isalnum() or sign in _HARMLESS else quote(sign, errors="replace") for sign in text[:200]
    )


def read_urlencoded(text: str) -> Values:
    """A query or a form. Raises HTTPError 400 for one with too many fields."""
    try:
        return grouped(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise HTTPError("400 Bad Request", f"more than {MAX_FIELDS} fields") from error
