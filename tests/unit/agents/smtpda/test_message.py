from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from skitaid.agents.smtpda.envelope import Envelope, Route, Starttls
from skitaid.agents.smtpda.errors import MailError, SpoolError
from skitaid.agents.smtpda.message import Email
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.spool import Spool
from skitaid.agents.smtpda.wire import inspect


def mail(**fields: object) -> Email:
    found = Email("Hello", "shop@example.com", "Ann <ann@example.com>")
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def composed(email: Email) -> tuple[Envelope, EmailMessage]:
    envelope, data = email.compose("id-1")
    assert inspect([data]).fault == ""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return envelope, message


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


def test_as_the_documents_show_it(tmp_path: Path) -> None:
    (tmp_path / "001.png").write_bytes(b"\x89PNG")
    email = Email("Hello", "shop@example.com", "ann@example.com")
    email.set_smtp("127.0.0.1:465", "username", "password", ssl=True)
    email.add_content("Hello World<div><img src='cid:ID_A'></div>", "text/html")
    email.add_attachment(str(tmp_path / "001.png"), cid="ID_A")
    envelope, message = composed(email)
    assert envelope.route == Route("127.0.0.1", 465, "username", "password", ssl=True)
    image = next(part for part in message.walk() if part.get_content_type() == "image/png")
    assert image["Content-ID"] == "<ID_A>" and image.get_content() == b"\x89PNG"
    assert message.get_content_type() == "multipart/related"


def test_recipients() -> None:
    email = mail(recipients=["a@x.org", ("Bö", "b@x.org")], cc="c@x.org", bcc="d@x.org, a@x.org", reply_to="r@x.org")
    envelope, message = composed(email)
    assert envelope.recipients == ("a@x.org", "b@x.org", "c@x.org", "d@x.org")
    assert (message["To"], message["Cc"], message["Reply-To"]) == ("a@x.org, Bö <b@x.org>", "c@x.org", "r@x.org")
    assert "d@x.org" not in str(message)
    assert message["Message-ID"].startswith("<id-1@") and message["Date"] and message["From"] == "shop@example.com"


def test_text_and_html_are_alternatives_and_files_come_behind() -> None:
    email = mail(subject="Grüße, " * 30)
    email.add_text("Grüß\n.\nGott")
    email.add_text("<b>Grüß</b>", "text/html; charset=utf-8")
    email.add_attachment(b"a,b", name="täb.csv")
    email.add_attachment(b"From: x\n\nx", name="old.eml")
    _, message = composed(email)
    assert message.get_content_type() == "multipart/mixed"
    assert text_of(message, "plain") == "Grüß\n.\nGott\n"
    assert text_of(message, "html") == "<b>Grüß</b>\n"
    files = list(message.iter_attachments())
    assert [file.get_filename() for file in files] == ["täb.csv", "old.eml"]
    assert [file.get_payload(decode=True) for file in files] == [b"a,b", b"From: x\n\nx"]
    assert message["Subject"].strip() == ("Grüße, " * 30).strip()


@pytest.mark.parametrize(
    "text", ["a\rb", "a\n.\r\nRCPT TO:<x@y>\r\n", "x" * 5000, "\n.\n", "ü" * 2000, "", "a\x0bb\x0c"]
)
def test_any_text_becomes_lines_that_can_be_sent(text: str) -> None:
    email = mail()
    email.add_text(text)
    envelope, data = email.compose("id-1")
    traits = inspect([data])
    assert traits.fault == "" and not traits.is_8bit and not envelope.is_utf8


def test_international_domains_are_written_in_ascii() -> None:
    envelope, message = composed(mail(recipients="Jörg <j@exämple.com>"))
    assert envelope.recipients == ("j@xn--exmple-cua.com",) and not envelope.is_utf8
    assert str(message["To"]) == "Jörg <j@xn--exmple-cua.com>"


def test_international_addresses_need_smtputf8() -> None:
    envelope, data = mail(recipients="jörg@exämple.com").compose("id-1")
    assert envelope.is_utf8 and envelope.recipients == ("jörg@xn--exmple-cua.com",)
    assert "To: jörg@xn--exmple-cua.com\r\n".encode() in data


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "Hello\r\nBcc: x@y.org"},
        {"subject": "Hello\nBcc: x@y.org"},
        {"subject": "a\x00b"},
        {"subject": "a\u2028b"},
        {"sender": "a@x.org\r\nBcc: b@x.org"},
        {"sender": ("a\nb", "a@x.org")},
        {"sender": ""},
        {"sender": "a@x.org, b@x.org"},
        {"recipients": ""},
        {"recipients": "nobody"},
        {"reply_to": "a@x.org\nX: y"},
        {"subject": "\ud800"},
    ],
)
def test_refused(fields: dict[str, object]) -> None:
    with pytest.raises(MailError):
        mail(**fields).compose("id-1")


def test_headers_that_are_added() -> None:
    email = mail()
    email.add_header("X-Order", "7ü")
    email.add_header("Message-ID", "<own@example.com>")
    _, message = composed(email)
    assert message["X-Order"] == "7ü" and message.get_all("Message-ID") == ["<own@example.com>"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A\r\nBcc", "x"),
        ("X-A", "x\r\nBcc: y"),
        ("X-A", "x\ny"),
        ("X A", "x"),
        ("", "x"),
        ("X:", "x"),
        ("Bcc", "x@y.org"),
        ("Content-Type", "text/html"),
        ("Subject", "x"),
    ],
)
def test_headers_that_are_refused(name: str, value: str) -> None:
    with pytest.raises(MailError):
        mail().add_header(name, value)


FORGED = "=?utf-8?b?YQ0KQmNjOiB4QHkub3JnDQoNCmJvZHk=?="
"""An encoded word: "a", a line end, "Bcc: x@y.org", an empty line, "body"."""


def test_an_encoded_word_forges_nothing() -> None:
    email = mail(subject=FORGED, sender=(FORGED, "a@x.org"), recipients=[(FORGED, "b@x.org")])
    email.reply_to = f"{FORGED} <r@x.org>"
    email.add_header("X-Order", FORGED)
    email.add_header("References", FORGED)
    email.add_attachment(b"x", name=f"{FORGED}.txt")
    email.add_attachment(b"x", name=f"ü{FORGED}.txt", cid=FORGED)
    _, data = email.compose("id-1")
    assert not [line for line in data.split(b"\r\n") if line.lower().startswith((b"bcc", b"body"))]
    _, message = composed(email)
    assert sorted(message.keys()) == [
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "References",
        "Reply-To",
        "Subject",
        "To",
        "X-Order",
    ]


def test_a_long_url_stays_one() -> None:
    email = mail()
    email.add_header("List-Unsubscribe", f"<https://example.com/{'x' * 300}>")
    assert b"List-Unsubscribe: <https://example.com/" + b"x" * 300 + b">\r\n" in email.compose("id-1")[1]


def test_a_field_that_may_be_there_once() -> None:
    email = mail()
    email.add_header("Date", "Fri, 20 Nov 2026 17:19:53 +0000")
    with pytest.raises(MailError, match="once"):
        email.add_header("date", "Fri, 20 Nov 2026 17:19:54 +0000")


def test_attachments_that_are_refused(tmp_path: Path) -> None:
    for file, options in (
        (tmp_path / "none", {}),
        (b"x", {"cid": "a> b"}),
        (b"x", {"cid": "ü"}),
        (b"x", {"name": "a\r\nb"}),
        (b"x", {"content_type": "image"}),
        (b"x", {"content_type": "a/b\r\nX: y"}),
    ):
        with pytest.raises(MailError):
            mail().add_attachment(file, **options)  # type: ignore[arg-type]
    with pytest.raises(MailError):
        mail().add_text("x", "application/pdf")


def test_starttls_as_asked_for() -> None:
    email = mail()
    for asked, meant in ((None, Starttls.DEFAULT), (True, Starttls.REQUIRED), (False, Starttls.NEVER)):
        email.set_smtp("mail.example.com:587", starttls=asked)
        route = email.compose("id-1")[0].route
        assert route is not None and route.starttls is meant


def test_sent(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.prepare()
    email = mail()
    ids = [email.send(Spool(tmp_path)) for _ in range(2)]
    assert queue.take_in() == ids
    found = queue.read(ids[0])
    assert found.envelope.recipients == ("ann@example.com",)
    assert b"Subject: Hello\r\n" in b"".join(found.read())


def test_without_a_spool_the_app_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match=r"\[smtpda\]"):
        mail().send(Spool(tmp_path))
