"""What a person does with single mails: retry, hold, remove. Needs the lock: the agent does it when it runs, else the
command line itself.
"""

from __future__ import annotations

from dataclasses import replace

from skitaid.agents.smtpda.queue import Queue, is_mail_id
from skitaid.agents.smtpda.retry import Record, anew
from skitaid.exceptions import RefusedError

__all__ = ["COMMANDS", "hold", "perform", "remove", "retry"]

COMMANDS = ("retry", "hold", "remove")


def perform(queue: Queue, command: str, mail_id: str) -> str:
    """What was done, in a sentence. Raises RefusedError, OSError, MalformedMailError."""
    if not is_mail_id(mail_id):
        raise _unknown(mail_id)
    if command == "retry":
        retry(queue, mail_id)
        return f"{mail_id} will be tried at once"
    if command == "hold":
        hold(queue, mail_id)
        return f"{mail_id} is held until it is retried or removed"
    remove(queue, mail_id)
    return f"{mail_id} is removed"


def retry(queue: Queue, mail_id: str) -> Record:
    """Held, deferred or given up: it is due now, with all its retries; recipients that have it do not get it again.
    Raises RefusedError when there is none of that id."""
    record = anew(queue.record(mail_id))
    if queue.has(mail_id):
        queue.write_record(mail_id, record)
    elif mail_id in queue.failed_ids():
        queue.revive(mail_id, record)
    else:
        raise _unknown(mail_id)
    return record


def hold(queue: Queue, mail_id: str) -> None:
    """Do not try it until it is retried or removed. Raises RefusedError when it is not waiting."""
    if not queue.has(mail_id):
        raise _unknown(mail_id)
    queue.write_record(mail_id, replace(queue.record(mail_id), is_held=True))


def remove(queue: Queue, mail_id: str) -> None:
    """Throw a mail away, also one that was given up. Raises RefusedError when there is none of that id."""
    if not queue.has(mail_id) and mail_id not in queue.failed_ids():
        raise _unknown(mail_id)
    queue.remove(mail_id)


def _unknown(mail_id: str) -> RefusedError:
    return RefusedError(f"no mail {mail_id!r} in the queue; queue list shows what there is")
