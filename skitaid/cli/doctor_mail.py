"""What doctor looks at for the mail agent, beyond its folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from shlex import quote

from skitaid.agents.smtpda.listing import Place, entries
from skitaid.agents.smtpda.queue import Queue
from skitaid.cli.finding import Finding, fine, warning, wrong
from skitaid.config.model import Main, Smtpda

Hint = Callable[[str], str]


def check_mail(main: Main, hint: Hint) -> Iterator[Finding]:
    """Who can read its password, its files, and what could not be delivered."""
    conf = main.smtpda
    if conf is None:
        return
    if conf.password and main.path is not None and os.stat(main.path).st_mode & 0o044:
        yield warning("mail", f"{main.path} holds a password, and every user can read it",
                      f"chmod go-r {quote(str(main.path))}")
    yield from _check_files(conf)
    yield from _check_queue(Queue(main.global_.var_path / "daemons" / "smtpda"), hint)


def _check_files(conf: Smtpda) -> Iterator[Finding]:
    for key, path in (("cafile", conf.cafile), ("dkim_key", conf.dkim_key)):
        if path is not None and not os.access(path, os.R_OK):
            yield wrong("mail", f"[smtpda] {key} = {path} cannot be read by user {os.geteuid()}: no mail is delivered",
                        f"correct {key}, or the rights of that file")


def _check_queue(queue: Queue, hint: Hint) -> Iterator[Finding]:
    try:
        places = [entry.place for entry in entries(queue)]
    except OSError:
        return  # not made yet, or not ours to read: the look at the folder tells
    failed = places.count(Place.FAILED)
    if failed:
        yield warning("mail", f"{_mails(failed)} could not be delivered", f"{hint('-f smtpda queue')} tells why")
    else:
        yield fine("mail", f"{_mails(len(places))} in the queue")


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count} mails"
