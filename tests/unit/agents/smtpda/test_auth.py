from __future__ import annotations

import pytest

from skitaid.agents.smtpda.auth import Login, choose
from skitaid.agents.smtpda.errors import DeliveryError

ALL = frozenset({"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"})


def test_the_password_is_not_shown_to_who_can_read_along() -> None:
    assert choose(ALL, is_private=True) == ("PLAIN", "LOGIN", "CRAM-MD5")
    assert choose(ALL, is_private=False) == ("CRAM-MD5", "PLAIN", "LOGIN")
    assert choose(frozenset({"LOGIN"}), is_private=False) == ("LOGIN",)


def test_a_server_that_knows_none_of_ours() -> None:
    with pytest.raises(DeliveryError, match="GSSAPI"):
        choose(frozenset({"GSSAPI"}), is_private=True)


def test_plain() -> None:
    assert Login("PLAIN", "tim", "tanstaaftanstaaf").command == "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm"


def test_login() -> None:
    login = Login("LOGIN", "ann", "secret")
    assert [login.command, login.answer("VXNlcm5hbWU6"), login.answer("UGFzc3dvcmQ6")] == [
        "AUTH LOGIN",
        "YW5u",
        "c2VjcmV0",
    ]
    with pytest.raises(DeliveryError):
        login.answer("more")


def test_cram_md5_as_rfc_2195_has_it() -> None:
    login = Login("CRAM-MD5", "tim", "tanstaaftanstaaf")
    assert (
        login.answer("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+")
        == "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"
    )


@pytest.mark.parametrize("challenge", ["a", "ünd", "\ufffd"])
def test_a_challenge_that_is_no_base64(challenge: str) -> None:
    with pytest.raises(DeliveryError, match="base64"):
        Login("CRAM-MD5", "a", "b").answer(challenge)


@pytest.mark.parametrize("said", ["535 no: AUTH PLAIN AGFubgBzZXNhbQ==", "535 c2VzYW0= is wrong", "535 not sesam"])
def test_a_server_that_repeats_the_password(said: str) -> None:
    hidden = Login("PLAIN", "ann", "sesam").hidden(said)
    assert hidden.startswith("535") and "***" in hidden
    assert not any(secret in hidden for secret in ("AGFubgBzZXNhbQ==", "c2VzYW0=", "sesam"))
    assert Login("PLAIN", "ann", "no").hidden("535 no") == "535 no"


def test_the_password_is_in_no_traceback() -> None:
    assert "secret" not in repr(Login("PLAIN", "ann", "secret"))
