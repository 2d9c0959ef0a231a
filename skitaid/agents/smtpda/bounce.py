"""The mail that tells a sender what could not be delivered (RFC 3464, RFC 6522). Pure: text in, bytes out.

Made without the email package: the agent is resident, and a bounce has a fixed form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skitaid.agents.smtpda.dates import format_date
from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.retry import Outcome
from skitaid.agents.smtpda.wire import LINE_MAX

__all__ = ["Bounce", "bounce_id"]

HEADER_MAX_BYTES = 32 * 1024
_ENHANCED = re.compile(r"\b[245]\d\d[ -]([245]\.\d{1,3}\.\d{1,3})\b")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_CODE = re.compile(r"\b[45]\d\d\b")


def bounce_id(mail_id: str, attempt: int) -> str:
    """The same for the same failure: an agent that died in the middle finds the bounce it had written."""
    return f"{mail_id}-b{attempt}"


@dataclass(frozen=True, slots=True)
class Bounce:
    """The mail that tells the sender of `envelope` that it did not reach those of `failures`; `attempt` is the last
    one. `host`: our name. `message`: the first pieces of the mail, of which the header goes back."""

    envelope: Envelope
    failures: Mapping[str, Outcome]
    attempt: int
    host: str
    now: float

    @property
    def is_utf8(self) -> bool:
        """Only if its recipient is international: a mail that came back for want of SMTPUTF8 must find its way."""
        return not self.envelope.sender.isascii()

    def to_envelope(self) -> Envelope:
        """From nobody, so that it is never answered by another bounce (RFC 5321, section 4.5.5)."""
        mail = self.envelope
        return Envelope(bounce_id(mail.id, self.attempt), self.now, "", (mail.sender,), mail.route, self.is_utf8)

    def to_message(self, message: Iterable[bytes]) -> bytes:
        """The bounce as it is sent. `message`: the mail that could not be delivered, from its beginning, in pieces."""
        boundary = f"=_{self.envelope.id}"
        returned = header_of(message)
        kind = "message/global-headers" if self.is_utf8 else "text/rfc822-headers"
        if not self.is_utf8:
            returned = bytes(octet if octet < 128 else ord("?") for octet in returned)
        lines = [
            *self._header(boundary),
            *_part(boundary, "text/plain; charset=utf-8", self._text()),
            *_part(boundary, "message/delivery-status", self._status()),
            *_part(boundary, kind, ()),
        ]
        return self._joined(lines) + returned + f"\r\n--{boundary}--\r\n".encode()

    def _joined(self, lines: Iterable[str]) -> bytes:
        """What a server said may hold anything: what is too long for a line is left out."""
        return "".join(f"{''.join(map(self._fit, line))[: LINE_MAX // 4]}\r\n" for line in lines).encode()

    def _fit(self, c: str) -> str:
        """A character; in a bounce that may hold ASCII only, the way RFC 6533 (section 3) writes it."""
        if not c.isprintable():
            return "?"
        return c if c.isascii() or self.is_utf8 else f"\\x{{{ord(c):X}}}"

    def _header(self, boundary: str) -> list[str]:
        return [
            f"From: Mail Delivery System <MAILER-DAEMON@{self.host}>",
            f"To: <{self.envelope.sender}>",
            "Subject: Undelivered mail returned to sender",
            f"Date: {format_date(self.now)}",
            f"Message-ID: <{bounce_id(self.envelope.id, self.attempt)}@{self.host}>",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
            "",
        ]

    def _text(self) -> list[str]:
        lines = [
            f"This is the mail system at host {self.host}.",
            "",
            "Your mail could not be delivered to the following, and will not be tried again:",
            "",
        ]
        for recipient, outcome in self.failures.items():
            lines += [f"<{recipient}>:", f"    {outcome.text}"]
        return [*lines, "", f"It was queued under the id {self.envelope.id}."]

    def _status(self) -> list[str]:
        lines = [f"Reporting-MTA: dns; {self.host}", f"Arrival-Date: {format_date(self.envelope.created_s)}"]
        for recipient, outcome in self.failures.items():
            kind = "rfc822" if recipient.isascii() else "utf-8"
            lines += [
                "",
                f"Final-Recipient: {kind}; {recipient}",
                "Action: failed",
                f"Status: {status_code(outcome.text)}",
            ]
            if _CODE.search(outcome.text):
                lines.append(f"Diagnostic-Code: smtp; {outcome.text}")
        return lines


def status_code(text: str) -> str:
    """RFC 3463's, as the server said it; else 5.0.0."""
    found = _ENHANCED.search(text)
    return found[1] if found else "5.0.0"


def header_of(message: Iterable[bytes]) -> bytes:
    """The header section, up to 32 KB of it, with its last CRLF."""
    data = b""
    for piece in message:
        data += piece
        if b"\r\n\r\n" in b"\r\n" + data or len(data) > HEADER_MAX_BYTES:
            break
    header, _, _ = (b"\r\n" + data).partition(b"\r\n\r\n")
    if len(header) > HEADER_MAX_BYTES:
        header = header[:HEADER_MAX_BYTES].rpartition(b"\r\n")[0]
    # What was wrong with the mail must not be wrong with the bounce.
    lines = _LINE_END.split(header.replace(b"\0", b"").strip(b"\r\n"))
    return b"".join(line[:LINE_MAX] + b"\r\n" for line in lines)


def _part(boundary: str, content_type: str, lines: Iterable[str]) -> list[str]:
    text = list(lines)
    is_plain = all(line.isascii() for line in text)
    encoding = [] if is_plain else ["Content-Transfer-Encoding: 8bit"]
    return [f"--{boundary}", f"Content-Type: {content_type}", *encoding, "", *text, *([""] if text else [])]
