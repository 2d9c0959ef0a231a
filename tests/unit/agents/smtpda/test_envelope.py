from __future__ import annotations

import json
from dataclasses import replace

import pytest

from skitaid.agents.smtpda.envelope import Envelope, Route, Starttls, parse_server
from skitaid.agents.smtpda.errors import MailError, MalformedMailError

ENVELOPE = Envelope(
    "id-1",
    12.5,
    "a@example.com",
    ("b@example.com", "ü@example.com"),
    Route("mail.example.com", 587, "ann", "secret", starttls=Starttls.REQUIRED),
    is_utf8=True,
)


def test_it_is_read_as_it_was_written() -> None:
    assert Envelope.from_line(ENVELOPE.to_line()) == ENVELOPE
    plain = Envelope("id-2", 1.0, "", ("b@example.com",))
    assert Envelope.from_line(plain.to_line()) == plain


def forged(**fields: object) -> bytes:
    return json.dumps({**json.loads(ENVELOPE.to_line()), **fields}).encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b"\xff\n",
        b"[" * 100_000,
        forged(recipients=[]),
        forged(recipients=[""]),
        forged(recipients=["b@x>\r\nRCPT TO:<c@x"]),
        forged(recipients="b"),
        forged(sender="a b"),
        forged(sender=None),
        forged(created_s="then"),
        forged(route={}),
        forged(route=[]),
        forged(route={"host": "x y", "port": 25, "starttls": "no"}),
        forged(route={"host": "x", "starttls": "perhaps"}),
        forged(route={"host": "x", "port": "25", "starttls": "no"}),
        forged(route={"host": "x", "user": 1, "starttls": "no"}),
        forged(route={"host": "x", "ssl": [], "starttls": "no"}),
        forged(route={"host": "x", "ssl": 1, "starttls": "no"}),
        forged(route={"host": "x", "port": 65536, "starttls": "no"}),
        forged(route={"host": "x", "port": 0, "starttls": "no"}),
        forged(route={"host": "x", "port": True, "starttls": "no"}),
        forged(route={"host": "x", "user": "a", "password": "\ud800", "starttls": "no"}),
        forged(sender="\ud800@x.org"),
        forged(recipients=["b@x.org", "\udfff@x.org"]),
        forged(sender="a\x85@x.org"),
        forged(created_s=10**400),
        forged(created_s=1e300),
        forged(created_s=float("nan")),
        forged(created_s=-1.0),
    ],
)
def test_nothing_is_believed(line: bytes) -> None:
    with pytest.raises(MalformedMailError):
        Envelope.from_line(line)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:465", ("127.0.0.1", 465)),
        ("mail.example.com", ("mail.example.com", 25)),
        ("[::1]:26", ("::1", 26)),
    ],
)
def test_servers(text: str, found: tuple[str, int]) -> None:
    assert parse_server(text) == found


@pytest.mark.parametrize("text", ["", "a b", "mail:port", "mail:0", "mail:65536", "::1", "mail:25\r\n"])
def test_what_is_no_server(text: str) -> None:
    if text.endswith("\n"):
        text = "mail\r\n:25"
    with pytest.raises(MailError):
        parse_server(text)


def test_tls_is_required_unless_it_stays_on_this_machine() -> None:
    assert Route("mail.example.com").security is Starttls.REQUIRED
    assert {Route(host).security for host in ("127.0.0.1", "localhost", "::1")} == {Starttls.NEVER}
    assert Route("127.0.0.1.example.com").security is Starttls.REQUIRED
    assert Route("mail.example.com", starttls=Starttls.NEVER).security is Starttls.NEVER


def test_the_password_is_in_no_traceback() -> None:
    assert "secret" not in repr(ENVELOPE)


@pytest.mark.parametrize("address", ['"a b"@x.org', '"a, \\"b\\" "@x.org'])
def test_a_blank_in_quotes_ends_nothing(address: str) -> None:
    envelope = replace(ENVELOPE, recipients=(address,))
    assert Envelope.from_line(envelope.to_line()) == envelope


@pytest.mark.parametrize(
    "address",
    [
        '"a b"@x.org SIZE=1',
        '"a b" <c@x.org',
        '"a"b c"@x.org',
        '"a\\" b@x.org',
        '"a > b"@x.org',
        '"a\r\nb"@x.org',
        '"a b',
        "a b@x.org",
        '"a\\\nb"@x.org',
    ],
)
def test_a_blank_that_would_end_the_command(address: str) -> None:
    with pytest.raises(MalformedMailError):
        Envelope.from_line(replace(ENVELOPE, recipients=(address,)).to_line())
