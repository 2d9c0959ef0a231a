from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from skitaid.agents.smtpda.bounce import Bounce, bounce_id, header_of, status_code
from skitaid.agents.smtpda.envelope import Envelope, Route
from skitaid.agents.smtpda.retry import Outcome, Status
from skitaid.agents.smtpda.wire import inspect

MESSAGE = b"Subject: Hello\r\nFrom: a@example.com\r\n\r\nsecret body\r\n"
MAIL = Envelope("id-1", 0.0, "a@example.com", ("b@example.com", "c@example.com"), Route("mail"))


def bounce(text: str, mail: Envelope = MAIL) -> Bounce:
    return Bounce(mail, {"b@example.com": Outcome(Status.FAILED, text, 3)}, 3, "host.example", 1_000_000_000.0)


def parsed(data: bytes) -> EmailMessage:
    found = message_from_bytes(data, policy=policy.default)
    assert isinstance(found, EmailMessage) and not list(found.defects)
    return found


def test_it_goes_to_the_sender_from_nobody_by_the_same_server() -> None:
    envelope = bounce("550 no").to_envelope()
    assert (envelope.sender, envelope.recipients, envelope.route) == ("", ("a@example.com",), Route("mail"))
    assert envelope.id == bounce_id("id-1", 3)


def test_it_says_who_did_not_get_it_and_why() -> None:
    message = parsed(bounce("550 5.1.1 no such user").to_message([MESSAGE]))
    assert message.get_content_type() == "multipart/report"
    text, status, returned = message.iter_parts()
    assert "<b@example.com>:" in text.get_content() and "550 5.1.1 no such user" in text.get_content()
    about_us, about_b = status.iter_parts()
    assert about_us["Reporting-MTA"] == "dns; host.example"
    assert (about_b["Final-Recipient"], about_b["Action"], about_b["Status"]) == (
        "rfc822; b@example.com",
        "failed",
        "5.1.1",
    )
    assert returned.get_content_type() == "text/rfc822-headers"
    assert "Subject: Hello" in returned.get_content() and "secret body" not in returned.get_content()


@pytest.mark.parametrize("text", ["550 " + "y" * 500, "550 tschüß \x07\r\nBcc: x", "550 \u2028", ""])
def test_whatever_the_server_said_it_can_be_sent(text: str) -> None:
    traits = inspect([bounce(text).to_message([MESSAGE.replace(b"Hello", b"\xe9")])])
    assert traits.fault == "" and not traits.is_8bit


def test_an_international_one() -> None:
    mail = Envelope("id-1", 0.0, "ü@example.com", ("b@example.com",), is_utf8=True)
    data = bounce("550 nein, Änne", mail).to_message(["Subject: ü\r\n\r\nx\r\n".encode()])
    assert bounce("", mail).to_envelope().is_utf8
    assert inspect([data]).fault == "" and "Änne".encode() in data and "Subject: ü".encode() in data


def test_headers_only_and_not_without_end() -> None:
    assert header_of([b"A: b\r\n", b"\r\nbody"]) == b"A: b\r\n"
    assert header_of([b"A: b\r\n"]) == b"A: b\r\n"
    assert header_of([b"\r\nbody\r\n\r\nmore\r\n"]) == b"\r\n"
    assert len(header_of([b"A: bcdefgh\r\n" * 10_000])) <= 32 * 1024 + 2


@pytest.mark.parametrize(
    "message",
    [
        b"A: b\nC: d\n\nbody",
        b"A: b\r\r\nC\0: d\r\n\r\n",
        b"x" * 2000 + b"\r\n\r\n",
        b"",
    ],
)
def test_a_mail_that_cannot_be_sent_has_a_bounce_that_can(message: bytes) -> None:
    assert inspect([bounce("554 no").to_message([message])]).fault == ""


def test_status_codes() -> None:
    assert status_code("452 4.2.2 full") == "4.2.2"
    assert status_code("550 no") == "5.0.0"
