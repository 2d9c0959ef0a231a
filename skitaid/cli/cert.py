"""cert: show the certificates of the instances, and until when they are valid; with -f NAME make one, signed by itself,
where there is none yet, for a first start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from skitaid.cli.session import Session, complain_problems, out, out_style, short
from skitaid.cli.style import Tone
from skitaid.cli.table import Cell, Column, render
from skitaid.config.certificates import certificate_problems, certificates_of, facts_of
from skitaid.config.load import load_instance
from skitaid.config.model import Certificate, Instance, Main
from skitaid.config.report import UnfitError
from skitaid.exceptions import ConfError

if TYPE_CHECKING:
    from skitaid.cli.cert_making import Wanted

COLUMNS = (
    Column("INSTANCE"), Column("HOST"), Column("CERTIFICATE"), Column("FOR"), Column("SIGNED BY"),
    Column("VALID UNTIL"),
)  # fmt: skip
DAY_S = 86400
NOTICE_DAYS = 14
FOR_DAYS = 365


def run(session: Session) -> int:
    main = session.load_main()
    if session.options.name is None:
        return show_all(session, main)
    name = session.require_instance()
    from skitaid.cli.cert_making import wanted_of

    wanted = wanted_of(session.instance_files()[name], main)
    if not wanted.certfile.exists():
        return make(session, wanted)
    if not wanted.is_named:
        out(f"{short(wanted.certfile)} is there, and {short(wanted.conf)} does not name it.")
        advise(session, wanted)
        return 0
    instance = load_instance(wanted.conf, main)
    show([instance])
    problems = tuple(certificate_problems(instance))
    complain_problems(problems)
    return 2 if any(not problem.is_warning for problem in problems) else 0


def show_all(session: Session, main: Main) -> int:
    """The certificates of all instances, or how to make one; the exit code."""
    found, is_bad = [], False
    for path in session.instance_files().values():
        try:
            found.append(load_instance(path, main))
        except ConfError as error:
            complain_problems(error.problems)
            is_bad = True
    if any(instance.server.tls is not None for instance in found):
        show(found)
    else:
        out(f"No instance serves TLS. Make a certificate to begin with: {session.hint('-f NAME cert')}")
    return 2 if is_bad else 0


def show(instances: list[Instance]) -> None:
    rows = [row(instance, *each) for instance in instances for each in certificates_of(instance)]
    for line in render(COLUMNS, rows, out_style()):
        out(line)


def row(instance: Instance, certificate: Certificate, hosts: tuple[str, ...]) -> list[Cell]:
    tls = instance.server.tls
    is_own = tls is None or certificate is not tls.certificate
    return [
        Cell(instance.name), Cell(" ".join(hosts) if is_own else "all others"), Cell(short(certificate.certfile)),
        *_told(certificate),
    ]  # fmt: skip


def _told(certificate: Certificate) -> Iterator[Cell]:
    try:
        facts = facts_of(certificate)
    except UnfitError as error:
        yield from (Cell("?"), Cell("?"), Cell(error.text, Tone.BAD))
        return
    yield Cell(" ".join(facts.names) or "nobody")
    yield Cell("itself" if facts.is_self_signed else facts.issuer or "?")
    yield validity(facts.ends_s, time.time())


def validity(ends_s: float, now_s: float) -> Cell:
    days = int((ends_s - now_s) // DAY_S)
    date = time.strftime("%Y-%m-%d", time.gmtime(ends_s))
    if ends_s <= now_s:
        return Cell(f"{date}, expired", Tone.BAD)
    return Cell(f"{date}, {days} days", Tone.WARNING if days < NOTICE_DAYS else Tone.GOOD)


def make(session: Session, wanted: Wanted) -> int:
    """Make a certificate that is signed by itself, and say what to do with it; the exit code."""
    from skitaid.cli.cert_making import make_files

    make_files(wanted, FOR_DAYS)
    style = out_style()
    out(f"made {style.paint(short(wanted.certfile), Tone.GOOD)} with its key, for {', '.join(wanted.names)},")
    out(f"valid for {FOR_DAYS} days and signed by itself: browsers warn of it, until you get one from an authority.")
    advise(session, wanted)
    return 0


def advise(session: Session, wanted: Wanted) -> None:
    """Say what to write into the conf, and which command makes it count."""
    name = session.options.name
    if not wanted.is_named:
        out(f"Add to [server] of {short(wanted.conf)}:")
        out("    ssl = yes")
        out(f"    certfile = {wanted.certfile.name}")
        if wanted.keyfile is not None:
            out(f"    keyfile = {wanted.keyfile.name}")
    out(f"Then: {session.hint(f'-f {name} check')}, and {session.hint(f'-f {name} start')} or reload.")
