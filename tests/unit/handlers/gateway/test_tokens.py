"""Which tokens are believed (RFC 6750, RFC 7515, RFC 7519)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest

from skitaid.handlers.gateway.tokens import (
    MAX_TOKEN_BYTES,
    TokenError,
    TokenSettings,
    TokenVerifier,
    bearer_token,
    is_jwt,
    names_of,
)

SECRET = b"8fa06210-e109-11e6-934f-001b216d6e71" * 2
OTHER = b"another secret of the same length, or longer, as HS512 wants 64 bytes of it"


def token(claims: Any, secret: bytes = SECRET, algorithm: str = "HS256", **header: Any) -> bytes:
    return jwt.encode(claims, secret, algorithm, headers=header or None).encode()


def by_hand(header: Any, claims: Any, secret: bytes = SECRET) -> bytes:
    """A token that no library would make: texts are taken as they are."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(TokenSettings(SECRET))


# ---------------------------------------------------------------- the field


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b"Bearer abc.def", b"abc.def"),
        (b"bearer  abc", b"abc"),
        (b"BEARER a-b_c~d+e/f==", b"a-b_c~d+e/f=="),
        (b"Basic eDp5", None),
        (b"Digest a=b", None),
        (b"", None),
    ],
)
def test_the_token_of_a_request(value: bytes | None, expected: bytes | None) -> None:
    assert bearer_token(value) == expected


@pytest.mark.parametrize(
    "value", [b"Bearer", b"Bearer ", b"Bearer a b", b"Bearer a,b", b'Bearer "a"', b"Bearer \xe9", b"Bearer a=b"]
)
def test_what_is_no_token(value: bytes) -> None:
    with pytest.raises(TokenError):
        bearer_token(value)


def test_a_long_token_is_refused_before_it_is_looked_at() -> None:
    assert bearer_token(b"Bearer " + b"a" * MAX_TOKEN_BYTES) is not None
    with pytest.raises(TokenError, match="too long"):
        bearer_token(b"Bearer " + b"\0" * (MAX_TOKEN_BYTES + 1))
    since = time.process_time()
    for _ in range(1000):
        with pytest.raises(TokenError):
            bearer_token(b"Bearer " + b"a" * 65000)
    assert time.process_time() - since < 1.0


def test_which_tokens_are_jwt() -> None:
    assert is_jwt(token({}))
    assert is_jwt(b"eyJhbGciOiJub25lIn0.e30.")
    assert not is_jwt(b"abcdef")
    assert not is_jwt(b"a.b.c.d.e")


# ---------------------------------------------------------------- what is believed


def test_a_token_that_is_signed_well(verifier: TokenVerifier) -> None:
    claims = {"user": "Hans Roh", "roles": ["user"], "exp": time.time() + 60}
    assert verifier.claims(token(claims)) == claims


def test_a_token_of_the_older_documents(verifier: TokenVerifier) -> None:
    """Three parts without padding, and nothing but what it is for."""
    made = by_hand({"alg": "HS256", "typ": "JWT"}, {"user": "Hans Roh", "roles": ["user"]})
    assert verifier.claims(made)["user"] == "Hans Roh"


NOW = time.time()


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        # the signature
        (token({"user": "a"}, OTHER), "not valid"),
        (token({"user": "a"})[:-2], "not valid"),
        (token({"user": "a"})[:-1] + b"!", "not valid"),
        (token({"user": "a"}, algorithm="HS512"), "not valid"),
        (b"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ1c2VyIjoiYSJ9.", "not valid"),
        (by_hand({"alg": "none"}, {"user": "a"}), "not valid"),
        (by_hand({"alg": "NONE"}, {"user": "a"}), "not valid"),
        (by_hand({"alg": ["HS256"]}, {}), "not valid"),
        (by_hand({"alg": None}, {}), "not valid"),
        (by_hand({}, {"user": "a"}), "not valid"),
        (by_hand({"alg": "RS256"}, {}), "not valid"),
        (by_hand({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}, {"user": "a"}, b"\0\0\0"), "not valid"),
        (by_hand({"alg": "HS256", "crit": ["x"], "x": 1}, {"user": "a"}), "not "),
        (by_hand({"alg": "HS256", "b64": False, "crit": ["b64"]}, {"user": "a"}), "not"),
        # the form
        (b"a.b.c", "not valid"),
        (b"...", "not valid"),
        (by_hand(b"\xff\xfe", {}), "not valid"),
        (by_hand([], {}), "not valid"),
        (by_hand(b"[" * 3000, {}), "not valid"),
        (by_hand({"alg": "HS256"}, []), "not valid"),
        (by_hand({"alg": "HS256"}, b"[" * 3000), "not valid"),
        (by_hand({"alg": "HS256"}, b"\xff"), "not valid"),
        (by_hand({"alg": "HS256"}, b"1" * 5000), "not valid"),
        # the time
        (token({"exp": NOW - 10}), "expired"),
        (token({"exp": 0}), "expired"),
        (token({"exp": "soon"}), "not valid"),
        (by_hand({"alg": "HS256"}, b'{"exp": Infinity}'), "not valid"),
        (by_hand({"alg": "HS256"}, b'{"exp": NaN}'), "not valid"),
        (by_hand({"alg": "HS256"}, b'{"exp": {}}'), "not valid"),
        (by_hand({"alg": "HS256"}, b'{"exp": 1e999}'), "not valid"),
        (token({"nbf": NOW + 10**6}), "not valid yet"),
        (token({"iat": NOW + 10**6}), "not valid yet"),
        # what the documents call expires
        (token({"expires": NOW - 10}), "expired"),
        (token({"expires": -1}), "expired"),
        (token({"exp": NOW + 10**6, "expires": NOW - 10}), "expired"),
        (token({"exp": NOW - 10, "expires": NOW + 10**6}), "expired"),
        (token({"expires": True}), "not valid"),
        (token({"expires": "soon"}), "not valid"),
        (token({"expires": []}), "not valid"),
        (by_hand({"alg": "HS256"}, b'{"expires": NaN}'), "not valid"),
        # for somebody else
        (token({"aud": "other.example.com"}), "somebody else"),
    ],
)
def test_what_is_not_believed(verifier: TokenVerifier, made: bytes, reason: str) -> None:
    with pytest.raises(TokenError, match=reason) as caught:
        verifier.claims(made)
    assert "user" not in str(caught.value)


@pytest.mark.parametrize("expires", [0, None, NOW + 10**6, str(NOW + 10**6)], ids=["0", "None", "number", "text"])
def test_expires_that_has_not_passed(verifier: TokenVerifier, expires: object) -> None:
    assert verifier.claims(token({"user": "a", "expires": expires}))["user"] == "a"


def test_leeway_is_for_clocks_that_differ() -> None:
    verifier = TokenVerifier(TokenSettings(SECRET, leeway_s=300))
    now = time.time()
    for claims in ({"exp": now - 200}, {"expires": now - 200}, {"nbf": now + 200}, {"iat": now + 200}):
        assert verifier.claims(token(claims)) == claims
    for claims in ({"exp": now - 400}, {"expires": now - 400}, {"nbf": now + 400}):
        with pytest.raises(TokenError):
            verifier.claims(token(claims))


def test_an_audience_that_is_asked_for() -> None:
    verifier = TokenVerifier(TokenSettings(SECRET, audience="api.example.com"))
    assert verifier.claims(token({"aud": ["x", "api.example.com"]}))
    for claims in ({}, {"aud": "other"}, {"aud": 5}):
        with pytest.raises(TokenError):
            verifier.claims(token(claims))


def test_several_algorithms() -> None:
    verifier = TokenVerifier(TokenSettings(SECRET, ("HS384", "HS512")))
    for algorithm in ("HS384", "HS512"):
        assert verifier.claims(token({"user": "a"}, algorithm=algorithm))
    with pytest.raises(TokenError):
        verifier.claims(token({"user": "a"}))


# ---------------------------------------------------------------- pairs of keys


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    """Private and public key as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def test_a_pair_of_keys(pair: tuple[bytes, bytes]) -> None:
    private, public = pair
    verifier = TokenVerifier(TokenSettings(public, ("ES256",)))
    assert verifier.claims(token({"user": "a"}, private, "ES256"))["user"] == "a"


def test_the_public_key_is_no_secret(pair: tuple[bytes, bytes]) -> None:
    """CVE-2016-10555: who knows the public key signs with it as if it were a secret."""
    verifier = TokenVerifier(TokenSettings(pair[1], ("ES256",)))
    with pytest.raises(TokenError):
        verifier.claims(by_hand({"alg": "HS256"}, {"user": "a"}, pair[1]))


@pytest.mark.parametrize("algorithms", [("ES256",), ("RS256",)])
def test_a_key_that_does_not_fit_is_told_at_once(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=algorithms[0]):
        TokenVerifier(TokenSettings(SECRET, algorithms))


def test_a_public_key_is_no_secret_in_the_conf_either(pair: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="HS256"):
        TokenVerifier(TokenSettings(pair[1]))


# ---------------------------------------------------------------- coming again


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def test_a_token_that_comes_again_expires_all_the_same() -> None:
    clock = Clock()
    verifier = TokenVerifier(TokenSettings(SECRET), wall=clock)
    made = token({"user": "a", "exp": clock.now + 30})
    other = token({"user": "b", "expires": clock.now + 30})
    for _ in range(3):
        assert verifier.claims(made)["user"] == "a"
        assert verifier.claims(other)["user"] == "b"
    clock.now += 31
    for each in (made, other):
        assert each not in verifier._kept
        assert all(clock.now >= until for until, _ in verifier._kept.values())
    with pytest.raises(TokenError, match="expired"):
        verifier.claims(other)


def test_what_is_kept_is_bounded() -> None:
    verifier = TokenVerifier(TokenSettings(SECRET))
    for number in range(1100):
        verifier.claims(token({"user": str(number)}))
    assert len(verifier._kept) <= 1024


def test_what_was_not_believed_is_not_kept(verifier: TokenVerifier) -> None:
    with pytest.raises(TokenError):
        verifier.claims(token({"user": "a"}, OTHER))
    assert not verifier._kept


# ---------------------------------------------------------------- roles


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (["user", "admin"], ("user", "admin")),
        ("user", ("user",)),
        ("user, admin staff", ("user", "admin", "staff")),
        ([1, None, "a", ["b"]], ("a",)),
        ("", ()),
        (None, ()),
        (5, ()),
        ({"a": 1}, ()),
        (["x"] * 1000, ("x",) * 256),
    ],
)
def test_roles(value: object, names: tuple[str, ...]) -> None:
    assert names_of(value) == names
