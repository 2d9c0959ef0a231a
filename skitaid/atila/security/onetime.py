"""Tokens for links that are good for a while, or once: `was.mkott`, `was.deott`, `was.rvott`.

A token carries its data, signed; whoever holds it can read it. One that is made with a session key is good in this
browser alone, and until `was.rvott` takes it back.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

from skitaid.atila.contracts import Was
from skitaid.atila.security.signing import UnverifiedError, keys_of, sign, verify

__all__ = ["deott", "mkott", "rvott"]

_PURPOSE: Final = "one-time token"
_DEFAULT_S: Final = 1200


def mkott(was: Was, data: object, timeout: float = _DEFAULT_S, session_key: str | None = None) -> str:
    """A token that carries `data` for `timeout` seconds. Raises NoSecureKeyError; TypeError for what can't be
    carried."""
    mark = secrets.token_urlsafe(9)
    if session_key is not None:
        was.session.set(_name(session_key), mark)
    return sign([data, time.time() + timeout, session_key, mark], _keys(was), _PURPOSE)


def deott(was: Was, token: object) -> Any:
    """The data of a token; None: it is none of ours, was changed, is too old, or was taken back."""
    found = _read(was, token)
    if found is None:
        return None
    data, expires_at, session_key, mark = found
    if expires_at <= time.time() or (session_key is not None and was.session.get(_name(session_key)) != mark):
        return None
    return data


def rvott(was: Was, token: object) -> bool:
    """Take a token back; whether it was good until now. Raises ValueError for one that was made without a session key,
    which nobody can take back."""
    if deott(was, token) is None:
        return False
    session_key = _read(was, token)[2]
    if session_key is None:
        raise ValueError(
            "a token can be taken back if it was made with a session key: was.mkott(data, timeout, 'name')"
        )
    was.session.remove(_name(session_key))
    return True


def _name(session_key: str) -> str:
    return f"_{session_key}_token"


def _keys(was: Was) -> tuple[str, ...]:
    return keys_of(was.app.securekey, "was.mkott")


def _read(was: Was, token: object) -> Any:
    if not isinstance(token, str):
        return None
    try:
        # As the value `<token>` of a path it has blanks in place of underscores, and a token has no blanks.
        return verify(token.replace(" ", "_"), _keys(was), _PURPOSE)
    except UnverifiedError:
        return None
