"""queue: the mails that wait in the mail agent's spool, and what a person does with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from skitaid.agents.smtpda import queue_commands
from skitaid.agents.smtpda.control import ask
from skitaid.agents.smtpda.listing import Entry, Place, entries, find
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.retry import Status
from skitaid.cli.nearest import did_you_mean
from skitaid.cli.options import UsageError
from skitaid.cli.session import Session, complain_error, out, out_style
from skitaid.cli.style import Style, Tone
from skitaid.cli.table import Cell, Column, duration, number, render, size
from skitaid.exceptions import RefusedError

COLUMNS = (
    Column("ID"),
    Column("STATE"),
    number("AGE"),
    number("SIZE"),
    Column("FROM"),
    Column("TO"),
    number("NEXT TRY"),
    Column("LAST ANSWER"),
)
WORDS = ("list", "show", *queue_commands.COMMANDS)
TONES = {Place.DEFERRED: Tone.WARNING, Place.HELD: Tone.WARNING, Place.FAILED: Tone.BAD}
ANSWER_MOST = 60
HEADER_MOST_BYTES = 8192


def run(session: Session) -> int:
    if session.options.name != "smtpda":
        raise UsageError("queue is the mail agent's: -f smtpda queue")
    word, named = session.options.argument or "list", session.options.objects
    if word not in WORDS:
        raise UsageError(f"queue {word}: expected one of: {', '.join(WORDS)}" + did_you_mean(word, WORDS))
    if bool(named) is (word == "list"):
        raise UsageError("queue list takes no id" if named else f"queue {word} wants the id of a mail, or a state")
    queue = Queue(session.load_main().global_.var_path / "daemons" / "smtpda")
    if not queue.incoming.is_dir():
        raise RefusedError(f"there is no mail spool at {queue.folder}; it comes with the first start of the mail agent")
    if word == "list":
        show_lines(list_lines(entries(queue), session.hint, out_style()))
        return 0
    wanted = ids_of(queue, named)
    if not wanted:
        out(f"no mail is {' or '.join(named)}")
    return max((_one(queue, word, mail_id) for mail_id in wanted), default=0)


def ids_of(queue: Queue, named: Sequence[str]) -> list[str]:
    """The mails that are meant: an id stands for itself, a state for all that are in it."""
    states = {place.value for place in Place}
    listed = entries(queue) if states & set(named) else []
    found = [entry.id for word in named for entry in listed if entry.place.value == word]
    return list(dict.fromkeys([word for word in named if word not in states] + found))


def _one(queue: Queue, word: str, mail_id: str) -> int:
    """The exit code. What is refused for one mail does not keep the next from its turn."""
    try:
        if word == "show":
            show_lines(detail(_find(queue, mail_id)))
        else:
            out(perform(queue, word, mail_id))
    except RefusedError as error:
        complain_error(str(error))
        return 1
    return 0


def perform(queue: Queue, word: str, mail_id: str) -> str:
    """Through the agent when it runs; else by ourselves, in its place. Raises RefusedError, OSError."""
    try:
        is_done, text = ask(queue.folder, word, mail_id)
    except (FileNotFoundError, ConnectionRefusedError):
        return _perform_alone(queue, word, mail_id)
    if not is_done:
        raise RefusedError(text)
    return text


def _perform_alone(queue: Queue, word: str, mail_id: str) -> str:
    queue.lock()
    try:
        queue.take_in()
        return f"{queue_commands.perform(queue, word, mail_id)}; the mail agent does not run"
    finally:
        queue.unlock()


def _find(queue: Queue, mail_id: str) -> Entry:
    entry = find(queue, mail_id)
    if entry is None:
        raise RefusedError(f"no mail {mail_id!r}: it was delivered or removed; the log tells which")
    return entry


def list_lines(found: Sequence[Entry], hint: Callable[[str], str], style: Style) -> list[str]:
    if not found:
        return ["The mail queue is empty."]
    rows = [row(entry, time.time()) for entry in found]
    return [*render(COLUMNS, rows, style), "", f"More about one: {hint('-f smtpda queue show ID')}"]


def row(entry: Entry, now: float) -> list[Cell]:
    mail, envelope = entry.mail, entry.envelope
    waiting = entry.record.waiting(envelope.recipients) if envelope else ()
    recipients = waiting or (envelope.recipients if envelope else ())
    others = f" +{len(recipients) - 1}" if len(recipients) > 1 else ""
    is_later = entry.place is Place.DEFERRED and entry.record.due_s > now
    return [
        Cell(entry.id, Tone.STRONG),
        Cell(entry.place.value, TONES.get(entry.place, Tone.PLAIN)),
        Cell(duration(max(0.0, now - envelope.created_s)) if envelope else "-"),
        Cell(size(mail.size) if mail else "-"),
        Cell((envelope.sender or "<>") if envelope else "-"),
        Cell(recipients[0] + others if recipients else "-"),
        Cell(f"in {duration(entry.record.due_s - now)}" if is_later else "-"),
        Cell(printable(entry.last_word)[:ANSWER_MOST] or "-"),
    ]


def detail(entry: Entry) -> list[str]:
    """Envelope, outcome of each recipient and header; never a password, and not the text."""
    if entry.mail is None:
        return [f"{entry.id}: {entry.place.value}, cannot be read: {entry.fault}"]
    envelope, record = entry.mail.envelope, entry.record
    lines = [
        f"id        {entry.id}",
        f"state     {entry.place.value}",
        f"queued    {_moment(envelope.created_s)}",
        f"size      {entry.mail.size} bytes",
        f"from      <{envelope.sender}>",
        f"server    {envelope.route or 'the one of skitaid.conf'}",
        f"attempts  {record.attempts}",
    ]
    if entry.place is Place.DEFERRED:
        lines.append(f"next try  {_moment(record.due_s)}")
    for recipient in envelope.recipients:
        outcome = record.outcomes.get(recipient)
        word = outcome.status if outcome else Status.WAITING
        lines.append(f"to        <{recipient}> {word.value}" + (f": {printable(outcome.text)}" if outcome else ""))
    return [*lines, "", *_header(entry)]


def _header(entry: Entry) -> list[str]:
    first = next(iter(entry.mail.read()), b"") if entry.mail else b""
    header = first[:HEADER_MOST_BYTES].partition(b"\r\n\r\n")[0]
    return [printable(line) for line in header.decode("utf-8", "replace").split("\r\n")]


def printable(text: str) -> str:
    """A server or a sender may have written anything; a terminal obeys some of it."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def show_lines(lines: Sequence[str]) -> None:
    for line in lines:
        out(line)
