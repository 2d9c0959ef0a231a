"""What is written down after an attempt, and in which order (docs/spool.md, "What the agent does")."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from skitaid.agents.chance import chance
from skitaid.agents.smtpda.bounce import Bounce
from skitaid.agents.smtpda.errors import MalformedMailError
from skitaid.agents.smtpda.queue import Mail, Queue
from skitaid.agents.smtpda.retry import Answer, Outcome, Policy, Record, Status, after_attempt, out_of_patience

__all__ = ["Recorder", "Settled"]

PATIENCE_S = 10.0
"""Until a disk without room is tried again."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a mail has come to. `due_s`: it is tried again then; None: it is out of the queue, which is to be synced.
    `bounce`: the id of a mail that is in the queue since."""

    mail_id: str
    due_s: float | None = None
    has_failed: bool = False
    bounce: str | None = None


class Recorder:
    """Records what attempts came to, on the disk and in an order that a crash cannot harm. Called by couriers, each
    with a mail of its own."""

    def __init__(self, queue: Queue, policy: Policy, host: str, log: Callable[[str, str], None]) -> None:
        self.policy = policy
        self._queue = queue
        self.host = host
        self._log = log
        self._unwritten: dict[str, Record] = {}

    def record(self, mail_id: str) -> Record:
        """Where there was no room to write it, from memory. One that cannot be read is begun anew: better twice than
        never."""
        try:
            return self._unwritten.get(mail_id) or self._queue.record(mail_id)
        except MalformedMailError as error:
            self._log("error", f"{mail_id}: begun anew, its record is damaged: {error}")
            return Record()

    def enter(self, mail: Mail, record: Record, answers: Mapping[str, Answer]) -> Settled:
        """After an attempt. Never raises for a full disk."""
        envelope = mail.envelope
        if all(found.status is Status.DELIVERED for found in answers.values()) and not record.outcomes:
            return self._everybody_has_it(mail)
        now = time.time()
        answers = out_of_patience(record, answers, now - envelope.created_s)
        record = after_attempt(record, answers, self.policy, now=now, chance=chance())
        if not record.waiting(envelope.recipients) and not record.has_failed:
            return self._everybody_has_it(mail)
        if not self._write(envelope.id, record):
            return Settled(envelope.id, record.due_s)
        return self.conclude(mail, record)

    def recover(self, mail_id: str, indexes: Iterable[int]) -> None:
        """A server has it for these recipients of its envelope; the agent that heard so was killed before it had
        written it down. Raises OSError."""
        if not self._queue.has(mail_id):
            return
        try:
            envelope = self._queue.read(mail_id).envelope
        except MalformedMailError:
            return
        record = self.record(mail_id)
        heard = Outcome(Status.DELIVERED, "250 heard before the agent was killed", record.attempts + 1)
        recipients = [envelope.recipients[index] for index in indexes if index < len(envelope.recipients)]
        record = replace(record, due_s=0.0, outcomes={**record.outcomes, **dict.fromkeys(recipients, heard)})
        if record.waiting(envelope.recipients) or record.has_failed:
            self._queue.write_record(mail_id, record)
        else:
            self._queue.remove(mail_id)
        for recipient in recipients:
            self._log("info", f"{mail_id}: delivered: from <{envelope.sender}> to <{recipient}>: {heard.text}")

    def catch_up(self, mail: Mail, record: Record) -> Settled:
        """There is nobody left to try, but a full disk or a crash has left the rest half done."""
        if mail.envelope.id in self._unwritten and not self._write(mail.envelope.id, record):
            return Settled(mail.envelope.id, time.time() + PATIENCE_S)
        return self.conclude(mail, record)

    def conclude(self, mail: Mail, record: Record) -> Settled:
        """What follows from a record that is on the disk: a bounce, the folder `failed`."""
        mail_id = mail.envelope.id
        try:
            bounce = self._bounce(mail, record)
            if record.waiting(mail.envelope.recipients):
                return Settled(mail_id, record.due_s, bounce=bounce)
            if not record.has_failed:
                self._queue.remove(mail_id)
                return Settled(mail_id)
            self._queue.fail(mail_id)
        except OSError as error:
            self._log("error", f"{mail_id}: {error.strerror}: {self._queue.folder}; the next attempt is later")
            return Settled(mail_id, max(record.due_s, time.time() + PATIENCE_S))
        return Settled(mail_id, has_failed=True, bounce=bounce)

    def _everybody_has_it(self, mail: Mail) -> Settled:
        self._unwritten.pop(mail.envelope.id, None)
        try:
            self._queue.remove(mail.envelope.id, is_durable=False)
        except OSError as error:
            # Said once, and not tried again, as everybody has it.
            self._log("error", f"{mail.envelope.id}: delivered, but {error.strerror}: {self._queue.folder}")
        return Settled(mail.envelope.id)

    def _write(self, mail_id: str, record: Record) -> bool:
        try:
            self._queue.write_record(mail_id, record)
        except OSError as error:
            self._unwritten[mail_id] = record
            self._log("error", f"{mail_id}: no writing down what became of it, it is kept in memory: {error.strerror}")
            return False
        self._unwritten.pop(mail_id, None)
        return True

    def _bounce(self, mail: Mail, record: Record) -> str | None:
        """Tell the sender, if there is one and it was not done. The bounce's id, if it is to be delivered. Raises
        OSError."""
        failures = record.unbounced()
        if not failures:
            return None
        envelope = mail.envelope
        if not envelope.sender:
            return None
        attempt = max(found.attempt for found in failures.values())
        bounce = Bounce(envelope, failures, attempt, self.host, time.time())
        found = bounce.to_envelope()
        if not self._queue.has(found.id):
            self._queue.put(found, bounce.to_message(mail.read()))
        self._queue.write_record(envelope.id, replace(record, bounced=attempt))
        return found.id
