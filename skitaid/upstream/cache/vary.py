"""Which of several stored responses a request selects (RFC 9111 section 4.1). Pure.

Values are compared in a normal form where the meaning is sure to be the same: a hundred ways of saying "gzip or br"
would else be a hundred copies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from skitaid.protocols.headers import tokens
from skitaid.protocols.negotiation import weights

__all__ = ["Get", "Variant", "is_everything", "normalized", "selects", "variant_of", "vary_names"]

Get = Callable[[bytes], bytes | None]
"""The value of a request's field by its lower-case name."""

Variant = tuple[tuple[bytes, bytes | None], ...]
"""The fields that Vary names, sorted, and their normal values in the request; None for one it does not have."""

_CASELESS: Final = frozenset({b"accept", b"accept-charset", b"accept-language"})
_MAX_KNOWN_BYTES: Final = 200


def vary_names(value: bytes | None) -> tuple[bytes, ...]:
    """The fields that a response depends on, sorted; `*` among them stands for what no request shows."""
    return tuple(sorted(set(tokens(value)))) if value else ()


def is_everything(names: tuple[bytes, ...]) -> bool:
    """Whether no other request will ever select the response (Vary: *)."""
    return b"*" in names


def variant_of(names: tuple[bytes, ...], get: Get) -> Variant:
    """What the request shows of the named fields."""
    return tuple((name, _known(name, get(name))) for name in names)


def selects(variant: Variant, get: Get) -> bool:
    """Whether a request gets the response that was made for `variant`."""
    return all(_known(name, get(name)) == value for name, value in variant)


def normalized(name: bytes, value: bytes | None) -> bytes | None:
    """The normal form of one field's value."""
    if value is None:
        return None
    if name == b"accept-encoding":
        return _codings(value)
    if name in _CASELESS:
        value = value.lower()
    return b",".join(part.strip(b" \t") for part in value.split(b",")) if b"," in value else value.strip(b" \t")


def _codings(value: bytes) -> bytes:
    """A client that accepts the same codings can read the same response; which of them is liked best is the server's
    choice to make, once."""
    given = weights(value)
    refused = b"" if given.get(b"identity", given.get(b"*", 1.0)) else b",-identity"
    return b",".join(sorted(name for name, weight in given.items() if weight and name != b"identity")) + refused


_normalized_known: Final = lru_cache(maxsize=512)(normalized)


def _known(name: bytes, value: bytes | None) -> bytes | None:
    if value is None:
        return None
    return normalized(name, value) if len(value) > _MAX_KNOWN_BYTES else _normalized_known(name, value)
