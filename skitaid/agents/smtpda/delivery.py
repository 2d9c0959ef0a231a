"""A courier's work on one mail: open it, attempt it, settle it, and tell the loop what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from skitaid.agents.smtpda.attempt import Attempt
from skitaid.agents.smtpda.couriers import ServeResult
from skitaid.agents.smtpda.delivery_journal import DeliveryJournal, JournalEntry
from skitaid.agents.smtpda.envelope import Route
from skitaid.agents.smtpda.errors import MalformedMailError
from skitaid.agents.smtpda.queue import Mail, Queue
from skitaid.agents.smtpda.retry import Answer, Record, Status
from skitaid.agents.smtpda.session import Session
from skitaid.agents.smtpda.settlement import Recorder, Settled
from skitaid.agents.smtpda.signing import MESSAGE_MAX_BYTES, Signer, SigningError
from skitaid.agents.smtpda.transaction import DeliveryRequest
from skitaid.agents.smtpda.wire import inspect
from skitaid.logs.lines import LogFile

__all__ = ["Delivery"]

TRY_AGAIN_S = 60.0
"""After a fault of our own."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivers one mail after the other, each in the thread of the courier that calls. `tell` gets what a mail has come
    to; it may be called in any thread."""

    queue: Queue
    journal: DeliveryJournal
    recorder: Recorder
    attempt: Attempt
    signer: Signer | None
    log: LogFile
    tell: Callable[[Settled], None]

    def serve(self, mail_id: str, route: Route, session: Session | None) -> ServeResult:
        """See `couriers.Serve`."""
        try:
            return self._serve(mail_id, route, session)
        except Exception:  # noqa: BLE001  (a mail that we fail at must not stop the others)
            self.log.write_traceback(mail_id)
            self.tell(Settled(mail_id, time.time() + TRY_AGAIN_S))
        return ServeResult(None, is_reachable=True)

    def _serve(self, mail_id: str, route: Route, session: Session | None) -> ServeResult:
        try:
            mail = self.queue.read(mail_id)
        except FileNotFoundError:
            self.tell(Settled(mail_id))  # removed by hand
            return ServeResult(session, is_reachable=True)
        except MalformedMailError as error:
            self._set_aside(mail_id, error)
            return ServeResult(session, is_reachable=True)
        record = self.recorder.record(mail_id)
        recipients = record.waiting(mail.envelope.recipients)
        if not recipients:
            self.tell(self.recorder.catch_up(mail, record))
            return ServeResult(session, is_reachable=True)
        with self.journal.entry(mail_id, mail.envelope.recipients) as entry:
            result = self.attempt.run(self._request(mail, entry), recipients, route, session)
            settled = self.recorder.enter(mail, record, result.answers)
        self._note(mail, record, result.answers, settled)
        self.tell(settled)
        return ServeResult(result.session, result.is_reachable)

    def _request(self, mail: Mail, entry: JournalEntry) -> DeliveryRequest:
        request = DeliveryRequest(mail.envelope, inspect(mail.read()), mail.read, entry)
        if self.signer is None or request.traits.fault:
            return request
        try:
            return self._signed(request, self.signer)
        except SigningError as error:
            self.log.write("warn", f"it goes out without a signature: {error}", mail.envelope.id)
            return request

    @staticmethod
    def _signed(request: DeliveryRequest, signer: Signer) -> DeliveryRequest:
        """Raises SigningError."""
        if request.traits.size > MESSAGE_MAX_BYTES:
            raise SigningError(f"it has more than {MESSAGE_MAX_BYTES} octets")
        signed = signer.sign(b"".join(request.read()))
        return replace(request, traits=inspect((signed,)), read=lambda: (signed,))

    def _set_aside(self, mail_id: str, error: MalformedMailError) -> None:
        self.log.write("error", f"set aside in {self.queue.failed}: {error}", mail_id)
        self.queue.fail(mail_id)
        self.tell(Settled(mail_id, has_failed=True))

    def _note(self, mail: Mail, record: Record, answers: Mapping[str, Answer], settled: Settled) -> None:
        """One line a recipient."""
        for recipient, answer in answers.items():
            kind = "info" if answer.status is Status.DELIVERED else "warn"
            what = "deferred" if answer.status is Status.WAITING else answer.status.value
            text = (
                f"{what}: from <{mail.envelope.sender}> to <{recipient}>, {mail.size} bytes, "
                f"attempt {record.attempts + 1}: {answer.text}"
            )
            self.log.write(kind, text, mail.envelope.id)
        if settled.has_failed:
            self.log.write("error", f"given up; it is kept in {self.queue.failed}", mail.envelope.id)
        if settled.bounce:
            self.log.write("info", f"its sender is told by {settled.bounce}", mail.envelope.id)
