"""What an attempt means for a mail: which recipients have it, which are tried again and when, which are given up. Pure:
no files, no clock.

A `Record` is what `ID.json` holds (docs/spool.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from skitaid.agents.smtpda.errors import MalformedMailError

__all__ = [
    "ACCESS_PATIENCE_S",
    "ACCESS_TRIES_LEAST",
    "BACK_OFF_MOST_S",
    "JITTER",
    "Answer",
    "Outcome",
    "Policy",
    "Record",
    "Status",
    "after_attempt",
    "anew",
    "back_off_s",
    "out_of_patience",
]

BACK_OFF_MOST_S = 6 * 3600.0
JITTER = 0.25
ACCESS_PATIENCE_S = 5 * 86400.0
"""So long a mail waits for a server that is down, or for a login or TLS to be mended (RFC 5321, section 4.5.4.1)."""
SHUT_OUT_MOST_S = 3600.0
"""The longest wait for a server that let nobody in: it may be back at any moment, and asking costs it little."""
ACCESS_TRIES_LEAST = 20
"""And no shorter than for so many attempts: a clock may have been put forward."""


class Status(Enum):
    """What became of one recipient."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a mail is tried, and when. `max_retry`: attempts after the first. `retry_after_s`: from the first to
    the second; each further wait is twice as long, up to six hours."""

    max_retry: int = 10
    retry_after_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt brought for one recipient. `status` WAITING: a temporary failure. `counts` False: no fault of
    the recipient's or of a server's, so nobody is given up for it before
    `out_of_patience`."""

    status: Status
    text: str = ""
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of one recipient: `text` is the server's last word, said at attempt `attempt`."""

    status: Status = Status.WAITING
    text: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a mail's attempts. `due_s`: seconds since the epoch. `bounced`: failures up to that attempt were
    told the sender. `since`: attempts when a person asked to try anew, from which retries are counted. `uncounted`:
    those since that do not count.
    `is_shut_out`: the last attempt is one of them."""

    attempts: int = 0
    due_s: float = 0.0
    is_held: bool = False
    bounced: int = 0
    since: int = 0
    uncounted: int = 0
    is_shut_out: bool = False
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)

    def status(self, recipient: str) -> Status:
        outcome = self.outcomes.get(recipient)
        return outcome.status if outcome else Status.WAITING

    def waiting(self, recipients: Iterable[str]) -> tuple[str, ...]:
        return tuple(each for each in recipients if self.status(each) is Status.WAITING)

    def unbounced(self) -> dict[str, Outcome]:
        """Recipients whose failure the sender has not been told."""
        return {
            each: outcome
            for each, outcome in self.outcomes.items()
            if outcome.status is Status.FAILED and outcome.attempt > self.bounced
        }

    @property
    def has_failed(self) -> bool:
        return any(outcome.status is Status.FAILED for outcome in self.outcomes.values())

    def to_bytes(self) -> bytes:
        outcomes = {each: [found.status.value, found.text, found.attempt] for each, found in self.outcomes.items()}
        return (
            json.dumps(
                {
                    "attempts": self.attempts,
                    "due_s": self.due_s,
                    "is_held": self.is_held,
                    "bounced": self.bounced,
                    "since": self.since,
                    "uncounted": self.uncounted,
                    "is_shut_out": self.is_shut_out,
                    "outcomes": outcomes,
                }
            ).encode()
            + b"\n"
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Record:
        """The record that `to_bytes` wrote. Raises MalformedMailError."""
        try:
            found = json.loads(data)
            outcomes = {
                str(each): Outcome(Status(status), str(text), int(attempt))
                for each, (status, text, attempt) in found["outcomes"].items()
            }
            return cls(
                int(found["attempts"]),
                float(found["due_s"]),
                bool(found["is_held"]),
                int(found["bounced"]),
                int(found["since"]),
                int(found.get("uncounted", 0)),
                bool(found.get("is_shut_out")),
                outcomes,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedMailError(f"no record of a mail: {error!r}") from error


def back_off_s(attempts: int, policy: Policy, chance: float, most_s: float = BACK_OFF_MOST_S) -> float:
    """Seconds from attempt `attempts` (1: the first) to the next. `chance` in 0..1 spreads them by a quarter, so that
    mails that failed together do not come back together."""
    wait_s = min(most_s, policy.retry_after_s * 2.0 ** min(attempts - 1, 64))
    return wait_s * (1 + JITTER * (2 * chance - 1))


def after_attempt(
    record: Record, answers: Mapping[str, Answer], policy: Policy, *, now: float, chance: float
) -> Record:
    """The record after an attempt at the recipients of `answers`."""
    attempts = record.attempts + 1
    tries = attempts - record.since
    is_shut_out = not any(answer.counts for answer in answers.values())
    uncounted = record.uncounted + is_shut_out
    is_last = tries - uncounted > policy.max_retry
    outcomes = {
        **record.outcomes,
        **{each: _outcome(answer, attempts, is_last=is_last and answer.counts) for each, answer in answers.items()},
    }
    return replace(
        record,
        attempts=attempts,
        uncounted=uncounted,
        is_shut_out=is_shut_out,
        outcomes=outcomes,
        due_s=now + back_off_s(tries, policy, chance, SHUT_OUT_MOST_S if is_shut_out else BACK_OFF_MOST_S),
    )


def out_of_patience(record: Record, answers: Mapping[str, Answer], age_s: float) -> Mapping[str, Answer]:
    """`answers` of an attempt after `record`. What does not count fails the recipients of a mail that has waited for
    `ACCESS_PATIENCE_S`: a sender who never hears of it takes it to be delivered."""
    if age_s < ACCESS_PATIENCE_S or record.uncounted < ACCESS_TRIES_LEAST:
        return answers
    return {
        each: answer if answer.counts else Answer(Status.FAILED, f"given up after days of: {answer.text}")
        for each, answer in answers.items()
    }


def anew(record: Record) -> Record:
    """The record of a mail that a person wants tried again: at once, and with all retries. Recipients that failed are
    tried again, those that have the mail are not."""
    outcomes = {
        each: replace(found, status=Status.WAITING) if found.status is Status.FAILED else found
        for each, found in record.outcomes.items()
    }
    return replace(
        record,
        due_s=0.0,
        is_held=False,
        since=record.attempts,
        uncounted=0,
        is_shut_out=False,
        bounced=record.attempts,
        outcomes=outcomes,
    )


def _outcome(answer: Answer, attempt: int, *, is_last: bool) -> Outcome:
    if answer.status is Status.WAITING and is_last:
        return Outcome(Status.FAILED, f"given up after {attempt} attempts: {answer.text}", attempt)
    return Outcome(answer.status, answer.text, attempt)
