"""What a client would like to get: fields of the form `gzip;q=0.5, br` (RFC 9110 section 12.4.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from skitaid.protocols.headers import tokens

__all__ = ["choose_coding", "prefers", "weights"]

_Q: Final = re.compile(rb"(?:^|;)[ \t]*q=([01](?:\.[0-9]*)?)").search
_MAX_BYTES: Final = 4096
_IDENTITY: Final = b"identity"


def weights(value: bytes) -> dict[bytes, float]:
    """Name to weight, 0 to 1; of a name that comes twice the greater one. A weight that can't be read counts as 1."""
    found: dict[bytes, float] = {}
    for element in tokens(value[:_MAX_BYTES]):
        name, _, parameters = element.partition(b";")
        match = _Q(parameters)
        name = name.rstrip()
        found[name] = max(found.get(name, 0.0), min(float(match[1]), 1.0) if match else 1.0)
    return found


def choose_coding(accept_encoding: bytes, offered: Sequence[bytes]) -> bytes | None:
    """Which of the content codings `offered`, best first, goes to the client; None for the plain content.

    RFC 9110 section 12.5.3. The plain content is the last choice unless the client names it; it is sent also to one
    that refuses it, as there is no sense in an error.
    """
    given = weights(accept_encoding)
    others = given.get(b"*", 0.0)
    best, most = None, given.get(_IDENTITY, 0.0)
    for coding in offered:
        weight = given.get(coding, others)
        if weight > most or (weight == most and weight and best is None):
            best, most = coding, weight
    return best


def prefers(accept: bytes, wanted: bytes, other: bytes) -> bool:
    """Whether the client names media type `wanted`, and with more weight than `other`. Ranges such as */* name none:
    a client without a preference gets the other one."""
    given = weights(accept)
    return given.get(wanted, 0.0) > given.get(other, 0.0)
