"""Tokens against cross-site request forgery: a form carries one that only pages of the app can know.

The secret is in the session. What a page shows is the secret under a mask that is new each time, so that a compressed
page does not tell it bit by bit (BREACH).
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from skitaid.atila.contracts import Was

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["FIELD", "token", "token_input", "verify"]

FIELD: Final = "XSRF_TOKEN"
_HEADERS: Final = ("HTTP_X_XSRF_TOKEN", "HTTP_X_CSRF_TOKEN")
_KEY: Final = "_csrf"
_SIZE: Final = 18


def token(was: Was) -> str:
    """`was.csrf_token`: for a form's field, or the field X-XSRF-Token of a request that a script makes."""
    secret: bytes = was.session.get(_KEY) or secrets.token_bytes(_SIZE)
    if _KEY not in was.session:
        was.session.set(_KEY, secret)
    mask = secrets.token_bytes(_SIZE)
    return urlsafe_b64encode(mask + _xor(mask, secret)).decode()


def token_input(was: Was) -> Markup:
    """`was.csrf_token_input`: a hidden field for a form."""
    from markupsafe import Markup

    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token(was))


def verify(was: Was, keep: bool = False) -> bool:
    """`was.csrf_verify`: whether the request carries a token of this session, in its body, its address or a field. The
    token is used up with that, unless it is kept."""
    secret = was.session.get(_KEY)
    given = next((was.env[name] for name in _HEADERS if name in was.env), None) or was.request.args.get(FIELD)
    if not secret or not isinstance(given, str) or not compare_digest(_unmask(given), secret):
        return False
    if not keep:
        was.session.remove(_KEY)
    return True


def _unmask(given: str) -> bytes:
    try:
        raw = urlsafe_b64decode(given.encode("ascii"))
    except ValueError:
        return b""
    return _xor(raw[:_SIZE], raw[_SIZE:]) if len(raw) == 2 * _SIZE else b""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
