"""JSON web tokens (RFC 7515, RFC 7519): `was.mkjwt`, `was.dejwt`, `was.request.JWT`."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from jwt import InvalidTokenError, PyJWS
from jwt.algorithms import HMACAlgorithm

from skitaid.atila.contracts import Was
from skitaid.atila.security.signing import keys_of

__all__ = ["TokenProblem", "dejwt", "mkjwt", "read_claims"]

_MAX_LENGTH: Final = 16384
_ALGORITHMS: Final = {"HS256": "SHA256", "HS384": "SHA384", "HS512": "SHA512"}


class _AnyLength(HMACAlgorithm):
    """Keys are what apps have; how long they should be is said in the documentation, not in each request's log."""

    def check_key_length(self, key: bytes) -> str | None:
        return None


class TokenProblem(str):
    """Why a token is not believed: a text, and a response of 401 where a handler gives it back."""

    __slots__ = ()


def _make_codec() -> PyJWS:
    codec = PyJWS(algorithms=[])
    for name, digest in _ALGORITHMS.items():
        codec.register_algorithm(name, _AnyLength(getattr(HMACAlgorithm, digest)))
    return codec


_CODEC: Final = _make_codec()


def mkjwt(was: Was, claims: Mapping[str, Any], alg: str = "HS256") -> str:
    """A token that carries `claims`; "exp", a time in seconds, says until when. Raises NoSecureKeyError."""
    if alg not in _ALGORITHMS:
        raise ValueError(f"alg={alg!r}: expected one of {', '.join(_ALGORITHMS)}")
    payload = json.dumps(dict(claims), separators=(",", ":"), default=_write_time).encode()
    return _CODEC.encode(payload, keys_of(was.app.securekey, "was.mkjwt")[0], algorithm=alg)


def _write_time(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(
        f"{type(value).__name__} can't be a claim of a token: texts, numbers, lists, dicts and datetimes can"
    )


def dejwt(was: Was, token: str | None = None) -> dict[str, Any]:
    """The claims of `token`, of that of the request if none is given. A token that is not to be believed gives a dict
    with "err": why. Raises NoSecureKeyError."""
    given = bearer_of(was) if token is None else token
    if not given:
        return {"err": TokenProblem("no token")}
    return read_claims(given, keys_of(was.app.securekey, "was.dejwt"))


def bearer_of(was: Was) -> str | None:
    """The token that the request carries (RFC 6750)."""
    scheme, _, token = was.env.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def read_claims(token: str, keys: tuple[str, ...], now: float | None = None) -> dict[str, Any]:
    """As `dejwt`; each of the keys is tried."""
    claims = _verified(token, keys) if len(token) <= _MAX_LENGTH and _is_canonical(token) else None
    problem = "invalid token" if claims is None else _judge_times(claims, time.time() if now is None else now)
    return {"err": TokenProblem(problem)} if claims is None or problem else claims


def _verified(token: str, keys: tuple[str, ...]) -> dict[str, Any] | None:
    for key in keys:
        try:
            claims = json.loads(_CODEC.decode(token, key, algorithms=list(_ALGORITHMS)))
        except (InvalidTokenError, ValueError, RecursionError):
            continue
        return claims if isinstance(claims, dict) else None
    return None


def _judge_times(claims: dict[str, Any], now: float) -> str:
    """What its times have against it (RFC 7519, 4.1.4 and 4.1.5); nothing: an empty text."""
    times = [claims.get("exp"), claims.get("nbf")]
    if not all(each is None or (isinstance(each, (int, float)) and not isinstance(each, bool)) for each in times):
        return "invalid token"
    expires_at, valid_from = times
    if expires_at is not None and not now < expires_at:
        return "token expired"
    return "token not activated yet" if valid_from is not None and not valid_from <= now else ""


def _is_canonical(token: str) -> bool:
    """Whether the signature is written in the one way that RFC 7515 has: base64 reads several as the same bytes."""
    signature = token.rpartition(".")[2]
    try:
        raw = urlsafe_b64decode(signature.encode("ascii") + b"=" * (-len(signature) % 4))
    except ValueError:
        return False
    return urlsafe_b64encode(raw).rstrip(b"=").decode() == signature
