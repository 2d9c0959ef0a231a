"""What doctor looks at for the folder in which bodies wait (spool_dir)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from skitaid.cli.finding import Finding, fine, warning, wrong
from skitaid.config.identity import Identity, become, identity_of
from skitaid.config.model import Instance, Main
from skitaid.engine.spool import check_room


def check_spool(instance: Instance, main: Main) -> Iterator[Finding]:
    """A spool_dir that the conf names: there, or to be made, writable for the user that workers become; and room on the
    disk, the instance's own folder included."""
    server = instance.server
    if not server.spool_limit_bytes:
        return
    if server.spool_dir is not None:
        yield check_folder(instance.name, server.spool_dir, identity_of(server, main.global_))
    folder = server.spool_dir or main.global_.var_path
    fd = os.open(nearest(folder), os.O_RDONLY | os.O_CLOEXEC)
    try:
        check_room(fd, 0)
    except OSError as error:
        yield warning(
            instance.name,
            f"bodies cannot wait in {folder}, so longer ones are answered 507: {error.strerror}",
            "make room there, or name another spool_dir",
        )
    finally:
        os.close(fd)


def check_folder(name: str, folder: Path, identity: Identity | None) -> Finding:
    """`identity`: whom workers become, None for us."""
    there = nearest(folder)
    if not there.is_dir():
        return wrong(name, f"spool_dir {folder}: {there} is not a folder", "move it away, or name another spool_dir")
    if not _is_writable(there, identity):
        user = identity.user if identity else str(os.geteuid())
        return wrong(
            name,
            f"spool_dir {folder}: {there} cannot be written to by user {user}, so longer bodies are answered 507",
            f"mkdir -p {quote(str(folder))}; chown {user} {quote(str(folder))}",
        )
    return fine(name, f"spool_dir {folder} {'is writable' if there == folder else 'will be made when it is needed'}")


def nearest(folder: Path) -> Path:
    """What there is of a path."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _is_writable(folder: Path, identity: Identity | None) -> bool:
    if identity is None:
        return os.access(folder, os.W_OK | os.X_OK)
    pid = os.fork()
    if not pid:
        try:
            become(identity)
            os._exit(0 if os.access(folder, os.W_OK | os.X_OK) else 1)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
