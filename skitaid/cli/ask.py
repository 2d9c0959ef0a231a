"""stop, restart, reload, shutdown, terminate, rotate: one request to the running daemon, its progress printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from skitaid.cli.nearest import did_you_mean
from skitaid.cli.session import Session, complain_error, out, out_style
from skitaid.cli.style import Tone
from skitaid.exceptions import RefusedError

Answer = Mapping[str, Any]


def run(session: Session) -> int:
    session.refuse_agents()
    return report(session, ask(session, session.options.command.name))


def ask(session: Session, command: str, on_progress: Callable[[str], None] | None = None) -> Answer:
    """The running daemon's answer to `command`, for the instance of -f or for all. Raises RefusedError, with what to
    do, when no daemon runs or no conf has the instance's name."""
    from skitaid.supervisor import control, lock

    name = session.options.name
    run_path = session.load_main().global_.run_path
    request = {"command": command, "name": name, "fast": command == "terminate"}
    if lock.is_held(run_path):
        return control.ask(run_path, request, on_progress or show_progress)
    if name is not None:
        session.require_instance()
    start = session.hint(f"-f {name} start" if name else "start")
    raise RefusedError(f"skitaid is not running (nobody holds {run_path / lock.LOCK_FILE}); to start: {start}")


def show_progress(text: str) -> None:
    out(f"  {text}")


def report(session: Session, answer: Answer) -> int:
    """Print what the daemon answered. The exit code is the daemon's word."""
    message = str(answer.get("message") or "")
    if answer.get("ok"):
        out(out_style().paint(message or "done", Tone.GOOD))
        return int(answer.get("exit", 0))
    complain_error(message + _nearest_instance(session))
    return int(answer.get("exit", 1)) or 1


def _nearest_instance(session: Session) -> str:
    name = session.options.name
    files = session.instance_files() if name else {}
    return did_you_mean(name, files) if name and name not in files else ""
