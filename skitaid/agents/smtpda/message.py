"""`was.email`: compose a mail and queue it.

    mail = was.email("Hello", "shop@example.com", "Ann <ann@example.com>")
    mail.add_text("See you<img src='cid:logo'>", "text/html")
    mail.add_attachment("logo.png", cid="logo")
    mail_id = mail.send()

What an app gives may come from its users, so nothing of it is read as mail: fields and parts are only written, by
`fields` and `mime`, without the email package.
"""

from __future__ import annotations

import mimetypes
import re
import time
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from skitaid.agents.smtpda.addresses import Mailbox, must_print, parse_mailboxes
from skitaid.agents.smtpda.dates import format_date
from skitaid.agents.smtpda.envelope import Envelope, Route, Starttls, parse_server
from skitaid.agents.smtpda.errors import MailError
from skitaid.agents.smtpda.fields import address_field, field, subject_field
from skitaid.agents.smtpda.host import host_name
from skitaid.agents.smtpda.mime import Part, data_part, multipart, text_part
from skitaid.agents.smtpda.spool import Spool, find_spool, new_id

__all__ = ["Email"]

_FIELD_NAME = re.compile(r"[!-9;-~]{1,70}", re.ASCII)
_OURS = frozenset({"from", "to", "cc", "bcc", "reply-to", "subject", "mime-version"})
_ONCE = frozenset({"date", "message-id", "in-reply-to", "references", "sender"})
"""RFC 5322, section 3.6."""
_CID = re.compile(r"[!-;=?-~]{1,200}", re.ASCII)
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    content_type: str
    name: str | None
    cid: str | None


class Email:
    """One mail. Addresses are text (`a@x`, `Name <a@x>`, several with commas), (name, address), or lists of such.

    Every method raises MailError for what cannot be sent: no address, a line end in a header, a file that is missing.
    """

    def __init__(
        self, subject: str = "", sender: object = (), recipients: object = (), *, cc: object = (), bcc: object = ()
    ) -> None:
        self.subject = subject
        self.sender = sender
        self.recipients = recipients
        self.cc = cc
        self.bcc = bcc
        self.reply_to: object = ()
        self._headers: list[tuple[str, str]] = []
        self._texts: dict[str, list[str]] = {}
        self._files: list[_File] = []
        self._route: Route | None = None

    def set_smtp(
        self,
        server: str,
        user: str | None = None,
        password: str | None = None,
        ssl: bool = False,
        *,
        starttls: bool | None = None,
    ) -> None:
        """Deliver this mail through that server (`host:port`) instead of the one of skitaid.conf. `ssl`: TLS from the
        first byte (port 465). `starttls`: True, TLS or nothing; False, in the clear; None, in the clear to this machine
        only. The password goes into the mail's file, which nobody else can read."""
        host, port = parse_server(server)
        security = {None: Starttls.DEFAULT, True: Starttls.REQUIRED, False: Starttls.NEVER}[starttls]
        self._route = Route(host, port, user or None, password or None, bool(ssl), security)

    def add_header(self, name: str, value: object) -> None:
        """A field that the mail has no attribute for. Raises MailError for one that it has, that is ours to write, or
        that may be there once."""
        lowered = name.lower()
        if not _FIELD_NAME.fullmatch(name) or lowered in _OURS or lowered.startswith("content-"):
            raise MailError(f"{name!r} cannot be added as a header" + _advice(lowered))
        if lowered in _ONCE and any(lowered == there.lower() for there, _ in self._headers):
            raise MailError(f"{name} is there already, and may be there once")
        self._headers.append((name, must_print(str(value), f"the header {name}")))

    def add_text(self, text: str, content_type: str = "text/plain") -> None:
        """Text or HTML. With both, the reader's program shows what it prefers; a second of one kind follows the
        first. Raises MailError for anything but text/plain and text/html."""
        kind = content_type.partition(";")[0].strip().lower()
        if kind not in ("text/plain", "text/html"):
            raise MailError(f"{content_type!r}: expected text/plain or text/html; anything else is an attachment")
        self._texts.setdefault(kind, []).append(text)

    add_content = add_text

    def add_attachment(
        self,
        file: str | PathLike[str] | bytes,
        cid: str | None = None,
        *,
        name: str | None = None,
        content_type: str | None = None,
    ) -> None:
        """A file by its path, or its bytes. `cid`: it belongs to the HTML, which shows it by `cid:…`. It is read now.
        Raises MailError when it cannot be, or `cid` or `content_type` is malformed."""
        if cid is not None and not _CID.fullmatch(cid):
            raise MailError(f"cid {cid!r}: expected up to 200 letters, digits and signs of ASCII, but < and >")
        data, own_name = (file, None) if isinstance(file, bytes) else _load(Path(fspath(file)))
        name = name or own_name
        kind = content_type or (mimetypes.guess_type(name)[0] if name else None) or "application/octet-stream"
        if not _TYPE.fullmatch(kind.lower()):
            raise MailError(f"content type {content_type!r}: expected something like image/png")
        if kind.startswith(("message/", "multipart/")):  # these may not be encoded (RFC 2046, section 5.2.1)
            kind = "application/octet-stream"
        self._files.append(_File(data, kind.lower(), must_print(name, "a file's name") if name else None, cid))

    def send(self, spool: Spool | None = None) -> str:
        """Queue it: the id. From the return on it survives any crash. `spool`: the daemon's, when not said. Raises
        MailError; SpoolError, an OSError: it was not queued."""
        mail_id = new_id()
        envelope, message = self.compose(mail_id)
        return (spool or find_spool()).put(envelope, message)

    def compose(self, mail_id: str) -> tuple[Envelope, bytes]:
        """What is queued. Raises MailError."""
        sender = parse_mailboxes(self.sender)
        visible = {"To": parse_mailboxes(self.recipients), "Cc": parse_mailboxes(self.cc)}
        everybody = (*visible["To"], *visible["Cc"], *parse_mailboxes(self.bcc))
        if len(sender) != 1 or not everybody:
            raise MailError("a mail has one sender and at least one recipient")
        addresses = {"From": sender, **visible, "Reply-To": parse_mailboxes(self.reply_to)}
        is_utf8 = not all(box.local.isascii() for boxes in (*addresses.values(), everybody) for box in boxes)
        recipients = tuple(dict.fromkeys(box.address for box in everybody))
        envelope = Envelope(mail_id, time.time(), sender[0].address, recipients, self._route, is_utf8)
        try:
            header = "".join(self._fields(mail_id, addresses)).encode()
            return envelope, header + self._body().to_bytes()
        except ValueError as error:  # UnicodeError: a text with half a character
            raise MailError(f"the mail cannot be composed: {error}") from error

    def _fields(self, mail_id: str, addresses: dict[str, tuple[Mailbox, ...]]) -> list[str]:
        found = [
            address_field(name, [(box.name, box.address) for box in boxes])
            for name, boxes in addresses.items()
            if boxes
        ]
        found.append(subject_field("Subject", must_print(str(self.subject), "the subject")))
        found += [field(name, value) for name, value in self._headers]
        given = {name.lower() for name, _ in self._headers}
        if "date" not in given:
            now = time.time()
            found.append(field("Date", format_date(now, time.localtime(now).tm_gmtoff)))
        if "message-id" not in given:
            found.append(field("Message-ID", f"<{mail_id}@{host_name()}>"))
        return [*found, "MIME-Version: 1.0\r\n"]

    def _body(self) -> Part:
        """mixed(alternative(plain, related(html, what it shows)), files), without what is not there."""
        plain, html = ("\n".join(self._texts.get(kind, ())) for kind in ("text/plain", "text/html"))
        texts = [text_part("plain", plain)] if plain or not html else []
        if html:
            texts.append(text_part("html", html))
        shown = [_part(file, "inline") for file in self._files if file.cid]
        texts[-1] = multipart("related", [texts[-1], *shown])
        files = [_part(file, "attachment") for file in self._files if not file.cid]
        return multipart("mixed", [multipart("alternative", texts), *files])


def _part(file: _File, disposition: str) -> Part:
    return data_part(file.content_type, file.data, disposition, name=file.name, cid=file.cid)


def _load(path: Path) -> tuple[bytes, str]:
    try:
        return path.read_bytes(), path.name
    except OSError as error:
        raise MailError(f"the attachment {path} cannot be read: {error.strerror}") from error


def _advice(name: str) -> str:
    return f": set {name.replace('-', '_')} instead" if name in _OURS - {"mime-version"} else ""
