"""What doctor looks at once for the whole machine: packages, limits, folders, the daemon's files, the agents. Nothing
here changes anything.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

from skitaid.cli.finding import Finding, fine, warning, wrong
from skitaid.cli.table import size
from skitaid.config.model import Main

Hint = Callable[[str], str]
"""Words of a command → the command line to type."""

FILES_WANTED = 4096
"""A proxied request holds two descriptors, so a busy site runs out of the usual 1024."""
DISK_WANTED_BYTES = 200_000_000
PACKAGES = {
    "daemon": ("python-daemon", "start cannot detach; start -v works without it"),
    "yaml": ("pyyaml", "confs in YAML cannot be read"),
    "jinja2": ("jinja2", "the sample site's pages cannot be made"),
    "setproctitle": ("setproctitle", "ps shows python instead of what each process is"),
}


def check_packages() -> Iterator[Finding]:
    """The Python packages that skitaid makes use of."""
    missing = [(package, loss) for module, (package, loss) in PACKAGES.items() if find_spec(module) is None]
    for package, loss in missing:
        yield warning(
            "packages", f"{package} is not installed: {loss}", f"{quote(sys.executable)} -m pip install {package}"
        )
    if not missing:
        yield fine("packages", f"{', '.join(package for package, _ in PACKAGES.values())} are installed")


def check_file_limit(limit: int | None = None) -> Finding:
    """How many files an instance may open. `limit` None: this process's hard limit, which an instance takes."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if limit is None else limit
    if hard == resource.RLIM_INFINITY or hard >= FILES_WANTED:
        return fine("open files", "no limit" if hard == resource.RLIM_INFINITY else f"{hard} allowed")
    return warning(
        "open files",
        f"a process may open {hard} files, which some hundred connections use up",
        f"as root, ulimit -n {FILES_WANTED} before start, or LimitNOFILE=65536 in the systemd unit",
    )


def check_folders(main: Main) -> Iterator[Finding]:
    """log_path, var_path and run_path: there, or to be made, and writable; room on the disk."""
    paths = main.global_
    for key, path in (("log_path", paths.log_path), ("var_path", paths.var_path), ("run_path", paths.run_path)):
        yield _folder(key, path)


def _folder(key: str, path: Path) -> Finding:
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    if not existing.is_dir():
        return wrong(key, f"{path}: {existing} is not a folder", f"move it away, or set {key} in skitaid.conf")
    if not os.access(existing, os.W_OK | os.X_OK):
        return wrong(
            key,
            f"{path}: {existing} cannot be written to by user {os.geteuid()}",
            f"run as its owner, or: chown -R USER {quote(str(existing))}",
        )
    free = shutil.disk_usage(existing).free
    if free < DISK_WANTED_BYTES:
        return warning(key, f"{path}: {size(free)} are left on that disk", "make room")
    return fine(key, f"{path} {'is writable' if existing == path else 'will be made at start'}")


def check_daemon(main: Main, hint: Hint) -> Iterator[Finding]:
    """The lock, and a control socket that nobody answers."""
    from skitaid.supervisor import lock

    run_path = main.global_.run_path
    is_running = lock.is_held(run_path)
    socket_path = run_path / "skitaid.sock"
    if is_running and not socket_path.exists():
        yield wrong(
            "daemon",
            f"it runs, but its control socket {socket_path} is gone, so no command reaches it",
            f"kill -TERM $(cat {quote(str(run_path))}/skitaid.pid), then {hint('start')}",
        )
    elif is_running:
        yield fine("daemon", f"it runs ({hint('status')})")
    elif socket_path.exists():
        yield warning(
            "daemon",
            f"it does not run, and left {socket_path} behind (killed, or a power cut)",
            f"nothing: {hint('start')} replaces it",
        )
    else:
        yield fine("daemon", f"it does not run ({hint('start')})")


def check_agents(main: Main) -> Iterator[Finding]:
    """Whether the mail agent, if there is one, can use its spool."""
    if main.smtpda is not None:
        yield _folder("spool", main.global_.var_path / "daemons" / "smtpda")
