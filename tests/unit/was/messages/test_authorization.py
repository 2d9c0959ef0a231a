from __future__ import annotations

import hashlib

import pytest

from skitaid.was.messages.authorization import Challenge, Login, Verbatim, basic, parse_challenges, read_auth
from skitaid.was.messages.digest import DigestSession, Protected, choose_digest
from skitaid.was.messages.errors import CallError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("", None),
        (("me", "secret"), Login("me", "secret")),
        (["me", "secret"], Login("me", "secret")),
        ("abc.def", Verbatim(b"Bearer abc.def")),
        ("Bearer abc", Verbatim(b"Bearer abc")),
        ("Basic bWU6cw==", Verbatim(b"Basic bWU6cw==")),
    ],
)
def test_forms(given: object, expected: object) -> None:
    assert read_auth(given) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [("me",), ("a", "b", "c"), (1, 2), "Bearer a\r\nX: y", "tokén"])
def test_what_is_none_is_refused(given: object) -> None:
    with pytest.raises(CallError, match="auth"):
        read_auth(given)  # type: ignore[arg-type]


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(Login("me", "secret")) + repr(Verbatim(b"Bearer secret"))


def test_basic() -> None:
    # RFC 7617 section 2
    assert basic(Login("Aladdin", "open sesame")) == b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert basic(Login("test", "123£")) == b"Basic dGVzdDoxMjPCow=="
    with pytest.raises(CallError):
        basic(Login("a:b", "c"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Basic realm="a"', [Challenge("basic", {"realm": "a"})]),
        ("Negotiate", [Challenge("negotiate", {})]),
        ("Negotiate YWJj==, Basic realm=x", [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        (
            'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"',
            [
                Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
                Challenge("basic", {"realm": "simple"}),
            ],
        ),
        ('Digest realm="a, b",nonce = "c" , qop="auth,auth-int"',
         [Challenge("digest", {"realm": "a, b", "nonce": "c", "qop": "auth,auth-int"})]),
        ("", []),
        (",,", []),
        ('"x"', []),
    ],
)  # fmt: skip
def test_challenges(text: str, expected: list[Challenge]) -> None:
    assert parse_challenges(text) == expected


def test_a_hostile_challenge_ends() -> None:
    assert parse_challenges("a " * 100_000)
    assert len(parse_challenges('Digest realm="' + "\\" * 100_000)) <= 2


def digest(**parameters: str) -> Challenge:
    return Challenge("digest", {"realm": "r", "nonce": "n", **parameters})


# RFC 7616 section 3.9.1
MUFASA = Login("Mufasa", "Circle of Life")
EXAMPLE = {"realm": "http-auth@example.org", "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
           "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", "qop": "auth, auth-int"}  # fmt: skip
CLIENT_NONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_rfcs_example(algorithm: str, response: str) -> None:
    challenge = choose_digest([digest(algorithm=algorithm, **EXAMPLE)])
    assert challenge is not None
    value = DigestSession(challenge, CLIENT_NONCE).authorize(MUFASA, Protected("GET", "/dir/index.html")).decode()
    assert f'response="{response}"' in value
    assert value.startswith('Digest username="Mufasa", realm="http-auth@example.org", nonce="7ypf/')
    assert f"algorithm={algorithm}" in value and "qop=auth, nc=00000001" in value
    assert f'opaque="{EXAMPLE["opaque"]}"' in value


def test_the_rfcs_example_with_a_hashed_user() -> None:
    # section 3.9.2
    challenge = choose_digest([
        digest(realm="api@example.org", qop="auth", algorithm="SHA-512-256", userhash="true",
               nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
               opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS")
    ])  # fmt: skip
    if challenge is None:
        pytest.skip("hashlib has no SHA-512/256 here")
    session = DigestSession(challenge, "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm")
    value = session.authorize(Login("Jäsøn Doe", "Secret, or not?"), Protected("GET", "/doe.json")).decode()
    assert 'username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"' in value
    assert "userhash=true" in value


def test_a_nonce_counts() -> None:
    challenge = choose_digest([digest(qop="auth")])
    assert challenge is not None
    session = DigestSession(challenge)
    values = [session.authorize(MUFASA, Protected("GET", "/")).decode() for _ in range(3)]
    assert [f"nc=0000000{n}" in value for n, value in enumerate(values, 1)] == [True] * 3
    assert len(set(values)) == 3


def test_without_quality_as_before() -> None:
    challenge = choose_digest([digest()])
    assert challenge is not None
    value = DigestSession(challenge, "c").authorize(Login("u", "p"), Protected("GET", "/x")).decode()
    expected = hashlib.md5(
        f"{hashlib.md5(b'u:r:p').hexdigest()}:n:{hashlib.md5(b'GET:/x').hexdigest()}".encode()
    ).hexdigest()
    assert f'response="{expected}"' in value
    assert "nc=" not in value and "algorithm" not in value


def test_the_body_is_protected_where_that_is_wanted() -> None:
    offered = digest(qop="auth-int")
    assert choose_digest([offered], has_body=False) is None
    challenge = choose_digest([offered])
    assert challenge is not None
    values = {DigestSession(challenge, "c").authorize(MUFASA, Protected("POST", "/", body)) for body in (b"1", b"2")}
    assert len(values) == 2


@pytest.mark.parametrize(
    ("offered", "algorithm"),
    [
        ([digest(algorithm="MD5"), digest(algorithm="SHA-256")], "SHA-256"),
        ([digest(algorithm="SHA-256-sess"), digest(algorithm="MD5-sess")], "SHA-256-sess"),
        ([digest(algorithm="ROT13"), digest()], ""),
        ([Challenge("basic", {"realm": "r"}), digest(algorithm="md5")], "md5"),
    ],
)
def test_the_strongest_is_chosen(offered: list[Challenge], algorithm: str) -> None:
    challenge = choose_digest(offered)
    assert challenge is not None and challenge.algorithm == algorithm


@pytest.mark.parametrize(
    "offered", [[], [Challenge("basic", {})], [Challenge("digest", {"realm": "r"})], [digest(qop="other")],
                [digest(algorithm="ROT13")]],
)  # fmt: skip
def test_what_cannot_be_answered(offered: list[Challenge]) -> None:
    assert choose_digest(offered) is None
