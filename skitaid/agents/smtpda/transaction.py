"""One mail over a session: MAIL, RCPT, DATA (RFC 5321, section 3.3), and what the server said of each recipient.

A 4xx leaves a recipient waiting, a 5xx fails it. Nothing here knows of retries or files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from skitaid.agents.smtpda.delivery_journal import JournalEntry
from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.errors import AccessError, DeliveryError
from skitaid.agents.smtpda.replies import Abilities, Reply
from skitaid.agents.smtpda.retry import Answer, Status
from skitaid.agents.smtpda.session import FINAL_TIMEOUT_S, Session
from skitaid.agents.smtpda.wire import Traits, stuffed

__all__ = ["DeliveryRequest", "Transaction"]

RECIPIENTS_MAX = 100
"""In one go: what every server takes (RFC 5321, section 4.5.3.1.8)."""

MUST_LOG_IN = 530
"""RFC 4954, section 6, and RFC 3207, section 4: nothing is said of the mail."""


@dataclass(frozen=True, slots=True)
class DeliveryRequest:
    """A mail that is to be delivered. `read` gives the message from its beginning, in pieces. `entry` is marked when
    the server has it."""

    envelope: Envelope
    traits: Traits
    read: Callable[[], Iterable[bytes]] = field(repr=False)
    entry: JournalEntry = field(default_factory=JournalEntry, repr=False)


class Transaction:
    """Hands one mail over in a session (RFC 5321, section 3.3). `answers` is right at any time, also after
    DeliveryError: of a recipient without an answer nothing was decided."""

    def __init__(self, session: Session, request: DeliveryRequest) -> None:
        self._session = session
        self._request = request
        self.answers: dict[str, Answer] = {}
        self.has_begun = False
        """A byte of the message was sent, so the server may have it."""

    def run(self, recipients: Sequence[str]) -> None:
        """Send the mail to `recipients`, and fill `answers`. Raises DeliveryError when the connection breaks or the
        server talks nonsense; what it had answered by then is in `answers`."""
        fault = obstacle(self._request, self._session.abilities)
        if fault:
            self._settle(recipients, Answer(Status.FAILED, fault))
            return
        for start in range(0, len(recipients), RECIPIENTS_MAX):
            self._send_to(recipients[start : start + RECIPIENTS_MAX])
        self._session.mails += 1

    def _send_to(self, recipients: Sequence[str]) -> None:
        accepted = self._address(recipients)
        if not accepted:
            self._session.command("RSET")
            return
        reply = self._session.command("DATA")
        if reply.code == 354:
            self.has_begun = True
            self._request.entry.arm(accepted)
            self._session.send(stuffed(self._request.read()))
            reply = self._session.reply(FINAL_TIMEOUT_S)
            if reply.code < 300:
                self._request.entry.mark()
            self._settle(accepted, judge(reply))
        elif reply.code < 400:
            raise self._nonsense("DATA", reply)
        else:
            self._settle(accepted, judge(reply))
            self._session.command("RSET")  # a refused DATA leaves the server with sender and recipients

    def _address(self, recipients: Sequence[str]) -> list[str]:
        """MAIL and RCPT, in one go where the server takes that (RFC 2920). The recipients it accepts."""
        lines = [mail_command(self._request, self._session.abilities), *(f"RCPT TO:<{each}>" for each in recipients)]
        if "PIPELINING" in self._session.abilities:
            self._session.send(["".join(f"{line}\r\n" for line in lines).encode()])
            replies = [self._session.reply() for _ in lines]
        else:
            replies = [self._session.command(lines[0])]
            if replies[0].code < 300:
                replies += [self._session.command(line) for line in lines[1:]]
        shut = next((reply for reply in replies if reply.code == MUST_LOG_IN), None)
        if shut is not None:
            self._session.close()
            raise AccessError(f"{self._session.route} wants a login, or TLS, first: {shut}")
        if replies[0].code >= 300:
            self._settle(recipients, judge(replies[0]))
            return []
        return self._accepted(dict(zip(recipients, replies[1:], strict=True)))

    def _accepted(self, replies: dict[str, Reply]) -> list[str]:
        accepted = []
        for recipient, reply in replies.items():
            if reply.code < 300:
                accepted.append(recipient)
            elif reply.code == 552 and len(replies) > 1:  # too many recipients, of old (RFC 5321, section 4.5.3.1.10)
                self.answers[recipient] = Answer(Status.WAITING, str(reply))
            else:
                self.answers[recipient] = judge(reply)
        return accepted

    def _settle(self, recipients: Sequence[str], answer: Answer) -> None:
        self.answers.update(dict.fromkeys(recipients, answer))

    def _nonsense(self, command: str, reply: Reply) -> DeliveryError:
        self._session.close()
        return DeliveryError(f"{self._session.route} answers {command} with {reply}")


def judge(reply: Reply) -> Answer:
    """What a reply means for the recipients that it is about."""
    if reply.code < 300:
        return Answer(Status.DELIVERED, str(reply))
    return Answer(Status.FAILED if reply.is_permanent else Status.WAITING, str(reply))


def mail_command(request: DeliveryRequest, abilities: Abilities) -> str:
    """With the parameters that the server knows: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531)."""
    words = [f"MAIL FROM:<{request.envelope.sender}>"]
    if "SIZE" in abilities:
        words.append(f"SIZE={request.traits.size}")
    if request.traits.is_8bit and "8BITMIME" in abilities:
        words.append("BODY=8BITMIME")
    if request.envelope.is_utf8:
        words.append("SMTPUTF8")
    return " ".join(words)


def obstacle(request: DeliveryRequest, abilities: Abilities) -> str:
    """Why this server can never get this mail unchanged; "" when it can. Codes: RFC 3463."""
    if request.traits.fault:
        return f"554 5.6.0 not sent: {request.traits.fault}"
    if request.envelope.is_utf8 and "SMTPUTF8" not in abilities:
        return "553 5.6.7 not sent: the server does not take international addresses (SMTPUTF8)"
    if request.traits.is_8bit and "8BITMIME" not in abilities:
        return "554 5.6.3 not sent: the server does not take 8-bit messages (8BITMIME)"
    if 0 < abilities.size_limit < request.traits.size:
        return f"552 5.3.4 not sent: {request.traits.size} octets, the server takes {abilities.size_limit}"
    return ""
