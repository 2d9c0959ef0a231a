"""What is in the spool, for people: read only, and without the lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from skitaid.agents.smtpda.envelope import Envelope
from skitaid.agents.smtpda.errors import MalformedMailError
from skitaid.agents.smtpda.queue import Mail, Queue, mail_ids, read_mail
from skitaid.agents.smtpda.retry import Record, Status
from skitaid.agents.smtpda.spool import MAIL_SUFFIX

__all__ = ["Entry", "Place", "entries", "find"]


class Place(Enum):
    """Where a mail is on its way. NEW: the agent has not looked at it. QUEUED: not tried yet. DEFERRED: tried, and will
    be tried again. HELD: until a person says. FAILED: given up."""

    NEW = "new"
    QUEUED = "queued"
    DEFERRED = "deferred"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail of the queue, as it is shown. `mail` None: it cannot be read, and `fault` says why."""

    id: str
    place: Place
    record: Record
    mail: Mail | None = None
    fault: str = ""

    @property
    def envelope(self) -> Envelope | None:
        return self.mail.envelope if self.mail else None

    @property
    def last_word(self) -> str:
        """What the server said last to a recipient that does not have the mail."""
        texts = [found.text for found in self.record.outcomes.values() if found.status is not Status.DELIVERED]
        return texts[-1] if texts else self.fault


def entries(queue: Queue) -> list[Entry]:
    """All of them, oldest first. Raises OSError: they are not ours to read, or there is no spool."""
    return sorted(_entries(queue), key=lambda entry: entry.id)


def find(queue: Queue, mail_id: str) -> Entry | None:
    """One mail. Raises OSError."""
    return next((entry for entry in _entries(queue) if entry.id == mail_id), None)


def _entries(queue: Queue) -> Iterator[Entry]:
    """A mail that the agent moves while we look may be seen in both places, or in none."""
    seen: set[str] = set()
    for folder in (queue.incoming, queue.queue, queue.failed):
        for mail_id in mail_ids(folder):
            found = None if mail_id in seen else _entry(queue, folder, mail_id)
            if found is not None:
                seen.add(mail_id)
                yield found


def _entry(queue: Queue, folder: Path, mail_id: str) -> Entry | None:
    record = Record()
    try:
        record = queue.record(mail_id)
        mail = read_mail(folder / f"{mail_id}{MAIL_SUFFIX}")
    except FileNotFoundError:
        return None
    except (MalformedMailError, PermissionError) as error:
        return Entry(mail_id, _place(queue, folder, record), record, fault=str(error))
    return Entry(mail_id, _place(queue, folder, record), record, mail)


def _place(queue: Queue, folder: Path, record: Record) -> Place:
    if folder == queue.incoming:
        return Place.NEW
    if folder == queue.failed:
        return Place.FAILED
    if record.is_held:
        return Place.HELD
    return Place.DEFERRED if record.attempts else Place.QUEUED
