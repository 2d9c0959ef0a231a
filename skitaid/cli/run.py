"""run: serve an app.py, a folder or an instance now, in the foreground."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from skitaid.cli.options import UsageError
from skitaid.cli.ports import Availability, availability, next_free_port
from skitaid.cli.run_plan import RunPlan, plan_for
from skitaid.cli.serving import Site, serve
from skitaid.cli.session import Session, complain, complain_problems, out, out_style
from skitaid.cli.style import Tone
from skitaid.config.model import Instance, Listen, Main
from skitaid.exceptions import RefusedError
from skitaid.instance.lock import is_held

HOST = "127.0.0.1"
"""What is tried out in the foreground is for the person at this machine."""
PORT = 5000


def run(session: Session) -> int:
    if session.options.name == "cron":
        from skitaid.cli import cron_run

        return cron_run.run(session)
    session.refuse_agents()
    if session.options.argument is not None and session.options.name is not None:
        raise UsageError("run takes a PATH or an instance (-f NAME), not both")
    site = path_site(session) if session.options.name is None else enabled_site(session)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    return serve(site)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Asked to go, or the terminal was closed: end as with Ctrl-C."""
    raise KeyboardInterrupt


def enabled_site(session: Session) -> Site:
    """The instance of -f, on its own port or the next free one. Raises RefusedError when it runs already."""
    from skitaid.config.load import load_instance

    name = session.require_instance()
    main = session.load_main()
    if is_held(main.global_.run_path, name):
        raise RefusedError(f"{name} is running already; stop it first: {session.hint(f'-f {name} stop')}")
    instance = load_instance(session.instance_files()[name], main)
    complain_problems((*main.warnings, *instance.warnings))
    return Site(main, instance, port_to_use(session, instance))


def port_to_use(session: Session, instance: Instance) -> int | None:
    """None: the conf's addresses are free and nobody asked for another port. Raises RefusedError."""
    tcp = [listen for listen in instance.server.listen if listen.path is None and not listen.is_forward]
    if not tcp:
        return None
    if session.options.port is not None:
        return free_port(Listen(tcp[0].host, session.options.port))
    taken = [listen for listen in tcp if availability(listen) is not Availability.FREE]
    return free_port(taken[0]) if taken else None


def free_port(listen: Listen) -> int:
    """The port wished for, or the next free one when it is taken and the person agrees. Raises RefusedError."""
    found = availability(listen)
    if found is Availability.FREE:
        return listen.port
    if found is Availability.FORBIDDEN:
        raise RefusedError(f"port {listen.port} may not be used by this user; take one from 1024 up: --port 5000")
    if found is Availability.UNKNOWN_ADDRESS:
        raise RefusedError(f"{listen.host} is not an address of this machine ({listen.origin})")
    port = next_free_port(listen.host, listen.port)
    if port is None:
        raise RefusedError(f"port {listen.port} is taken, and so are those after it; name another: --port PORT")
    if not _agrees(listen.port, port):
        raise RefusedError(f"port {listen.port} is taken; see by whom: ss -ltnp 'sport = :{listen.port}'")
    return port


def _agrees(taken: int, port: int) -> bool:
    """Ask on a terminal; elsewhere take the next port and say so."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        complain(f"port {taken} is taken, using {port}")
        return True
    complain(f"Port {taken} is taken. Serve on {port} instead? [Y/n]")
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def path_site(session: Session) -> Site:
    """An app's file or a folder: its conf is written under the user's state folder, where its logs go as well."""
    from skitaid.config.load import default_main, load_instance, load_main

    plan = plan_for(session.options.argument or ".", os.environ)
    etc = state_folder(os.environ) / plan.key / "etc"
    if is_held(default_main(etc).global_.run_path, plan.name):
        raise RefusedError(f"{session.options.argument or '.'} is being run already; end that one first (Ctrl-C)")
    port = free_port(Listen(HOST, PORT if session.options.port is None else session.options.port))
    path = write_conf(etc, plan, port)
    show_conf(plan, port)
    main: Main = load_main(etc)
    return Site(main, load_instance(path, main), None)


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where `run PATH` keeps what it writes (XDG base directories)."""
    base = environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(base) / "skitaid" / "run"


def write_conf(etc: Path, plan: RunPlan, port: int) -> Path:
    folder = etc / "servers-enabled"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plan.name}.conf"
    path.write_text(plan.conf(HOST, port), encoding="utf-8")
    return path


def show_conf(plan: RunPlan, port: int) -> None:
    style = out_style()
    out(style.paint(f"; to keep it: servers-enabled/{plan.name}.conf", Tone.FAINT))
    out(plan.conf(HOST, port))
