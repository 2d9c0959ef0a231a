"""An instance served in the foreground: what is said to the person who looks on, and the reload when a file changes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from skitaid.cli import watch
from skitaid.cli.foreground import ForegroundMaster
from skitaid.cli.session import complain_error, complain_problems, out, out_style, short
from skitaid.cli.style import Tone
from skitaid.cli.urls import urls_of
from skitaid.config.model import Instance, Main
from skitaid.exceptions import ConfError
from skitaid.instance.arguments import RUN_PORT
from skitaid.supervisor.report import Event, Report
from skitaid.supervisor.spawn import BOOT, Command, interpreter

LOOK_INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Site:
    """What is run: an instance as its conf has it. `port`: another than the conf's, None for the conf's."""

    main: Main
    instance: Instance
    port: int | None = None

    @property
    def log_folder(self) -> Path:
        return self.main.global_.log_path / "instances" / self.instance.name


def serve(site: Site) -> int:
    """Until Ctrl-C or the end of the master; the exit code."""
    master = start(site)
    try:
        return look_after(site, master)
    except KeyboardInterrupt:
        out("\nstopping")
        return 0
    finally:
        master.stop()


def start(site: Site) -> ForegroundMaster:
    """Start the master of `site` in this session, its reports on a pipe to us. Raises SpawnError."""
    python = interpreter(site.instance.server.python or site.main.global_.python, sys.executable)
    command = Command(
        python, BOOT, site.instance.name, site.main.etc, verbose=True, environment=site.instance.environment
    )
    port = {} if site.port is None else {RUN_PORT: str(site.port)}
    return ForegroundMaster(command, {**os.environ, **port})


def look_after(site: Site, master: ForegroundMaster) -> int:
    """Tell what the master reports, and let it reload when a file has changed and then kept still for one look."""
    watched = watch.watched_by(site.instance)
    served = last = watch.snapshot(watched)
    while master.exit_code() is None:
        for report in master.wait_report(LOOK_INTERVAL_S):
            tell(site, report)
        now = watch.snapshot(watched)
        if now != served and now == last:
            watched = take_over(site, master, watch.changes(served, now)) or watched
            served = now = watch.snapshot(watched)
        last = now
    return ended(site, master.exit_code() or 0)


def take_over(site: Site, master: ForegroundMaster, changed: list[str]) -> watch.Watched | None:
    """Let the master reload; what to watch from now on. None: the conf is wrong, so the old goes on."""
    from skitaid.config.load import load_instance

    try:
        instance = load_instance(site.instance.path, site.main)
    except ConfError as error:
        complain_problems(error.problems)
        complain_error("the conf cannot be used; what runs goes on as it is")
        return None
    out(f"{watch.shown(changed)} changed, reloading")
    master.reload()
    return watch.watched_by(instance)


def tell(site: Site, report: Report) -> None:
    style = out_style()
    if report.event is Event.READY:
        for line in welcome(site, report.addresses):
            out(line)
    elif report.event is Event.RELOADED:
        out(style.paint("reloaded", Tone.GOOD))
    elif report.event is Event.RELOAD_FAILED:
        complain_error(f"the reload failed, what ran goes on: {report.reason}")


def welcome(site: Site, addresses: tuple[str, ...]) -> list[str]:
    """Where it is served, and what to edit."""
    style = out_style()
    urls = urls_of(addresses, is_tls=site.instance.server.tls is not None)
    lines = [
        style.paint(f"{site.instance.name} is served at {' '.join(urls)}", Tone.STRONG),
        f"  conf  {short(site.instance.path)}",
    ]
    lines += [f"  apps  {short(folder)}/" for folder in watch.watched_by(site.instance).folders]
    return [*lines, f"  logs  {short(site.log_folder)}/", "Edit and save, it reloads by itself. Ctrl-C ends it."]


def ended(site: Site, code: int) -> int:
    """The master went by itself: say why, and turn its exit code into ours."""
    if code == 0:
        return 0
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    complain_error(f"the server of {site.instance.name} {how}; look at {short(site.log_folder)}/server.log")
    return 2 if code == 2 else 1
