"""start: the daemon with all enabled instances, or one instance. Returns when they serve, or says why they do not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from skitaid.cli import detach
from skitaid.cli.ask import ask, complain_refusal, show_progress
from skitaid.cli.session import Session, complain, complain_problems, err_style, out, out_style
from skitaid.cli.status import unserved
from skitaid.cli.style import Tone
from skitaid.cli.urls import urls_of
from skitaid.config.load import load_all, load_instance
from skitaid.config.model import Main
from skitaid.exceptions import ConfError
from skitaid.supervisor import lock
from skitaid.supervisor.entry import Arguments

Answer = Mapping[str, Any]


def run(session: Session) -> int:
    main = session.load_main()
    name = session.options.name
    if name is not None and lock.is_held(main.global_.run_path):
        return report(session, main, ask(session, "start"))
    only = (session.require_unit(),) if name is not None else ()
    lock_fd = lock.acquire(main.global_.run_path)
    warn_about(session, only)
    if session.options.verbose:
        become_supervisor(session, only, lock_fd)
    return report(session, main, start_daemon(session, main, only, lock_fd))


def warn_about(session: Session, only: tuple[str, ...]) -> None:
    """Say what is wrong with the confs that are about to be used. Raises ConfError when not one of them can be: then
    nothing is started."""
    loaded = load_all(session.etc)
    failures = [error for name, error in loaded.failures.items() if not only or name in only]
    is_agent_alone = session.is_of_agent and bool(only)
    usable = [instance for name, instance in loaded.instances.items() if not only or name in only]
    problems = [problem for error in failures for problem in error.problems]
    if problems and not (usable or is_agent_alone):
        raise ConfError(problems)
    warnings = [*loaded.main.warnings, *(warning for instance in usable for warning in instance.warnings)]
    complain_problems((*problems, *warnings))


def become_supervisor(session: Session, only: tuple[str, ...], lock_fd: int, ready_fd: int | None = None) -> NoReturn:
    """Replace this process by the supervisor: nothing of the command line stays resident."""
    arguments = Arguments(session.etc, only, session.options.verbose, lock_fd, ready_fd)
    for fd in (lock_fd, ready_fd):
        if fd is not None:
            os.set_inheritable(fd, True)
    os.execv(sys.executable, arguments.argv(sys.executable))


def start_daemon(session: Session, main: Main, only: tuple[str, ...], lock_fd: int) -> Answer:
    """Start the supervisor apart from this terminal and wait until its instances serve or have failed."""
    detach.require_package()
    ready_end, report_end = os.pipe()
    detach.run_detached(
        lambda: become_supervisor(session, only, lock_fd, report_end),
        (lock_fd, report_end),
        main.global_.log_path / "skitaid.log",
    )
    os.close(lock_fd)
    os.close(report_end)
    for message in _messages(ready_end):
        if "progress" not in message:
            return message
        show_progress(str(message["progress"]))
    return {"ok": False, "exit": 1, "message": f"the daemon ended before it was ready; why: {session.hint('log')}"}


def _messages(fd: int) -> Iterator[Answer]:
    with open(fd, encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def report(session: Session, main: Main, answer: Answer) -> int:
    """Say what serves where, and what does not. One that serves is enough for exit code 0, but for -f NAME."""
    instances = answer.get("instances") or []
    running = [figures for figures in instances if figures["state"] == "running"]
    agents = [figures for figures in answer.get("agents") or [] if figures["state"] == "running"]
    style = out_style()
    for figures in running:
        is_tls = _speaks_tls(session, main, str(figures["name"]))
        urls = urls_of(str(figures.get("address") or "").split(", "), is_tls=is_tls)
        out(f"{style.paint(figures['name'], Tone.STRONG)} serves at {style.paint(' '.join(urls), Tone.GOOD)}")
    for figures in agents:
        out(f"{style.paint(figures['name'], Tone.STRONG)} runs" + (f": {figures['note']}" if figures["note"] else ""))
    for line in [line for figures in running for line in unserved(session, figures, err_style())]:
        complain(line)
    if answer.get("ok") or running:
        out(f"logs: {main.global_.log_path}/   next: {session.hint('status')}")
    if not answer.get("ok"):
        complain_refusal(session, answer)
    is_enough = answer.get("ok") or (running and session.options.name is None)
    return 0 if is_enough else int(answer.get("exit", 1)) or 1


def _speaks_tls(session: Session, main: Main, name: str) -> bool:
    try:
        return load_instance(session.instance_files()[name], main).server.tls is not None
    except (ConfError, KeyError):
        # Edited since it was started.
        return False
