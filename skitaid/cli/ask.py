"""stop, restart, reload, shutdown, terminate, rotate: one request to the running daemon, its progress printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from skitaid.cli.log import last_complaint
from skitaid.cli.nearest import did_you_mean
from skitaid.cli.session import Session, complain, complain_error, out, out_style
from skitaid.cli.style import Tone
from skitaid.exceptions import RefusedError

Answer = Mapping[str, Any]

STATUS_TIMEOUT_S = 10.0
"""Figures come at once; a daemon that hangs, or was stopped by a signal, is to be told from one that is busy."""


def run(session: Session) -> int:
    return report(session, ask(session, session.options.command.name))


def ask(session: Session, command: str, on_progress: Callable[[str], None] | None = None) -> Answer:
    """The running daemon's answer to `command`, for the instance of -f or for all. Raises RefusedError, with what to
    do, when no daemon runs or no conf has the instance's name."""
    from skitaid.supervisor import control, lock

    name = session.options.name
    run_path = session.find_main().global_.run_path
    request = {"command": command, "name": name, "fast": command == "terminate"}
    if lock.is_held(run_path):
        return control.ask(
            run_path,
            request,
            on_progress or (show_progress if name is None else _keep_quiet),
            timeout_s=STATUS_TIMEOUT_S if command == "status" else None,
        )
    if name is not None:
        session.require_unit()
    start = session.hint(f"-f {name} start" if name else "start")
    raise RefusedError(f"skitaid is not running (nobody holds {run_path / lock.LOCK_FILE}); to start: {start}")


def show_progress(text: str) -> None:
    """What became of one instance of several, in a line: what is wrong is said in full with the last answer."""
    out(f"  {text.splitlines()[0]}")


def _keep_quiet(text: str) -> None:
    """Of one instance the last answer says it all."""


def report(session: Session, answer: Answer) -> int:
    """Print what the daemon answered. The exit code is the daemon's word."""
    if answer.get("ok"):
        out(out_style().paint(str(answer.get("message") or "done"), Tone.GOOD))
        return int(answer.get("exit", 0))
    complain_refusal(session, answer)
    return int(answer.get("exit", 1)) or 1


def complain_refusal(session: Session, answer: Answer) -> None:
    """Why the daemon did not do it, and what the logs of the instances say to it."""
    complain_error(str(answer.get("message") or "") + _nearest_instance(session))
    for figures in [*(answer.get("instances") or []), *(answer.get("agents") or [])]:
        # One whose conf file is wrong was not even begun: its logs tell of another time.
        is_begun = figures["state"] in ("backoff", "fatal") and not figures.get("problems")
        complaint = last_complaint(session.log_folder(figures["name"])) if is_begun else None
        if complaint:
            complain(f"  {figures['name']}: {complaint}")


def _nearest_instance(session: Session) -> str:
    name = session.options.name
    files = session.instance_files() if name and not session.is_of_agent else {}
    if not name or not files or name in files:
        return ""
    return session.switched_off(name) or did_you_mean(name, files)
