"""Who asks: basic, digest and bearer authentication (RFC 7617, 7616, 6750), as an app or a route demands it."""

from __future__ import annotations

import hmac
import os
import re
from base64 import b64decode
from functools import cache
from typing import Any, Final, NamedTuple

from skitaid.atila.contracts import Was
from skitaid.atila.security import digest
from skitaid.atila.security.nonces import Nonces, Seen, open_table
from skitaid.was.errors import WasError

__all__ = [
    "SCHEMES",
    "User",
    "WrongSchemeError",
    "authenticate",
    "claims_of",
    "current_user",
    "settle_scheme",
    "user_of",
]

SCHEMES: Final = ("basic", "digest", "bearer")
_DONE: Final = "skitaid.atila.authenticated"
_NOBODY: Final = "no such user"


class WrongSchemeError(WasError):
    """An app asks for a kind of authentication that there is not; its author must act."""

    def __init__(self, found: object) -> None:
        super().__init__(f"authenticate={found!r}: expected basic, digest, bearer, True (app.authorization) or False")


class User:
    """Who was authenticated: `name`, `realm`, and what the app knows besides (`info`). As a text it is the name. Nobody
    has an empty one, and is false."""

    def __init__(self, name: str, realm: str = "", info: Any = None) -> None:
        self.name = self.username = name
        self.realm = realm
        self.info = info

    def __str__(self) -> str:
        return self.name

    def __bool__(self) -> bool:
        return bool(self.name)

    def __repr__(self) -> str:
        return f"<User {self.name!r}>"

    def __eq__(self, other: object) -> bool:
        return str(other) == self.name if isinstance(other, (str, User)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)


class _Secret(NamedTuple):
    """What an app knows of a user. `encrypted`: the password is the MD5 of user, realm and password."""

    password: str
    encrypted: bool = False
    info: Any = None

    def a1(self, username: str, realm: str) -> str:
        return self.password.lower() if self.encrypted else digest.a1_hash(username, realm, self.password)


def settle_scheme(app: Any, demanded: Any) -> str | None:
    """The scheme that a route demands; None: nothing. `demanded` None: what the app demands of all its routes. Raises
    WrongSchemeError."""
    asked = app.demanded if demanded is None else demanded
    if not asked:
        return None
    scheme = app.authorization if asked is True else asked
    if scheme not in SCHEMES:
        raise WrongSchemeError(scheme)
    return str(scheme)


def authenticate(was: Was, scheme: str) -> Any:
    """None: the request shows who it is from, and was.request.user is set; else the response."""
    if was.env.get(_DONE) == scheme:
        # The app and the route demand the same; a digest is good once.
        return None
    refusal = _judge(was, scheme)
    if refusal is None:
        was.env[_DONE] = scheme
    return refusal


def _judge(was: Was, scheme: str) -> Any:
    if scheme == "bearer":
        return _judge_bearer(was)
    given, _, credentials = was.env.get("HTTP_AUTHORIZATION", "").partition(" ")
    if given.lower() != scheme:
        return _challenge(was, scheme)
    return _judge_basic(was, credentials) if scheme == "basic" else _judge_digest(was, credentials)


def user_of(was: Was) -> User:
    """`was.request.user`: who was authenticated; else who a JSON web token that came along says it is from; else
    nobody."""
    if was.env.get("HTTP_AUTHORIZATION", "")[:7].lower() != "bearer " or not was.app.securekey:
        return User("")
    claims = was.request.JWT
    name = next((claims[key] for key in ("username", "user", "uid", "sub") if key in claims), None)
    return User("") if "err" in claims or name is None else User(str(name), _realm(was), claims)


def current_user(was: Was) -> User:
    """`was.user`: was.request.user."""
    found: User = was.request.user
    return found


def claims_of(was: Was) -> dict[str, Any]:
    """`was.request.JWT`: the claims of the token that came along; {"err": why} if none did that is to be believed."""
    from skitaid.atila.security.jwt import dejwt

    return dejwt(was)


# ---------------------------------------------------------------- bearer


def _judge_bearer(was: Was) -> Any:
    from skitaid.atila.security.jwt import bearer_of

    token = bearer_of(was)
    if not token:
        return _refuse(was, f"Bearer realm={_quoted(_realm(was))}")
    handler = was.app.handlers.get("bearer")
    result = default_bearer_handler(was, token) if handler is None else handler(was, token)
    return _refuse_token(was, result) if isinstance(result, str) else result


def default_bearer_handler(was: Was, token: str) -> Any:
    """Believes the app's own JSON web tokens."""
    return was.request.JWT.get("err")


def _refuse_token(was: Was, why: str) -> Any:
    said = f'error="invalid_token", error_description={_quoted(why)}'
    return _refuse(was, f"Bearer realm={_quoted(_realm(was))}, {said}", why)


# ---------------------------------------------------------------- basic


def _judge_basic(was: Was, credentials: str) -> Any:
    try:
        username, colon, password = _as_utf8(b64decode(credentials, validate=True)).partition(":")
    except ValueError:
        return _challenge(was, "basic")
    secret, realm = _secret_of(was, username), _realm(was)
    expected = (secret or _Secret(_NOBODY)).a1(username, realm)
    is_same = hmac.compare_digest(digest.a1_hash(username, realm, password).encode(), expected.encode())
    if not colon or secret is None or not is_same:
        return _challenge(was, "basic")
    return _admit(was, username, secret)


# ---------------------------------------------------------------- digest


def _judge_digest(was: Was, credentials: str) -> Any:
    fields = digest.parse_fields(_as_utf8(credentials.encode("latin-1", "replace")))
    if fields is None or fields["realm"] != _realm(was):
        return _challenge(was, "digest")
    if not digest.is_for(fields, was.request.uri):
        return was.response("400 Bad Request", None, None)
    username = fields["username"]
    secret = _secret_of(was, username)
    if not digest.is_right(fields, was.request.method, (secret or _Secret(_NOBODY)).a1(username, fields["realm"])):
        return _challenge(was, "digest")
    seen = Seen.STALE if secret is None else _nonces().see(fields["nonce"], fields["nc"])
    if secret is None or seen is not Seen.NEW:
        return _challenge(was, "digest", stale=seen is Seen.STALE)
    return _admit(was, username, secret)


@cache
def _nonces() -> Nonces:
    return Nonces(*open_table(os.environ.get("SKITAID_VAR_PATH")))


# ---------------------------------------------------------------- users and answers


def _secret_of(was: Was, username: str) -> _Secret | None:
    handler = was.app.handlers.get("authorization")
    found = handler(was, username) if handler is not None else _users_of(was.app).get(username)
    if found is None:
        return None
    if isinstance(found, str):
        return _Secret(found)
    password, *rest = found
    return _Secret(str(password), bool(rest and rest[0]), rest[1] if len(rest) > 1 else None)


def _users_of(app: Any) -> Any:
    """The documents before 0.15.21 had one user: app.user and app.password."""
    return app.users or ({app.user: str(app.password)} if app.user and app.password else {})


def _admit(was: Was, username: str, secret: _Secret) -> None:
    was.request.user = User(username, _realm(was), secret.info)
    was.env["REMOTE_USER"] = username


def _realm(was: Was) -> str:
    return str(was.app.realm or was.app.app_name)


def _challenge(was: Was, scheme: str, *, stale: bool = False) -> Any:
    realm = _quoted(_realm(was))
    if scheme == "basic":
        return _refuse(was, f'Basic realm={realm}, charset="UTF-8"')
    asked = f'Digest realm={realm}, qop="auth", algorithm=MD5, nonce="{_nonces().make()}", charset="UTF-8"'
    return _refuse(was, f"{asked}, stale=true" if stale else asked)


def _refuse(was: Was, challenge: str, why: str = "") -> Any:
    return was.response.with_explain("401 Unauthorized", why, [("WWW-Authenticate", challenge)])


def _quoted(text: str) -> str:
    inside = re.sub(r"[\x00-\x1f\x7f]", " ", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'


def _as_utf8(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
