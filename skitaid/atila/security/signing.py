"""Values that are handed to clients and believed when they come back: signed, so that nobody else can make or change
them. They are not encrypted: whoever holds one can read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from itsdangerous import BadData, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from skitaid.atila.security import tagged
from skitaid.was.errors import WasError

__all__ = ["Keys", "NoSecureKeyError", "UnverifiedError", "keys_of", "sign", "verify"]

Keys = tuple[str, ...]
"""The first signs, all are believed: so a key is replaced by putting a new one before it, for a while."""

_MAX_LENGTH: Final = 65536


class NoSecureKeyError(WasError):
    """An app signs something and has no key; its author must act."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} needs a key to sign with, and the app has none: set app.securekey to a long random text that every"
            " app of the site shares (made by: python3 -c 'import secrets; print(secrets.token_hex(32))')"
        )


class UnverifiedError(WasError):
    """What came from a client was not signed by us for this purpose, or not with a key of now."""


class _StrictSigner(Signer):
    """Takes one text for a signature, where base64 has several for the same bytes."""

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        try:
            given = sig.encode() if isinstance(sig, str) else sig
            if base64_encode(base64_decode(given)) != given:
                return False
        except (BadData, UnicodeError):
            return False
        return super().verify_signature(value, given)


def keys_of(securekey: str | Sequence[str] | None, what: str) -> Keys:
    """Those that an app names: one, or several with the newest first. Raises NoSecureKeyError: it names none."""
    keys = (securekey,) if isinstance(securekey, str) else tuple(securekey or ())
    if not keys or not all(keys):
        raise NoSecureKeyError(what)
    return keys


def sign(value: object, keys: Keys, purpose: str) -> str:
    """`value` as a text of letters, digits, `-`, `_` and `.`. Raises TypeError for what can't be carried."""
    text = _serializer(keys, purpose).dumps(value)
    return text if isinstance(text, str) else text.decode()


def verify(text: str, keys: Keys, purpose: str) -> Any:
    """The value that was signed for `purpose`. Raises UnverifiedError."""
    if len(text) > _MAX_LENGTH:
        raise UnverifiedError(f"{len(text)} characters are more than was ever signed")
    try:
        return tagged.loads(_verified(text, keys, purpose))
    except (BadData, ValueError, TypeError) as error:
        raise UnverifiedError(str(error)) from error


@lru_cache(maxsize=256)
def _verified(text: str, keys: Keys, purpose: str) -> str:
    """What was signed, before it is read. A browser sends the same cookie many times. Raises BadData."""
    found: str = _serializer(keys, purpose).loads(text)
    return found


class _Unread:
    """Leaves reading to us."""

    dumps = staticmethod(tagged.dumps)

    @staticmethod
    def loads(text: str) -> str:
        return text


@lru_cache(maxsize=64)
def _serializer(keys: Keys, purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(
        list(reversed(keys)),
        salt=f"skitaid.atila {purpose}",
        serializer=_Unread,
        signer=_StrictSigner,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
