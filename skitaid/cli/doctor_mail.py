"""What doctor looks at for the mail agent, beyond its folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from shlex import quote

from skitaid.agents.smtpda.listing import Entry, Place, entries
from skitaid.agents.smtpda.queue import Queue
from skitaid.agents.smtpda.retry import ACCESS_PATIENCE_S
from skitaid.cli.finding import Finding, fine, warning, wrong
from skitaid.cli.queue import printable
from skitaid.config.model import Main, Smtpda

Hint = Callable[[str], str]


def check_mail(main: Main, hint: Hint) -> Iterator[Finding]:
    """Who can read its password, its files, and what could not be delivered."""
    conf = main.smtpda
    queue = Queue(main.global_.var_path / "daemons" / "smtpda")
    if conf is None:
        yield from _check_forgotten(queue, main)
        return
    if conf.password and main.path is not None and os.stat(main.path).st_mode & 0o044:
        yield warning(
            "mail", f"{main.path} holds a password, and every user can read it", f"chmod go-r {quote(str(main.path))}"
        )
    yield from _check_files(conf)
    yield from _check_queue(queue, hint)


def _check_forgotten(queue: Queue, main: Main) -> Iterator[Finding]:
    """Apps go on sending where there was a spool."""
    with suppress(OSError):
        waiting = sum(entry.place is not Place.FAILED for entry in entries(queue))
        if waiting:
            yield wrong(
                "mail",
                f"{_mails(waiting)} in the queue, and no [smtpda] in skitaid.conf: nobody delivers",
                f"add [smtpda] to {main.etc / 'skitaid.conf'}, or remove what waits",
            )


def _check_files(conf: Smtpda) -> Iterator[Finding]:
    for key, path in (("cafile", conf.cafile), ("dkim_key", conf.dkim_key)):
        if path is not None and not os.access(path, os.R_OK):
            yield wrong(
                "mail",
                f"[smtpda] {key} = {path} cannot be read by user {os.geteuid()}: no mail is delivered",
                f"correct {key}, or the rights of that file",
            )


def _check_queue(queue: Queue, hint: Hint) -> Iterator[Finding]:
    try:
        found = entries(queue)
    except OSError:
        return  # not made yet, or not ours to read: the look at the folder tells
    yield from _check_access(found, hint)
    failed = sum(entry.place is Place.FAILED for entry in found)
    if failed:
        yield warning("mail", f"{_mails(failed)} could not be delivered", f"{hint('-f smtpda queue')} tells why")
    else:
        yield fine("mail", f"{_mails(len(found))} in the queue")


def _check_access(found: Sequence[Entry], hint: Hint) -> Iterator[Finding]:
    """Mails that wait for a person, although nobody has given them up."""
    shut_out = [entry for entry in found if entry.place is Place.DEFERRED and entry.record.is_shut_out]
    if shut_out:
        reason = printable(shut_out[-1].last_word)
        text = f"{_mails(len(shut_out))} waiting for the mail server, which is down or does not let us in: {reason}"
        fix = (
            f"if it is not down: correct smtpserver, user, password, ssl, starttls or cafile of [smtpda], then "
            f"{hint('-f smtpda reload')}; mail that has waited for {ACCESS_PATIENCE_S / 86400:.0f} days comes back"
        )
        yield wrong("mail", text, fix)


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count} mails"
