"""Header fields: those that an app gives with a call, checked, and those of a result. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from skitaid.was.messages.errors import CallError

__all__ = ["Fields", "GivenHeaders", "Headers", "read_headers", "value_of", "without"]

Fields = tuple[tuple[bytes, bytes], ...]
"""Names in lower case, and values."""

GivenHeaders = Mapping[str, object] | Iterable[tuple[str, object]] | None
"""As the documents have it: `{name: value}` or `[(name, value), …]`."""

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch  # RFC 9110 section 5.6.2
_BAD_VALUE: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f]").search  # section 5.5
# Made by whoever sends the request, for this connection and this body.
_MADE: Final = frozenset({
    b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade",
    b"expect",
})  # fmt: skip


def read_headers(given: GivenHeaders) -> Fields:
    """The fields an app gave. Those that belong to the connection are left out. Raises CallError."""
    if not given:
        return ()
    pairs = given.items() if isinstance(given, Mapping) else given
    return tuple(pair for each in pairs if (pair := _pair(each))[0] not in _MADE)


def value_of(fields: Fields, name: bytes) -> bytes | None:
    """The value of field `name` (lower case); the last one when it is there several times."""
    return next((value for key, value in reversed(fields) if key == name), None)


def without(fields: Fields, *names: bytes) -> Fields:
    """The other fields."""
    return tuple(pair for pair in fields if pair[0] not in names)


def _pair(item: object) -> tuple[bytes, bytes]:
    if isinstance(item, str) or not isinstance(item, tuple | list) or len(item) != 2:
        raise CallError(f"headers: found {item!r}, expected {{name: value}} or [(name, value), …]")
    name, value = (_text(part) for part in item)
    if not _NAME(name):
        raise CallError(f"headers: {name!r} is not a field name")
    value = value.strip(" \t")
    if _BAD_VALUE(value):
        raise CallError(f"headers: the value of {name} has a control character")
    return name.lower().encode("ascii"), _encoded(name, value)


def _text(part: object) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else str(part)


def _encoded(name: str, value: str) -> bytes:
    """RFC 9110 section 5.5: octets above ASCII are opaque, and most senders mean UTF-8 where Latin-1 has no letter."""
    for encoding in ("latin-1", "utf-8"):
        try:
            return value.encode(encoding)
        except UnicodeEncodeError:
            continue
    raise CallError(f"headers: the value of {name} has a lone surrogate, which no encoding has")


class Headers(Mapping[str, str]):
    """Header fields of a result, found whatever the case of the name. Repeated fields are joined with a comma (RFC 9110
    section 5.3), but Set-Cookie, of which the first is given; `get_all` gives each."""

    __slots__ = ("_pairs", "_texts")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._pairs = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs)
        self._texts: dict[str, str] = {}
        for name, value in self._pairs:
            self._add(name.lower(), value)

    def _add(self, name: str, value: str) -> None:
        if name not in self._texts:
            self._texts[name] = value
        elif name != "set-cookie":
            self._texts[name] += ", " + value

    def __getitem__(self, name: str) -> str:
        return self._texts[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return f"Headers({dict(self._texts)!r})"

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All fields as they came, in order."""
        return self._pairs

    def get_all(self, name: str) -> list[str]:
        """Every value of field `name`, in order."""
        wanted = name.lower()
        return [value for key, value in self._pairs if key.lower() == wanted]
