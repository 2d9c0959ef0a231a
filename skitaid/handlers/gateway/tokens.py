"""Bearer tokens (RFC 6750) and JSON Web Tokens (RFC 7519): what a request shows, and whether it is believed.

Nothing here says what stood in a token: it is as good as a password.
"""

from __future__ import annotations

import math
import re
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from skitaid.exceptions import SkitaidError

__all__ = [
    "MAX_TOKEN_BYTES", "Claims", "TokenError", "TokenSettings", "TokenVerifier", "bearer_token", "is_jwt", "names_of",
]  # fmt: skip

MAX_TOKEN_BYTES: Final = 8192
"""Longer ones are refused before anybody looks into them."""
_MAX_KEPT: Final = 1024
_KEPT_S: Final = 60.0
_MAX_NAMES: Final = 256

# RFC 9110 section 11.2
_TOKEN68: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*").fullmatch
# RFC 7515 section 3.1: three parts, and an empty third one is told as what it is
_JWT: Final = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*").fullmatch
# What its own checks do not foresee: claims of other types, numbers without a bound, endless nesting.
_UNFORESEEN: Final = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)

Claims = Mapping[str, Any]


class TokenError(SkitaidError):
    """A token that is not believed; the client must get another one. The text is for the client, and tells nothing of
    the token."""


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Which tokens are believed. `key`: the secret, or the public key as PEM. `algorithms`: those that are taken,
    whatever the token says. `leeway_s`: for clocks that differ. `audience`: whom tokens have to be meant for; None:
    they name nobody."""

    key: bytes
    algorithms: tuple[str, ...] = ("HS256",)
    leeway_s: float = 0.0
    audience: str | None = None


def bearer_token(authorization: bytes | None) -> bytes | None:
    """The token of an Authorization field; None when there is none, or another scheme. Raises TokenError for one that
    is too long, or has characters that tokens do not have."""
    if authorization is None:
        return None
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    token = rest.strip(b" ")
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenError("the token is too long")
    if not _TOKEN68(token):
        raise TokenError("this is not a token")
    return token


def is_jwt(token: bytes) -> bool:
    """Whether it has the form of a JWT. Others are opaque: only those who gave them know what they mean."""
    return _JWT(token) is not None


class TokenVerifier:
    """Imports PyJWT when it is made. Raises ImportError, or ValueError for a key that does not fit the algorithms."""

    def __init__(self, settings: TokenSettings, *, wall: Callable[[], float] = time.time) -> None:
        import jwt

        self._jwt = jwt
        self._settings = settings
        self._wall = wall
        self._decoder = jwt.PyJWT()
        self._kept: dict[bytes, tuple[float, Claims]] = {}
        _quiet(jwt)
        for name in settings.algorithms:
            self._check_key(name)

    def claims(self, token: bytes) -> Claims:
        """What a JWT says, if it is signed by the key and its time has come and not passed. Raises TokenError. One that
        comes again costs a hash."""
        now = self._wall()
        digest = sha256(token).digest()
        kept = self._kept.get(digest)
        if kept is not None and now < kept[0]:
            return kept[1]
        claims = self._verified(token)
        until = min(now + _KEPT_S, *(_moment(claims, name) + self._settings.leeway_s for name in ("exp", "expires")))
        if now >= until:
            raise TokenError("the token has expired")
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[digest] = (until, claims)
        return claims

    def _verified(self, token: bytes) -> Claims:
        jwt, settings = self._jwt, self._settings
        try:
            header = jwt.get_unverified_header(token)
            if "crit" in header:
                # RFC 7515 section 4.1.11: extensions that must be understood; none is.
                raise TokenError("the token is of a kind that is not understood")
            return self._decoder.decode(
                token, settings.key, algorithms=list(settings.algorithms), leeway=settings.leeway_s,
                audience=settings.audience,
            )  # fmt: skip
        except jwt.ExpiredSignatureError as error:
            raise TokenError("the token has expired") from error
        except (jwt.ImmatureSignatureError, jwt.InvalidIssuedAtError) as error:
            raise TokenError("the token is not valid yet") from error
        except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError) as error:
            raise TokenError("the token is meant for somebody else") from error
        except (jwt.PyJWTError, *_UNFORESEEN) as error:
            raise TokenError("the token is not valid") from error

    def _check_key(self, algorithm: str) -> None:
        known = self._jwt.get_algorithm_by_name(algorithm)
        try:
            known.prepare_key(self._settings.key)
        except (self._jwt.PyJWTError, *_UNFORESEEN) as error:
            raise ValueError(f"the key does not fit {algorithm}") from error


def _quiet(jwt: Any) -> None:
    """A secret that is too short is told of where it is written, once, and not at each token."""
    kind = getattr(jwt, "InsecureKeyLengthWarning", None)
    if kind is not None:
        warnings.simplefilter("ignore", kind)


def _moment(claims: Claims, name: str) -> float:
    """Seconds since the epoch; for ever without it. Raises TokenError for what is not a number."""
    value = claims.get(name)
    if value is None or (name == "expires" and value == 0 and not isinstance(value, bool)):
        # 0 is no end, in what the documents call `expires`.
        return float("inf")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TokenError("the token is not valid")
    try:
        moment = float(value)
    except (ValueError, OverflowError) as error:
        raise TokenError("the token is not valid") from error
    if math.isnan(moment):
        raise TokenError("the token is not valid")
    return moment


def names_of(value: object) -> tuple[str, ...]:
    """The roles that a claim names: a list of texts, or a text with commas or blanks between them."""
    if isinstance(value, str):
        found = re.split(r"[,\s]+", value.strip())
    elif isinstance(value, list | tuple | set | frozenset):
        found = [name for name in value if isinstance(name, str)]
    else:
        return ()
    return tuple(name for name in found[:_MAX_NAMES] if name)
