from __future__ import annotations

import pytest

from skitaid.was.messages.authorization import Login, Verbatim
from skitaid.was.messages.digest import Protected
from skitaid.was.messages.keychain import Keychain

HTTP = ("http", "h", "80")
HTTPS = ("https", "h", "443")
ALIAS = ("@", "api")
LOGIN = Login("me", "secret")
GET = Protected("GET", "/")
DIGEST = 'Digest realm="r", nonce="n1", qop="auth"'


@pytest.fixture
def keychain() -> Keychain:
    return Keychain()


def test_what_needs_no_question(keychain: Keychain) -> None:
    assert keychain.authorize(HTTP, None, GET) is None
    assert keychain.authorize(HTTP, Verbatim(b"Bearer x"), GET) == b"Bearer x"


def test_a_password_goes_first_over_tls_alone(keychain: Keychain) -> None:
    assert keychain.authorize(HTTPS, LOGIN, GET) == b"Basic bWU6c2VjcmV0"
    assert keychain.authorize(HTTP, LOGIN, GET) is None
    assert keychain.authorize(ALIAS, LOGIN, GET) is None


def test_basic_is_remembered_for_that_place_and_user(keychain: Keychain) -> None:
    assert keychain.learn(HTTP, LOGIN, 'Basic realm="x"', sent=None)
    assert keychain.authorize(HTTP, LOGIN, GET) == b"Basic bWU6c2VjcmV0"
    assert keychain.authorize(HTTP, Login("you", "secret"), GET) is None
    assert keychain.authorize(("http", "h", "81"), LOGIN, GET) is None


def test_digest_is_preferred_and_its_nonce_reused(keychain: Keychain) -> None:
    assert keychain.learn(HTTP, LOGIN, f'Basic realm="x", {DIGEST}', sent=None)
    values = [keychain.authorize(HTTP, LOGIN, GET) for _ in range(2)]
    assert [value is not None and value.startswith(b"Digest ") for value in values] == [True, True]
    assert b"nc=00000002" in (values[1] or b"")


def test_digest_after_basic_was_refused(keychain: Keychain) -> None:
    assert keychain.learn(HTTPS, LOGIN, DIGEST, sent=b"Basic x")


@pytest.mark.parametrize(
    ("challenge", "sent", "again"),
    [
        (DIGEST, b"Digest x", False),
        (DIGEST + ", stale=true", b"Digest x", True),
        (DIGEST + ', stale="TRUE"', b"Digest x", True),
        ("Basic realm=x", b"Basic x", False),
        ("Basic realm=x", b"Digest x", True),
        ("Bearer realm=x", None, False),
        ("", None, False),
        ('Digest realm="r", nonce="n", qop="auth-int"', None, True),
    ],
)
def test_whether_to_ask_again(keychain: Keychain, challenge: str, sent: bytes | None, again: bool) -> None:
    assert keychain.learn(HTTP, LOGIN, challenge, sent=sent) is again


def test_a_streamed_body_cannot_be_hashed(keychain: Keychain) -> None:
    challenge = 'Digest realm="r", nonce="n", qop="auth-int"'
    assert not keychain.learn(HTTP, LOGIN, challenge, sent=None, has_body=False)


def test_a_stale_nonce_is_replaced(keychain: Keychain) -> None:
    keychain.learn(HTTP, LOGIN, DIGEST, sent=None)
    keychain.learn(HTTP, LOGIN, 'Digest realm="r", nonce="n2", qop="auth", stale=true', sent=b"Digest x")
    assert b'nonce="n2"' in (keychain.authorize(HTTP, LOGIN, GET) or b"")


def test_it_is_bounded(keychain: Keychain) -> None:
    for number in range(1100):
        keychain.learn(("http", f"h{number}", "80"), LOGIN, "Basic realm=x", sent=None)
    assert keychain.authorize(("http", "h0", "80"), LOGIN, GET) is None
    assert keychain.authorize(("http", "h1099", "80"), LOGIN, GET) is not None
