"""Who workers and cron jobs run as."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass

from skitaid.config.model import Global, Server

__all__ = ["Identity", "become", "identity_of"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A user and a group of the system."""

    user: str
    uid: int
    gid: int


def identity_of(server: Server, global_: Global) -> Identity | None:
    """The user and group of [server], else of [global]; None: stay who we are, also when we are not root and can't
    become anybody. The conf was checked: both exist, by name or number."""
    user = server.user or global_.user
    group = server.group or global_.group
    if os.geteuid() != 0 or not (user or group):
        return None
    entry = _user(user or "0")
    return Identity(entry.pw_name, entry.pw_uid, _gid(group) if group else entry.pw_gid)


def become(identity: Identity) -> None:
    """Give up root for good. HOME and the like follow."""
    os.initgroups(identity.user, identity.gid)
    os.setgid(identity.gid)
    os.setuid(identity.uid)
    os.environ["USER"] = os.environ["LOGNAME"] = identity.user
    os.environ["HOME"] = pwd.getpwuid(identity.uid).pw_dir


def _user(word: str) -> pwd.struct_passwd:
    return pwd.getpwuid(int(word)) if word.isdecimal() else pwd.getpwnam(word)


def _gid(word: str) -> int:
    return int(word) if word.isdecimal() else grp.getgrnam(word).gr_gid
