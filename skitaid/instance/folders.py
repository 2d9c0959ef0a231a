"""What an instance has on the disk: its log files, and its folder for what its apps keep. Both belong to the user that
the workers run as.
"""

from __future__ import annotations

import os

from skitaid.config.identity import identity_of
from skitaid.exceptions import SkitaidError
from skitaid.instance.arguments import Conf
from skitaid.instance.logbook import Logbook
from skitaid.logs.stdio import redirect

__all__ = ["Folders", "FoldersError"]


class FoldersError(SkitaidError):
    """A folder cannot be made or given to the workers' user; the machine's administrator must act."""


class Folders:
    """The log folder, with the log files open in `logbook`, and the var folder."""

    logbook: Logbook

    def __init__(self, conf: Conf, *, is_verbose: bool) -> None:
        """Make the folders and open the logs; `is_verbose`: these are shown on standard error too. Raises
        FoldersError."""
        self._is_verbose = is_verbose
        self._owner: tuple[int, int] | None = None
        self.logbook = self._open_logbook(conf, _owner(conf))
        self.follow(conf)

    def follow(self, conf: Conf) -> None:
        """Follow a conf that names other folders or another user. Raises FoldersError."""
        owner = _owner(conf)
        if (conf.log_folder, owner) != (self.logbook.folder, self._owner):
            before, self.logbook = self.logbook, self._open_logbook(conf, owner)
            before.close()
        try:
            conf.var_folder.mkdir(parents=True, exist_ok=True)
            if owner is not None:
                os.chown(conf.var_folder, *owner)
        except OSError as error:
            advice = "make its parent writable, or name another var_path in skitaid.conf"
            raise FoldersError(f"cannot make {conf.var_folder}: {error.strerror} ({advice})") from error

    def _open_logbook(self, conf: Conf, owner: tuple[int, int] | None) -> Logbook:
        self._owner = owner
        label = f"{conf.instance.name}: " if self._is_verbose else None
        logbook = Logbook(conf.log_folder, owner=owner, label=label)
        if not self._is_verbose:
            redirect(logbook.stderr)
        return logbook


def _owner(conf: Conf) -> tuple[int, int] | None:
    identity = identity_of(conf.instance.server, conf.main.global_)
    return (identity.uid, identity.gid) if identity else None
